import Foundation
import TestSupport
import Testing

/// Fork, export and import as a user does them.
@Suite("Fork, export, import", .bounded)
struct StudyTransferTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder("engram-transfer") }

  private func path(_ name: String) -> String { folder.url.appendingPathComponent(name).path }

  private func run(
    _ arguments: [String], runs: String = "runs", input: String? = nil, status: Int32 = 0
  ) async throws -> EngramProcess.Outcome {
    let result = try await EngramProcess.outcome(
      arguments, input: input, environment: ["ENGRAM_RUNS": path(runs)], folder: folder.url)
    #expect(result.status == status, "\(arguments): \(result.status) \(result.errors)")
    return result
  }

  private func object(_ text: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  /// A study whose trials a shell script measures: quick, and in a space of one's own.
  private func write(
    _ name: String, budget: Int, ranks: String = "[2, 4, 8]", initial: Int = 4, more: String = ""
  ) throws -> String {
    let script = """
      read -r line; n=$(printf %s "$line" | cksum | cut -d' ' -f1)
      echo "{\\"objectives\\":{\\"loss\\":$((n % 997)).25,\\"rougeL\\":0.$((n % 89 + 10))},\\"standardErrors\\":{\\"loss\\":0.125}}"
      """
    try Data(script.utf8).write(to: URL(fileURLWithPath: path("measure.sh")))
    let text = """
      study: {name: \(name), budget: \(budget)}
      space: {layers: 4, count: {min: 0, max: 3}, ranks: \(ranks)}
      sampler: {initial: \(initial), reference: {loss: 1000, rougeL: 0}}
      evaluator: {name: command, command: [sh, \(path("measure.sh"))]}
      \(more)
      """
    try Data(text.utf8).write(to: URL(fileURLWithPath: path("\(name).yaml")))
    return path("\(name).yaml")
  }

  @Test("a fork carries over what is valid in the new space and leaves the source alone") func fork() async throws {
    _ = try await run(["search", write("narrow", budget: 6)])
    let before = try await run(["study", "export", "narrow", "--output", "-"]).output
    let wide = try write("wide", budget: 9, ranks: "[2, 4, 16]", initial: 9)
    #expect(try await run(["study", "fork", "narrow", wide, "--dry-run"]).output.contains("would fork"))
    _ = try await run(["study", "show", "wide"], status: 3)
    let plan = try object(try await run(["study", "fork", "narrow", wide, "--format", "json"]).output)
    let carried = try #require(plan["carried"] as? [[String: Int]])
    let leftOut = try #require(plan["leftOut"] as? [[String: Any]])
    #expect(carried.count + leftOut.count == 6 && !carried.isEmpty && !leftOut.isEmpty)
    for trial in leftOut { #expect((trial["reason"] as? String)?.contains("rank 8") == true, "\(trial)") }
    #expect(try await run(["doctor", "wide"]).output.contains("consistent"))
    let shown = try await run(["trial", "show", "0", "--study", "wide"]).output
    #expect(shown.contains("of study narrow") && shown.contains("±"), "\(shown)")
    #expect(try await run(["study", "show", "wide"]).output.contains("forked from narrow"))
    // It goes on to its budget, in the new space.
    _ = try await run(["search", wide])
    #expect(try await run(["study", "show", "wide"]).output.contains("9 of 9"))
    let listed = try await run(["trial", "list", "wide", "--format", "csv"]).output
    #expect(listed.split(separator: "\n").count { $0.contains(",forked,") } == carried.count)
    #expect(try await run(["study", "export", "narrow", "--output", "-"]).output == before)
    // Refused: a study that is there, the source's own name, settings under which values mean something else.
    _ = try await run(["study", "fork", "narrow", wide], status: 4)
    _ = try await run(["study", "fork", "narrow", path("narrow.yaml")], status: 4)
    let other = try write("other", budget: 9, more: "training: {epochs: 7}")
    #expect(try await run(["study", "fork", "narrow", other], status: 4).errors.contains("training.epochs"))
    let none = try write("none", budget: 9, ranks: "[5]")
    #expect(try await run(["study", "fork", "narrow", none], status: 4).errors.contains("no trial"))
    _ = try await run(["study", "fork", "nothing", wide], status: 3)
    #expect(try await run(["study", "fork", "--help"]).output.contains("--dry-run"))
  }

  @Test("export and import are a round trip, as a folder and as a file") func roundTrip() async throws {
    _ = try await run(["search", write("trip", budget: 4)])
    _ = try await run(["study", "export", "trip", "--output", path("trip.jsonl")])
    let text = try String(contentsOfFile: path("trip.jsonl"), encoding: .utf8)
    #expect(try await run(["study", "export", "trip", "--output", "-"]).output == text)
    _ = try await run(["study", "export", "trip", "--output", path("trip.jsonl")], status: 4)
    _ = try await run(["study", "export", "trip", "--output", path("folder")])
    for (runs, source) in [("a", path("trip.jsonl")), ("b", path("folder"))] {
      _ = try await run(["study", "import", source], runs: runs)
      #expect(try await run(["study", "export", "trip", "--output", "-"], runs: runs).output == text)
      _ = try await run(["study", "import", source], runs: runs, status: 4)
    }
    _ = try await run(["study", "import", "-"], runs: "c", input: text)
    // The imported study goes on where the other was.
    _ = try await run(["search", write("trip", budget: 5)], runs: "c")
    #expect(try await run(["study", "show", "trip"], runs: "c").output.contains("5 of 5"))
    // The same study under another name is the same study.
    try FileManager.default.moveItem(atPath: path("c/trip"), toPath: path("c/elsewhere"))
    #expect(try await run(["study", "import", "-"], runs: "c", input: text, status: 4).errors.contains("elsewhere"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: path("c")) == ["elsewhere"])
    do {
      let newer = text.replacingOccurrences(of: "\"version\":1", with: "\"version\":2")
      _ = try await run(["study", "import", "-"], runs: "d", input: newer, status: 6)
      let damaged = text.replacingOccurrences(of: "0.125", with: "0.126")
      _ = try await run(["study", "import", "-"], runs: "d", input: damaged, status: 5)
      _ = try await run(["study", "import", "-"], runs: "d", input: String(text.dropLast(200)), status: 5)
      _ = try await run(["study", "import", "-"], runs: "d", input: "{}\n", status: 4)
      _ = try await run(["study", "import", path("missing")], runs: "d", status: 3)
      _ = try await run(["study", "import", path("folder/study.sqlite")], runs: "d", status: 2)
      #expect(((try? FileManager.default.contentsOfDirectory(atPath: path("d"))) ?? []).isEmpty)
    }
  }
}
