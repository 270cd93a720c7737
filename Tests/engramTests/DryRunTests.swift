import Foundation
import TestSupport
import Testing

/// `--dry-run` says what the real start would say, and the real start says it before anything is made.
@Suite("Checks before a search", .ownThread, .bounded)
struct DryRunTests {
  private let folder: TemporaryFolder
  private let model = Fixtures.url("goldens/lm/models/gpt2").path

  init() throws {
    folder = try TemporaryFolder("engram-dry")
    try folder.writeSmallDataset()
  }

  private func path(_ name: String) -> String { folder.url.appendingPathComponent(name).path }

  private func write(_ text: String, _ name: String) throws {
    try folder.write(text, name)
  }

  private func study(
    _ rest: String = "", base: String? = nil, users: String = "users.jsonl", samples: String = "samples.jsonl"
  ) throws -> String {
    let hasData = rest.contains("data:")
    try write(
      """
      study: {name: dry, budget: 2}
      space: {count: {max: 2}, ranks: [2, 4]}
      base: {path: \(base ?? model)}
      \(hasData ? "" : "data: {users: \(users), samples: \(samples)}")
      \(rest.contains("sampler:") ? "" : "sampler: {initial: 2}")
      \(rest.contains("evaluation:") ? "" : "evaluation: {maxNewTokens: 4}")
      \(rest)
      """, "dry.yaml")
    return path("dry.yaml")
  }

  private func run(_ arguments: [String]) throws -> EngramProcess.Outcome {
    try EngramProcess.run(
      arguments, environment: ["ENGRAM_RUNS": path("runs"), "XDG_CACHE_HOME": path("cache")], folder: folder.url)
  }

  @Test("a sound study shows its data, a line, a prompt with its reply, sizes and cuts") func sound() throws {
    let shown = try run(["search", try study(), "--workers", "1", "--dry-run"])
    #expect(shown.status == 0, "\(shown.errors)")
    for part in [
      "3 users, 3 history items, 12 samples: ", "»User u0: [post] i like item 0", "### Input: what ",
      "### Response:» item ", "trainable parameters", "0 of 3 history items", "loss (minimize)", "free disk",
    ] {
      #expect(shown.output.contains(part), "\(part) in \(shown.output)")
    }
    #expect(!FileManager.default.fileExists(atPath: path("runs")))
  }

  @Test(
    "what would fail is refused by the dry run and by the start, and leaves no folder",
    arguments: [
      ("objectives: [{name: bleu, direction: maximize}]", [], "'bleu'", 2),
      ("data: {users: nowhere.jsonl, samples: samples.jsonl}", [], "nowhere.jsonl", 3),
      ("data: {users: users.jsonl, samples: samples.jsonl, templates: {stopp: x}}", [], "stopp", 2),
      ("data: {users: users.jsonl, samples: samples.jsonl, split: given}", [], "split", 2),
      ("evaluator: {name: command, command: [./no-such-program]}", [], "no-such-program", 1),
      ("memory: {targets: [gate]}", [], "gate", 2),
      ("training: {maxLength: 16}", ["--device", "cuda:99"], "cuda:99", 6),
      ("training: {maxLength: 16}", ["--device", "gpu"], "--device gpu", 2),
    ] as [(String, [String], String, Int32)])
  func refused(_ rest: String, _ options: [String], _ message: String, _ status: Int32) throws {
    let file = try study(rest)
    for form in [["--dry-run"], []] {
      let result = try run(["search", file, "--workers", "1"] + options + form)
      #expect(result.status == status, "\(form) \(rest): \(result.status) \(result.output) \(result.errors)")
      #expect(result.errors.contains(message), "\(result.errors)")
      #expect(!FileManager.default.fileExists(atPath: path("runs/dry")), "\(form) left a folder")
    }
  }

  @Test("a broken line and an unknown user are found by the dry run") func records() throws {
    try write(#"{"id":"s","user":"u0","query":"how"#, "broken.jsonl")
    let broken = try run(["search", try study(samples: "broken.jsonl"), "--dry-run"])
    #expect(broken.status == 2 && broken.errors.contains("broken.jsonl:1"), "\(broken.errors)")
    try write(#"{"id":"s","user":"u9","query":"q","response":"r"}"#, "unknown.jsonl")
    let unknown = try run(["search", try study(samples: "unknown.jsonl"), "--dry-run"])
    #expect(unknown.status == 2 && unknown.errors.contains("u9"), "\(unknown.errors)")
    let hub = try run(["search", try study(base: "openai-community/gpt2"), "--dry-run"])
    #expect(hub.status == 3 && hub.errors.contains("dry.yaml:3: base.path"), "\(hub.errors)")
  }

  @Test("several errors come together") func together() throws {
    let file = try study(
      "objectives: [{name: bleu, direction: maximize}]\nmemory: {targets: [gate]}", users: "nowhere.jsonl")
    let result = try run(["search", file, "--device", "cuda:99", "--dry-run"])
    for part in ["bleu", "gate", "nowhere.jsonl", "cuda:99"] {
      #expect(result.errors.contains(part), "\(part) in \(result.errors)")
    }
    try write("study: {seed: x}\ntraining: {epochs: 0, learnrate: 1}\n", "bad.yaml")
    let bad = try run(["search", path("bad.yaml"), "--dry-run"])
    #expect(bad.status == 2)
    for part in ["study.seed", "training.epochs", "training.learnrate"] {
      #expect(bad.errors.contains(part), "\(bad.errors)")
    }
  }

  @Test("a study that is there is compared") func existing() throws {
    let file = try study()
    #expect(try run(["search", file, "--workers", "1"]).status == 0)
    #expect(try run(["search", file, "--dry-run"]).status == 0)
    let changed = try study("training: {epochs: 2}")
    let result = try run(["search", changed, "--dry-run"])
    #expect(result.status == 4 && result.errors.contains("training.epochs"), "\(result.errors)")
  }

  @Test("cuts are said by the dry run, by training, in study show and in the card") func cuts() throws {
    let long = String(repeating: "the cat in the hat sat there . ", count: 60)
    try write(#"{"id":"u0","history":[{"kind":"post","text":"\#(long)"}]}"#, "long.jsonl")
    try write(
      (0..<12).map { #"{"id":"s\#($0)","user":"u0","query":"what \#($0)","response":"item \#($0)"}"# }
        .joined(separator: "\n"), "samples.jsonl")
    let file = try study(users: "long.jsonl")
    let sentence = "1 of 1 history items are cut at their end"
    #expect(try run(["search", file, "--dry-run"]).output.contains(sentence))
    let theta = #"{"layers":[0],"count":1,"rank":2}"#
    let trained = try run([
      "memory", "train", file, "--configuration", theta, "--threads", "1", "--output", path("adapter"),
    ])
    #expect(trained.status == 0 && trained.errors.contains("warning: \(sentence)"), "\(trained.errors)")
    let exported = try run([
      "memory", "export", "--model", model, "--adapter", path("adapter"), "--to", "peft", "--output", path("out"),
    ])
    #expect(exported.status == 0, "\(exported.errors)")
    #expect(try String(contentsOfFile: path("out/README.md"), encoding: .utf8).contains(sentence))
    let search = try run(["search", file, "--workers", "1"])
    #expect(search.status == 0 && search.errors.contains("warning: \(sentence)"), "\(search.errors)")
    #expect(try run(["study", "show", "dry"]).output.contains("warning: \(sentence)"))
    #expect(try run(["study", "show", "dry", "--format", "json"]).output.contains("\"tokensCut\""))
  }

  @Test("time can be an objective") func seconds() throws {
    let file = try study("objectives: [{name: loss, direction: minimize}, {name: seconds, direction: minimize}]")
    let result = try run(["search", file, "--workers", "1"])
    #expect(result.status == 0 && !result.errors.contains("bug"), "\(result.errors)")
    #expect(try run(["trial", "list", "dry", "--format", "json"]).output.contains("\"seconds\""))
  }

  @Test("text of another script is measured with evaluation.unicode, and warned about without") func scripts() throws {
    try write(
      (0..<12).map {
        #"{"id":"s\#($0)","user":"u\#($0 % 3)","query":"คุณ","response":"ชาเย็น หวาน \#($0 % 2 == 0 ? "ครับ" : "ผม")"}"#
      }
      .joined(separator: "\n"), "samples.jsonl")
    let theta = #"{"layers":[0],"count":1,"rank":2}"#
    func train(_ rest: String) throws -> EngramProcess.Outcome {
      try run(["memory", "train", try study(rest), "--configuration", theta, "--threads", "1"])
    }
    let plain = try train("")
    #expect(plain.status == 0 && plain.errors.contains("evaluation.unicode: true"), "\(plain.errors)")
    let unicode = try train("evaluation: {maxNewTokens: 4, unicode: true}")
    #expect(unicode.status == 0 && !unicode.errors.contains("ROUGE"), "\(unicode.errors)")
  }

  @Test("a time is read as the records' reader reads it") func times() throws {
    let result = try EngramProcess.run(
      ["data", "time"], input: "\"2024-05-01 14:00:00+02\"\n1714564800000\n\"2024-02-30\"\n")
    #expect(result.status == 0, "\(result.errors)")
    let lines = result.output.split(separator: "\n")
    #expect(lines.count == 3 && lines[0] == #"{"seconds":1714564800}"# && lines[1] == #"{"seconds":1714564800}"#)
    #expect(lines.last?.contains("no day 30") == true)
  }
}
