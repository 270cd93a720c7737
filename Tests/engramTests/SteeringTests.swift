import Foundation
import TestSupport
import Testing

/// A study driven from outside: ask, tell, attach, abandon, retry, pause, resume; tables, JSON and CSV of the result.
@Suite("Steering")
struct SteeringTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder("engram-steer") }

  private func path(_ name: String) -> String { folder.url.appendingPathComponent(name).path }

  private func run(_ arguments: [String], status: Int32 = 0) throws -> EngramProcess.Outcome {
    let result = try EngramProcess.run(arguments, environment: ["ENGRAM_RUNS": path("runs")], folder: folder.url)
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
  private func makeStudy() throws {
    try writeStudy(budget: 2)
    _ = try run(["search", path("steer.yaml")])
  }

  /// A study that a coordinator without workers has begun.
  private func beginStudy() throws {
    try writeStudy(budget: 8)
    let coordinator = try EngramProcess.start(
      ["coordinator", path("steer.yaml")], environment: ["ENGRAM_RUNS": path("runs")], folder: folder.url)
    let limit = Date().addingTimeInterval(20)
    while Date() < limit, !FileManager.default.fileExists(atPath: path("runs/steer/study.sqlite")) { usleep(20_000) }
    usleep(300_000)
    coordinator.interrupt()
    #expect(EngramProcess.finish(coordinator).status == 130)
  }

  @Test("ask, tell, attach, abandon and retry") func driven() throws {
    try beginStudy()
    _ = try run(["trial", "attach", #"{"layers":[0,1],"count":2,"rank":8}"#, "--study", "steer"])
    let asked = try object(try run(["ask", "steer"]).output)
    let token = "\(try #require(asked["token"] as? Int))"
    let trial = "\(try #require(asked["trial"] as? Int))"
    _ = try run(["tell", "steer", "--token", token, "--objectives", "loss=1.2"], status: 2)
    let told = ["tell", "steer", "--token", token, "--objectives", "loss=1.2,rougeL=0.3"]
    #expect(try run(told).output.contains("accepted"))
    #expect(try run(told).output.contains("repeated"))
    _ = try run(["tell", "steer", "--token", token, "--objectives", "loss=9,rougeL=0.3"], status: 4)
    _ = try run(["tell", "steer", "--token", "99", "--objectives", "loss=1,rougeL=0.3"], status: 3)
    // A configuration is evaluated once; results may come with it.
    let known = ["trial", "attach", #"{"layers":[0,1],"count":2,"rank":8}"#, "--study", "steer"]
    _ = try run(known, status: 4)
    _ = try run([
      "trial", "attach", #"{"layers":[5],"count":1,"rank":8}"#, "--objectives", "loss=1.5,rougeL=0.2", "--study",
      "steer",
    ])
    _ = try run(["trial", "retry", trial, "--study", "steer"], status: 4)
    let next = "\(try #require(try object(try run(["ask", "steer"]).output)["trial"] as? Int))"
    _ = try run(["trial", "abandon", next, "--study", "steer"])
    _ = try run(["trial", "retry", next, "--study", "steer"])
    _ = try run(["trial", "abandon", "99", "--study", "steer"], status: 3)
    #expect(try run(["doctor", "steer"]).output.contains("consistent"))
  }

  @Test("the forms of output agree") func outputs() throws {
    try makeStudy()
    let json = try run(["trial", "list", "steer", "--format", "json"]).output
    let trials = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [[String: Any]])
    let csv = try run(["trial", "list", "steer", "--format", "csv"]).output.split(separator: "\n").map(String.init)
    #expect(csv.count == trials.count + 1)
    let titles = csv[0].split(separator: ",").map(String.init)
    let cells = csv[1].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    // Plain numbers, scores as fractions: the very values of the JSON.
    let objectives = try #require(trials[0]["objectives"] as? [String: Double])
    for name in ["loss", "rougeL"] {
      let column = try #require(titles.firstIndex(of: name))
      let (cell, value) = (try #require(Double(cells[column])), try #require(objectives[name]))
      #expect(abs(cell - value) < 1e-12)
    }
    let table = try run(["trial", "show", "0", "--study", "steer"]).output
    #expect(table.hasPrefix("trial 0: completed"))
    #expect(try object(try run(["trial", "show", "0", "--study", "steer", "--format", "json"]).output)["trial"] != nil)
    #expect(try object(try run(["study", "show", "steer", "--format", "json"]).output)["hypervolumeHistory"] != nil)
    _ = try run(["trial", "list", "steer", "--state", "bogus"], status: 2)
  }

  @Test("pause, resume, export, delete") func study() throws {
    try makeStudy()
    _ = try run(["study", "pause", "steer"])
    #expect(try run(["study", "show", "steer", "--format", "json"]).output.contains("\"state\""))
    _ = try run(["study", "resume", "steer"])
    _ = try run(["study", "export", "steer", "--output", path("copy")])
    // A folder beside the working directory is found by its plain name, too.
    #expect(try run(["study", "show", "copy"]).output.contains("2 of 2"))
    _ = try run(["study", "export", "steer", "--output", path("copy")], status: 4)
    _ = try run(["study", "delete", "steer"], status: 6)
    _ = try run(["study", "delete", "steer", "--yes"])
    _ = try run(["study", "show", "steer"], status: 3)
    #expect(try FileManager.default.contentsOfDirectory(atPath: path("runs/.deleted")).count == 1)
  }
}
