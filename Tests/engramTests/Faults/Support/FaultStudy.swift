import BayesianOptimization
import Foundation
import Study
import StudyDatabase
import TestSupport

/// A study of test functions in a folder of its own, with the processes that fault tests start for it.
final class FaultStudy {
  struct Options {
    var seed: UInt64 = 5
    var budget = 40
    /// Seconds of a trial in real workers.
    var seconds = 0.2
    var heartbeat = 0.5
    var lease = 2.0
    /// Lines of the sampler's section.
    var sampler = "name: random, initial: 2"
    var attempts = 3
    /// Where studies live; inside the temporary folder when nil.
    var runs: URL?
  }

  static let problemName = "sparse34"

  let folder: TemporaryFolder
  let name: String
  let options: Options
  let file: URL
  let configuration: StudyConfiguration
  private var starts = 0
  /// The study as it was seen last.
  private var view: (observer: StudyObserver, record: StudyRecord)?

  init(_ name: String, _ options: Options = Options()) throws {
    self.name = name
    self.options = options
    folder = try TemporaryFolder("engram-\(name)")
    file = folder.url.appendingPathComponent("\(name).yaml")
    let text = """
      study: {name: \(name), seed: \(options.seed), budget: \(options.budget)}
      sampler: {\(options.sampler)}
      evaluator: {name: analytic, problem: \(Self.problemName), seconds: \(options.seconds)}
      coordinator: {heartbeat: \(Int(options.heartbeat * 1000)) ms, lease: \(Int(options.lease * 1000)) ms, \
      attempts: \(options.attempts)}
      """
    try Data(text.utf8).write(to: file)
    configuration = try StudyConfiguration(contentsOf: file)
  }

  func path(_ name: String) -> String { folder.url.appendingPathComponent(name).path }

  var runs: URL { options.runs ?? folder.url.appendingPathComponent("runs", isDirectory: true) }
  var studyFolder: StudyFolder { StudyFolder(runs.appendingPathComponent(name, isDirectory: true)) }
  /// Address of the coordinator where a test does not choose another.
  var endpoint: String { "ipc://\(path("s"))" }

  /// Starts the coordinator.
  func coordinator(
    _ environment: [String: String] = [:], bind: String? = nil, more: [String] = [], launcher: [String] = []
  ) throws -> FaultProcess {
    starts += 1
    return try FaultProcess(
      ["coordinator", file.path, "--bind", bind ?? endpoint, "--runs", runs.path, "--threads", "1"] + more,
      environment: environment, log: folder.url.appendingPathComponent("coordinator-\(starts).log"),
      launcher: launcher)
  }

  /// Starts a real worker process with its trainer.
  func worker(
    _ name: String, _ environment: [String: String] = [:], connect: String? = nil, more: [String] = [],
    launcher: [String] = []
  ) throws -> FaultProcess {
    try FaultProcess(
      [
        "worker", file.path, "--connect", connect ?? endpoint, "--name", name, "--threads", "1", "--state",
        path("state-\(name)"),
      ] + more,
      environment: environment, log: folder.url.appendingPathComponent("worker-\(name).log"), launcher: launcher)
  }

  /// What the coordinators printed, one after the other.
  var coordinatorLogs: String {
    guard starts > 0 else { return "" }
    return (1...starts).map { (try? String(contentsOfFile: path("coordinator-\($0).log"), encoding: .utf8)) ?? "" }
      .joined()
  }

  /// Every result that a real worker saw accepted, by its own log, is the result of its trial.
  func checkWorkerLogs(_ run: FaultRun, _ names: [String]) throws {
    let attempts = try record().trials.flatMap(\.attempts)
    var checked = 0
    for name in names {
      let text = (try? String(contentsOfFile: path("worker-\(name).log"), encoding: .utf8)) ?? ""
      var trials: [String: String] = [:]
      var finished: Set<String> = []
      for line in text.split(separator: "\n") {
        let words = line.split(separator: " ").map(String.init)
        if words.count > 4, words[1] == "trial", words[3] == "(attempt" {
          trials[words[2]] = String(words[4].prefix { $0.isNumber })
        } else if words.count > 4, words[1] == "trial", words[4] == "finished", let token = trials[words[2]] {
          finished.insert(token)
        } else if words.count > 8, words[1] == "outcome", words[8] == "accepted", finished.contains(words[4]) {
          checked += 1
          let attempt = attempts.first { "\($0.token)" == words[4] }
          run.check(
            attempt?.state == .succeeded,
            "\(name) saw attempt \(words[4]) accepted; it is \(attempt?.state.rawValue ?? "missing")")
        }
      }
    }
    run.check(checked > 0, "the workers' logs name no accepted result")
    run.note("\(checked) results accepted by the workers' own logs")
  }

  func observer() throws -> StudyObserver { try StudyObserver(studyFolder) }

  func record() throws -> StudyRecord { try observer().load() }

  func events() throws -> [StudyEvent] { try observer().events(after: 0, limit: .max) }

  /// Finished trials as far as committed; 0 while there is no study yet.
  ///
  /// Asked many times a second: only what is new is read, however long the study has become.
  var finished: Int {
    do {
      if let observer = view?.observer, let last = view?.record.header.lastEvent {
        view?.record.apply(try observer.changes(since: last))
      } else {
        let observer = try observer()
        view = (observer, try observer.load())
      }
      return view?.record.trials.count { $0.state == .completed } ?? 0
    } catch {
      view = nil
      return 0
    }
  }

  /// The history checker on what is stored, and the analytic results recomputed bit by bit.
  ///
  /// - Parameter acknowledged: what workers' own logs say was acknowledged.
  func problems(acknowledged: [AttemptToken: TrialResult] = [:], expectsEnd: Bool = true) throws -> [String] {
    let observer = try observer()
    var checker = HistoryChecker(
      policy: StudyPolicy(
        objectives: configuration.objectives, sampler: configuration.sampler, maxCountedAttempts: options.attempts),
      expectsEnd: expectsEnd)
    checker.acknowledged = acknowledged
    var problems = try checker.check(observer).map(\.description)
    problems += try observer.integrityProblems()
    guard let problem = AnalyticProblem.named(Self.problemName) else { throw FaultTestError("no test function") }
    for trial in try observer.load().trials where trial.state == .completed {
      let expected = try problem.observe(trial.configuration, seed: trial.seed, index: 0)
      if trial.result?.objectives != expected { problems.append("trial \(trial.number) has a foreign result") }
    }
    return problems
  }
}
