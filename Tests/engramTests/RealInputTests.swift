import Foundation
import TestSupport
import Testing

/// From files as people have them to a finished search: raw release → records → statistics → search → adapter → replies.
@Suite("Real input", .ownThread, .bounded)
struct RealInputTests {
  private let folder: TemporaryFolder
  private let model = Fixtures.url("goldens/lm/models/gpt2").path

  init() throws { folder = try TemporaryFolder("engram-real") }

  private func path(_ name: String) -> String { folder.url.appendingPathComponent(name).path }

  private func write(_ data: Data, _ name: String) throws {
    let file = folder.url.appendingPathComponent(name)
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try data.write(to: file)
  }

  private func run(_ arguments: [String], input: String? = nil, status: Int32 = 0) throws -> EngramProcess.Outcome {
    let result = try EngramProcess.run(
      arguments, input: input, environment: ["ENGRAM_RUNS": path("runs"), "XDG_CACHE_HOME": path("cache")])
    #expect(result.status == status, "\(arguments): \(result.errors)")
    return result
  }

  /// A small release of MaLP's form: profiles as strings (one of them broken), dialogues of six turns in two files.
  private func writeRelease(profiles: Int = 5, dialogues: [Int] = [6, 9]) throws {
    let texts = (0..<profiles).map { index in
      index == 2
        ? "not an object {"
        : #"{"personal_information": "Name: P\#(index), \#(20 + index)", "symptoms": "rash", "dialogue_preference": "polite"}"#
    }
    try write(JSONSerialization.data(withJSONObject: texts), "raw/dialogue_generation/profiles_4.json")
    for (file, count) in zip(["dialogues2_cleaned", "dialogues_3_cleaned"], dialogues) {
      let all = (0..<count).map { dialogue in
        (0..<6).map { turn -> [String: [String: String]] in
          // The quirks of the release: prefixes, wrapping quotes, swapped speakers, the end marker.
          var pair = ["Assistant": "Doctor: Question \(turn)?", "User": "Patient: \"Answer \(turn) of \(dialogue).\""]
          if turn == 2 { pair = ["Assistant": "Patient: It hurts.", "User": "Doctor: Since when?"] }
          if turn == 5 { pair["Assistant"] = "\"Goodbye. Time to end this conversation.\"" }
          return ["\(turn)": pair]
        }
      }
      try write(JSONSerialization.data(withJSONObject: all), "raw/data/\(file).json")
    }
  }

  private func writeStudy(users: String, samples: String) throws -> String {
    let text = """
      study: {name: real, budget: 3}
      space: {count: {min: 0, max: 2}, ranks: [2, 4]}
      sampler: {initial: 2}
      base: {path: \(model)}
      data: {users: \(users), samples: \(samples)}
      training: {epochs: 1, maxLength: 64}
      instructionTuning: {epochs: 1}
      evaluation: {maxNewTokens: 4, samples: 6}
      """
    try write(Data(text.utf8), "real.yaml")
    return path("real.yaml")
  }

  @Test("the MedicalDialogue release becomes records, statistics and a searched memory") func medicalDialogue() throws {
    try writeRelease()
    let imported = try run(["data", "import", "malp-medical", path("raw"), "--output", path("med")])
    #expect(imported.output.contains("association: positional"))
    let stats = try run([
      "data", "stats", "--users", path("med/users.jsonl"), "--samples", path("med/samples.jsonl"), "--format", "json",
    ])
    let columns = try #require(try JSONSerialization.jsonObject(with: Data(stats.output.utf8)) as? [String: Any])
    // 4 parsable profiles; 15 dialogues of 5 pairs; 6 user turns each, dealt round-robin.
    #expect(columns["users"] as? Int == 4 && columns["samples"] as? Int == 75)
    #expect(columns["historyLength"] as? Double == 22.5)
    #expect(columns["association"] as? String == "positional")
    // Records are never overwritten.
    _ = try run(["data", "import", "malp-medical", path("raw"), "--output", path("med")], status: 4)

    // Paths in a study's file are relative to it.
    let study = try writeStudy(users: "med/users.jsonl", samples: "med/samples.jsonl")
    let search = try run(["search", study, "--workers", "2"])
    #expect(search.output.contains("3 trials finished (the budget is spent)"))
    #expect(search.output.contains("memory + instruction tuning"))
    for name in ["adapter/adapter_config.json", "plots/pareto.svg", "plots/hypervolume.svg"] {
      #expect(FileManager.default.fileExists(atPath: path("runs/real/\(name)")), "\(name)")
    }
    // The same command again only reports.
    let again = try run(["search", study])
    #expect(again.errors.contains("nothing left to do"))
  }

  @Test("own records: the adapter answers, exports and merges") func ownRecords() throws {
    let users = (0..<4).map {
      "{\"id\":\"u\($0)\",\"profile\":{\"city\":\"Oslo\"},\"history\":[{\"kind\":\"post\",\"text\":\"hello \($0)\"}]}"
    }
    let samples = (0..<40).map {
      "{\"id\":\"s\($0)\",\"user\":\"u\($0 % 4)\",\"query\":\"where \($0)?\",\"response\":\"Oslo\"}"
    }
    try write(Data(users.joined(separator: "\n").utf8), "users.jsonl")
    try write(Data(samples.joined(separator: "\n").utf8), "samples.jsonl")
    let study = try writeStudy(users: "users.jsonl", samples: "samples.jsonl")
    _ = try run(["search", study, "--workers", "2"])

    let reply = try run(["memory", "generate", study], input: #"{"user":"u1","query":"where?"}"#)
    #expect(reply.output.contains("\"reply\""))
    let stranger = try run(["memory", "generate", study], input: #"{"user":"u9","query":"where?"}"#, status: 3)
    #expect(stranger.errors.contains("u9"))

    let adapter = path("runs/real/adapter")
    try write(Data(#"{"prompt":"where?","response":"Oslo"}"#.utf8), "probe.jsonl")
    for form in ["peft", "uniform", "merged"] {
      _ = try run(["memory", "export", "--model", model, "--adapter", adapter, "--to", form, "--output", path(form)])
      let card = try String(contentsOfFile: path("\(form)/README.md"), encoding: .utf8)
      #expect(card.contains("Memory of the study real, trial") && card.contains("standard error"))
      #expect(!card.contains("hello") && !card.contains(folder.url.path), "no text of users, no path")
    }
    try checkOtherBase(adapter)
    try chat(study)
    func loss(_ options: [String]) throws -> Double {
      let result = try run(["model", "loss", "--data", path("probe.jsonl")] + options)
      let value = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
      return try #require(value?["loss"] as? Double)
    }
    let direct = try loss(["--model", model, "--adapter", adapter])
    #expect(abs(try loss(["--model", model, "--adapter", path("uniform")]) - direct) < 1e-5)
    #expect(abs(try loss(["--model", path("merged")]) - direct) < 1e-4)
    #expect(abs(try loss(["--model", model]) - direct) > 1e-6, "the memory changes the model")
  }

  /// An adapter that names another base is refused, by every command that reads one.
  private func checkOtherBase(_ adapter: String) throws {
    try FileManager.default.copyItem(atPath: adapter, toPath: path("foreign"))
    let sidecar = path("foreign/engram.json")
    let text = try String(contentsOfFile: sidecar, encoding: .utf8)
    let key = try #require(text.range(of: "\"baseFingerprint\": \""))
    let digit = text[key.upperBound] == "0" ? "1" : "0"
    try Data(text.replacingCharacters(in: key.upperBound...key.upperBound, with: digit).utf8)
      .write(to: URL(fileURLWithPath: sidecar))
    let foreign = ["--model", model, "--adapter", path("foreign")]
    let refused = try run(["model", "loss", "--data", path("probe.jsonl")] + foreign, status: 6)
    #expect(refused.errors.contains("trained on a base with the fingerprint"))
    _ = try run(["memory", "export", "--to", "peft", "--output", path("no")] + foreign, status: 6)
    #expect(!FileManager.default.fileExists(atPath: path("no")))
    _ = try run(["model", "loss", "--any-base", "--data", path("probe.jsonl")] + foreign)
  }

  /// Questions through a pipe: one line of reply each, the same as `memory generate` gives; commands and mistakes go to
  /// standard error.
  private func chat(_ study: String) throws {
    let asked = try run(["memory", "generate", study], input: #"{"user":"u1","query":"where?"}"#)
    let expected = try JSONSerialization.jsonObject(with: Data(asked.output.utf8)) as? [String: String]
    let talk = try run(
      ["memory", "chat", study, "--user", "u1"], input: "where?\n\n/user u9\n/users\n/nonsense\n/user u2\nwhere?")
    let lines = talk.output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    #expect(lines.count == 3 && lines[2].isEmpty, "\(lines)")
    #expect(lines.first == expected?["reply"]?.replacingOccurrences(of: "\n", with: " "))
    for part in ["no user 'u9'", "u0, u1, u2, u3", "/nonsense is not known", "now the memory of u2"] {
      #expect(talk.errors.contains(part), "\(part)")
    }
    #expect(try run(["memory", "chat", study], input: "", status: 2).errors.contains("--user"))
    #expect(try run(["memory", "chat", study, "--user", "u"], input: "", status: 3).errors.contains("u"))
  }

  @Test("a refused pretraining leaves nothing behind") func pretrainRefused() throws {
    try write(Data("some words of text\n".utf8), "text.txt")
    _ = try run(
      ["model", "pretrain", "--text", path("text.txt"), "--output", path("base"), "--width", "33"], status: 2)
    #expect(!FileManager.default.fileExists(atPath: path("base")))
  }
}
