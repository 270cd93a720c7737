import Foundation
import TestSupport
import Testing

/// A study driven from outside: ask, tell, attach, abandon, retry, pause, resume; tables, JSON and CSV of the result.
@Suite("Steering", .bounded)
struct SteeringTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder("engram-steer") }

  private func path(_ name: String) -> String { folder.url.appendingPathComponent(name).path }

  private func run(_ arguments: [String], status: Int32 = 0) async throws -> EngramProcess.Outcome {
    let result = try await EngramProcess.outcome(
      arguments, environment: ["ENGRAM_RUNS": path("runs")], folder: folder.url)
    #expect(result.status == status, "\(arguments): \(result.status) \(result.errors)")
    return result
  }

  private func object(_ text: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  private func writeStudy(budget: Int) throws {
    let text = """
      study: {name: steer, budget: \(budget)}
      sampler: {initial: 2}
      evaluator: {name: analytic, problem: sparse34}
      """
    try Data(text.utf8).write(to: URL(fileURLWithPath: path("steer.yaml")))
  }

  /// A finished study of two trials.
  private func makeStudy() async throws {
    try writeStudy(budget: 2)
    _ = try await run(["search", path("steer.yaml")])
  }

  /// A study that a coordinator without workers has begun.
  private func beginStudy() async throws {
    try writeStudy(budget: 8)
    let coordinator = try EngramProcess.start(
      ["coordinator", path("steer.yaml")], environment: ["ENGRAM_RUNS": path("runs")], folder: folder.url)
    // The study has begun when it can be shown.
    try #require(
      await EngramProcess.waitUntil {
        let shown = try? await EngramProcess.outcome(
          ["study", "show", "steer"], environment: ["ENGRAM_RUNS": path("runs")], folder: folder.url)
        return shown?.status == 0
      })
    coordinator.interrupt()
    #expect(await EngramProcess.outcome(of: coordinator).status == 130)
  }

  @Test("ask, tell, attach, abandon and retry") func driven() async throws {
    try await beginStudy()
    _ = try await run(["trial", "attach", #"{"layers":[0,1],"count":2,"rank":8}"#, "--study", "steer"])
    let asked = try object(try await run(["ask", "steer"]).output)
    let token = "\(try #require(asked["token"] as? Int))"
    let trial = "\(try #require(asked["trial"] as? Int))"
    _ = try await run(["tell", "steer", "--token", token, "--objectives", "loss=1.2"], status: 2)
    let told = [
      "tell", "steer", "--token", token, "--objectives", "loss=1.2,rougeL=0.3", "--standard-errors", "loss=0.0625",
    ]
    _ = try await run(Array(told.dropLast()) + ["lost=0.1"], status: 2)
    _ = try await run(["tell", "steer", "--token", token, "--failure", "x", "--standard-errors", "loss=1"], status: 2)
    for (given, part) in [
      ("loss=1.2,loss=7,rougeL=0.3", "loss stands twice"), ("loss=1.2", "rougeL is missing"),
      ("loss=1.2,rougeL=0.3,z=1", "no objective 'z'"), ("loss=1.2,rougel=0.3", "is 'rougeL' meant"),
      ("", "loss, rougeL is missing"), ("loss=1.2;rougeL=0.3", "is not name=number"),
      ("loss=7,rougeL=50", "write 0.5"), ("loss=1e200,rougeL=0.3", "1e+75"),
    ] {
      let refused = try await run(["tell", "steer", "--token", token, "--objectives", given], status: 2)
      #expect(refused.errors.contains(part), "\(given): \(refused.errors)")
    }
    let percent = [
      "trial", "attach", #"{"layers":[7],"count":1,"rank":8}"#, "--objectives", "loss=7,rougeL=50", "--study", "steer",
    ]
    #expect(try await run(percent, status: 2).errors.contains("rougeL is a fraction"))
    #expect(try await run(told).output.contains("accepted"))
    #expect(try await run(told).output.contains("repeated"))
    let shown = try await run(["trial", "show", trial, "--study", "steer", "--format", "json"]).output
    #expect(shown.contains("\"loss\" : 0.0625"), "\(shown)")
    _ = try await run(["tell", "steer", "--token", token, "--objectives", "loss=9,rougeL=0.3"], status: 4)
    _ = try await run(["tell", "steer", "--token", "99", "--objectives", "loss=1,rougeL=0.3"], status: 3)
    // A configuration is evaluated once; results may come with it.
    let known = ["trial", "attach", #"{"layers":[0,1],"count":2,"rank":8}"#, "--study", "steer"]
    _ = try await run(known, status: 4)
    _ = try await run([
      "trial", "attach", #"{"layers":[5],"count":1,"rank":8}"#, "--objectives", "loss=1.5,rougeL=0.2", "--study",
      "steer",
    ])
    _ = try await run(["trial", "retry", trial, "--study", "steer"], status: 4)
    let other = try object(try await run(["ask", "steer"]).output)
    let lost = [
      "tell", "steer", "--token", "\(try #require(other["token"] as? Int))", "--objectives", "loss=nan, rougeL=0.3",
    ]
    let diverged = try await run(lost).output
    #expect(diverged.contains("has diverged") && diverged.contains("loss"), "\(diverged)")
    let next = "\(try #require(try object(try await run(["ask", "steer"]).output)["trial"] as? Int))"
    _ = try await run(["trial", "abandon", next, "--study", "steer"])
    _ = try await run(["trial", "retry", next, "--study", "steer"])
    _ = try await run(["trial", "abandon", "99", "--study", "steer"], status: 3)
    #expect(try await run(["doctor", "steer"]).output.contains("consistent"))
  }

  /// A study whose trials are measured by a script of the user's.
  private func writeScript(_ text: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path("measure.sh")))
    let study = """
      study: {name: script, budget: 12}
      space: {layers: 4, count: {min: 1, max: 3}, ranks: [2, 4]}
      sampler: {initial: 12}
      evaluator: {name: command, command: [sh, \(path("measure.sh"))]}
      coordinator: {attempts: 1}
      """
    try Data(study.utf8).write(to: URL(fileURLWithPath: path("script.yaml")))
  }

  @Test("everything fails, the cause is found and repaired, the study goes on") func failing() async throws {
    try writeScript("echo cannot open data.bin >&2; exit 3")
    let failed = try await run(["search", path("script.yaml")], status: 1)
    #expect(failed.output.contains("10 of them without a result") && failed.output.contains("failed in a row"))
    // What went wrong and the way out stand in the last line.
    for part in ["exited with status 3", "cannot open data.bin", "engram trial retry --failed"] {
      #expect(failed.errors.contains(part), "\(part): \(failed.errors)")
    }
    #expect(try await run(["search", path("script.yaml")], status: 1).errors.contains("retry --failed"))
    #expect(try await run(["doctor", "script"], status: 1).output.contains("cannot open") == false)
    try writeScript("echo '{\"loss\": 1.5, \"rougeL\": 0.5}'")
    _ = try await run(["trial", "retry"], status: 2)
    let retried = try await run(["trial", "retry", "--failed", "--study", "script"]).output
    #expect(retried.split(separator: "\n").count == 10)
    #expect(try await run(["trial", "retry", "--failed", "--study", "script"]).output.contains("no trial"))
    _ = try await run(["search", path("script.yaml")])
    #expect(try await run(["study", "show", "script"]).output.contains("12 of 12"))
    #expect(try await run(["doctor", "script"]).output.contains("consistent"))
  }

  @Test("ask says why there is nothing to do, pause and resume say what they found") func reasons() async throws {
    try await beginStudy()
    #expect(try await run(["study", "pause", "steer"]).output.hasPrefix("paused:"))
    #expect(try await run(["study", "pause", "steer"]).output.hasPrefix("paused already"))
    #expect(try await run(["ask", "steer"], status: 4).errors.contains("is paused"))
    #expect(try await run(["study", "resume", "steer"]).output.hasPrefix("resumed"))
    #expect(try await run(["study", "resume", "steer"]).output.hasPrefix("not paused"))
    for _ in 0..<8 { _ = try await run(["ask", "steer"]) }
    #expect(try await run(["ask", "steer", "--wait", "0.5"], status: 75).errors.contains("given out"))
    #expect(try await run(["study", "show", "steer"]).output.contains("is with outside since"))
    let wrong = try await run(
      ["trial", "attach", #"{"layers":[40],"count":1,"rank":8}"#, "--study", "steer"], status: 2)
    #expect(wrong.errors.contains("not all in 0..<32") && !wrong.errors.contains("--configuration"))
    let kept = try await run(["trial", "show", "0", "--study", "steer", "--replay"]).output
    #expect(kept.contains("the same proposal comes out"))
    let replayed = try await run(["trial", "replay", "0", "--study", "steer"]).output
    #expect(kept == replayed)
    #expect(try await run(["trial", "show", "0", "--study", "steer", "--reports"]).output.contains("no reports"))
  }

  @Test("the forms of output agree") func outputs() async throws {
    try await makeStudy()
    let json = try await run(["trial", "list", "steer", "--format", "json"]).output
    let trials = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [[String: Any]])
    let csv = try await run(["trial", "list", "steer", "--format", "csv"]).output.split(separator: "\n").map(
      String.init)
    #expect(csv.count == trials.count + 1)
    // Every key is there, null where there is nothing.
    for key in [
      "number", "kind", "state", "configuration", "objectives", "standardErrors", "metrics", "source", "seed",
      "hypervolume",
      "started", "ended", "failure", "attempts",
    ] { #expect(trials[0].keys.contains(key), "\(key)") }
    let titles = csv[0].split(separator: ",").map(String.init)
    #expect(
      Set(titles).isSuperset(of: ["layers", "count", "rank", "started", "ended", "seconds", "trainableParameters"]))
    let cells = csv[1].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    // Plain numbers, scores as fractions: the very values of the JSON.
    let objectives = try #require(trials[0]["objectives"] as? [String: Double])
    for name in ["loss", "rougeL"] {
      let column = try #require(titles.firstIndex(of: name))
      let (cell, value) = (try #require(Double(cells[column])), try #require(objectives[name]))
      #expect(abs(cell - value) < 1e-12)
    }
    let table = try await run(["trial", "show", "0", "--study", "steer"]).output
    #expect(table.hasPrefix("trial 0: completed"))
    #expect(
      try object(try await run(["trial", "show", "0", "--study", "steer", "--format", "json"]).output)["trial"] != nil)
    #expect(
      try object(try await run(["study", "show", "steer", "--format", "json"]).output)["hypervolumeHistory"] != nil)
    _ = try await run(["trial", "list", "steer", "--state", "bogus"], status: 2)
  }

  @Test("pause, resume, export, delete") func study() async throws {
    try await makeStudy()
    _ = try await run(["study", "pause", "steer"])
    #expect(try await run(["study", "show", "steer", "--format", "json"]).output.contains("\"state\""))
    _ = try await run(["study", "resume", "steer"])
    _ = try await run(["study", "export", "steer", "--output", path("copy")])
    // A folder beside the working directory is found by its plain name, too.
    #expect(try await run(["study", "show", "copy"]).output.contains("2 of 2"))
    _ = try await run(["study", "export", "steer", "--output", path("copy")], status: 4)
    _ = try await run(["study", "delete", "steer"], status: 6)
    _ = try await run(["study", "delete", "steer", "--yes"])
    _ = try await run(["study", "show", "steer"], status: 3)
    #expect(try FileManager.default.contentsOfDirectory(atPath: path("runs/.deleted")).count == 1)
  }
}
