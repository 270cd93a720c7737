import BayesianOptimization
import Foundation
import Study
import StudyDatabase
import TestSupport
import Testing

/// Configurations that a worker's memory does not suffice for, through real processes: coordinator, worker, trainer.
@Suite("Infeasible configurations", .ownThread, .bounded)
struct InfeasibleTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder("engram-infeasible") }

  private func path(_ name: String) -> String { folder.url.appendingPathComponent(name).path }
  private var environment: [String: String] {
    ["ENGRAM_RUNS": path("runs"), "XDG_STATE_HOME": path("state"), "XDG_CACHE_HOME": path("cache")]
  }

  private func write(_ name: String, _ text: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path(name)))
  }

  /// A base of three layers, 32 wide: a LoRA of rank r takes 5 r kB on one layer while it trains.
  private func writeStudy(_ name: String, learns: Bool = true) throws -> String {
    let users = (0..<3).map {
      "{\"id\":\"u\($0)\",\"profile\":{\"city\":\"Oslo\"},\"history\":[{\"kind\":\"post\",\"text\":\"hello \($0)\"}]}"
    }
    let samples = (0..<12).map {
      "{\"id\":\"s\($0)\",\"user\":\"u\($0 % 3)\",\"query\":\"where \($0)?\",\"response\":\"Oslo\"}"
    }
    try write("users.jsonl", users.joined(separator: "\n"))
    try write("samples.jsonl", samples.joined(separator: "\n"))
    try write(
      "\(name).yaml",
      """
      study: {name: \(name), budget: 18, seed: 3}
      space: {count: {min: 0, max: 64}, ranks: [2, 4, 16]}
      sampler: {initial: 9, schedule: short, feasibility: \(learns)}
      base: {path: \(Fixtures.url("goldens/lm/models/gpt2").path), precision: f32}
      data: {users: users.jsonl, samples: samples.jsonl}
      training: {epochs: 2, batch: 4, learningRate: 2e-2, maxLength: 48}
      instructionTuning: {mode: none}
      evaluation: {maxNewTokens: 2, samples: 2}
      coordinator: {heartbeat: 500 ms, lease: 10 s}
      """)
    return path("\(name).yaml")
  }

  /// The search trials of a whole study by one worker with about 1 MB for what trains, and the sampler's observations.
  private func search(_ name: String, learns: Bool) throws -> (trials: [Trial], observations: [Observation]) {
    let study = try writeStudy(name, learns: learns)
    let address = "ipc://\(path("s-\(name)"))"
    let coordinator = try EngramProcess.start(["coordinator", study, "--bind", address], environment: environment)
    let worker = try EngramProcess.start(
      ["worker", study, "--connect", address, "--memory", "0.001", "--name", "small-\(name)", "--threads", "1"],
      environment: environment)
    defer { for process in [coordinator, worker] where process.isRunning { process.terminate() } }
    let end = EngramProcess.finish(coordinator)
    #expect(end.status == 0, "\(end.errors)")
    let work = EngramProcess.finish(worker)
    #expect(work.status == 0, "\(work.errors)")
    let store = try SQLiteStudyStore(StudyFolder(URL(fileURLWithPath: path("runs/\(name)"), isDirectory: true)))
    let record = try store.load()
    for trial in record.trials where trial.state == .infeasible {
      #expect(try store.reports(trial: trial.number).isEmpty, "a step was trained")
    }
    try store.close()
    return (
      record.trials.filter { $0.kind == .search },
      StudyState(record: record, policy: StudyPolicy(failingAfter: 1000)).observations
    )
  }

  @Test("the worker refuses before it trains, nothing is tried again, and the search learns it") func refusal() throws {
    let (trials, observations) = try search("tight", learns: true)
    #expect(trials.count == 18 && trials.allSatisfy { $0.state == .infeasible || $0.state == .completed })
    let infeasible = trials.filter { $0.state == .infeasible }
    for trial in infeasible {
      #expect(trial.attempts.count == 1 && trial.attempts[0].state == .failed, "tried again")
      let failure = try #require(trial.failure)
      #expect(failure.failureClass == .outOfMemory)
      // By the estimate, not by an allocation that failed.
      #expect(failure.message.contains("this configuration is too large for cpu"), "\(failure.message)")
      #expect(failure.message.contains("beside the base"))
      #expect(failure.nextStep?.contains("smaller rank") == true)
      #expect(failure.deviceBytes == Int64(0.001 * Double(1 << 30)))
    }
    // The sampler sees each as what it is.
    let seen = observations.filter { $0.outcome == .outOfMemory }.map(\.configuration)
    #expect(seen == infeasible.sorted { ($0.endedEvent ?? 0) < ($1.endedEvent ?? 0) }.map(\.configuration))
    // More memory means a lower loss here, so that proposals run into the limit unless the limit is learned.
    func count(_ trials: some Sequence<Trial>) -> Int { trials.count { $0.state == .infeasible } }
    #expect(count(trials.prefix(9)) >= 2, "the initial design does not reach the limit")
    #expect(count(trials.suffix(9)) <= 2, "\(trials.suffix(9).map { "\($0.configuration) \($0.state)" })")
    let (blind, _) = try search("blind", learns: false)
    #expect(blind.prefix(9).map(\.state) == trials.prefix(9).map(\.state))
    #expect(count(blind.suffix(9)) >= 5, "\(blind.suffix(9).map { "\($0.configuration) \($0.state)" })")
  }

  @Test("a base that does not fit is told once") func base() throws {
    let study = try writeStudy("base")
    let address = "ipc://\(path("b"))"
    let coordinator = try EngramProcess.start(
      ["coordinator", study, "--bind", address], environment: environment)
    defer { if coordinator.isRunning { coordinator.terminate() } }
    let worker = try EngramProcess.run(
      ["worker", study, "--connect", address, "--memory", "0.000001", "--name", "tiny"],
      environment: environment)
    #expect(worker.status == 1, "\(worker.errors)")
    #expect(worker.errors.contains("the base cannot be loaded"), "\(worker.errors)")
    #expect(worker.errors.contains("--memory"))
    for wrong in ["0", "-1", "x"] {
      #expect(
        try EngramProcess.run(
          ["worker", study, "--connect", address, "--memory", wrong], environment: environment
        ).status == 2)
    }
  }
}
