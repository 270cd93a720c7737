import BayesianOptimization
import Console
import Coordinator
import Experiment
import Foundation
import Foundations
import Logging
import Processes
import Study
import StudyDatabase
import Synchronization
import Transport
import WireProtocol
import Worker

/// One study with a real coordinator, a database on disk and a swarm of workers in a process of its own.
struct ClusterBench {
  static let studyName = "bench-cluster"
  static let fingerprints = ["base": "bench", "data": "bench", "settings": "bench"]

  var workers: Int
  var trials: Int
  var seconds: Double
  /// Time over which the workers arrive.
  var ramp: Double
  var isTCP: Bool
  var echoMessages: Int
  var sampler: SamplerSettings.Kind
  /// Ends the study after this time; for soaks.
  var limit: Duration?
  /// Where the database lies; removed afterwards unless it is kept.
  var folder: URL
  var isKept = false

  struct Echo: Encodable {
    var messages: Int
    var messagesPerSecond: Double
  }

  struct Result: Encodable {
    var transport: String
    var workers: Int
    var trials: Int
    var trialSeconds: Double
    var rampSeconds: Double
    var seconds: Double
    var trialsPerSecond: Double
    var swarm: AnalyticSwarm.Report
    var messagesPerSecond: Double
    var echo: Echo?
    var commits: Int
    var stepsPerCommit: Double
    var commitsPerSecond: Double
    var stepsPerSecond: Double
    var commitMilliseconds: Double
    var slowestCommitMilliseconds: Double
    var processorSeconds: Double
    var peakMegabytes: Double
    var databaseMegabytes: Double
    /// What the history checker found; empty if all is well.
    var findings: [String]
    /// Every 5 seconds.
    var gauges: [ProcessGauges]
  }

  func run() async throws -> Result {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    // What is left of a folder that is only measured in harms nobody.
    defer { if !isKept { try? FileManager.default.removeItem(at: folder) } }
    let door = try Door(folder: folder, isTCP: isTCP)
    let echo = try echoMessages > 0 ? measureEcho(door) : nil
    guard let problem = AnalyticProblem.named("sparse34") else {
      throw CommandError(.unexpected, "no problem sparse34")
    }
    let base = try SQLiteStudyStore(
      StudyFolder(folder.appendingPathComponent("study", isDirectory: true)),
      beginning: (try definition(problem), trials))
    let store = MeasuredStore(base)
    let server = try ZeroMQServer(bind: door.endpoint, security: door.serverSecurity)
    let policy = self.policy(problem)
    let runner = try makeRunner(problem, store: store, server: server, policy: policy)
    let run = Task { try await runner.run() }
    // The measured time begins when a proposal lies ready for every worker.
    while await runner.state.queuedCount < min(workers, trials) { try await Task.sleep(for: .milliseconds(20)) }
    let before = (store.counts, ProcessGauges.now(), ContinuousClock.now)
    let swarm = try Child(
      [
        "swarm", "--connect", server.endpoint, "--workers", "\(workers)", "--seconds", "\(seconds)", "--ramp",
        "\(ramp)",
      ] + door.swarmArguments)
    let gauges = Task { await Self.watch() }
    _ = try await run.value
    let wall = before.2.duration(to: .now).seconds
    gauges.cancel()
    let report = try JSONDecoder().decode(AnalyticSwarm.Report.self, from: swarm.output())
    server.close()
    let after = (store.counts, ProcessGauges.now())
    let findings = try HistoryChecker(policy: policy, expectsEnd: limit == nil).check(base).map(\.description)
    try base.close()
    let commits = after.0.commits - before.0.commits
    let steps = after.0.steps - before.0.steps
    let commitSeconds = after.0.seconds - before.0.seconds
    return Result(
      transport: isTCP ? "tcp, CURVE" : "ipc", workers: workers, trials: report.trials, trialSeconds: seconds,
      rampSeconds: ramp,
      seconds: wall, trialsPerSecond: Double(report.trials) / wall, swarm: report,
      messagesPerSecond: Double(report.sent + report.received) / wall, echo: echo, commits: commits,
      stepsPerCommit: Double(steps) / Double(max(1, commits)), commitsPerSecond: Double(commits) / wall,
      stepsPerSecond: Double(steps) / wall, commitMilliseconds: 1000 * commitSeconds / Double(max(1, commits)),
      slowestCommitMilliseconds: 1000 * after.0.slowest,
      processorSeconds: after.1.processorSeconds - before.1.processorSeconds, peakMegabytes: after.1.peakMegabytes,
      databaseMegabytes: Self.megabytes(base.folder.database), findings: findings, gauges: await gauges.value)
  }

  private func definition(_ problem: AnalyticProblem) throws -> StudyDefinition {
    let text = try StudyConfiguration(
      yaml: "evaluator: {name: analytic, problem: sparse34}", file: "bench-cluster"
    ).canonicalText
    return StudyDefinition(
      name: Self.studyName, identifier: UUID().uuidString.lowercased(), seed: 1, objectives: problem.objectives,
      configurationText: text, fingerprints: Self.fingerprints, madeBy: "engram \(BuildInformation.version)")
  }

  private func policy(_ problem: AnalyticProblem) -> StudyPolicy {
    StudyPolicy(
      objectives: problem.objectives, sampler: SamplerSettings(kind: sampler, reference: .fixed(problem.reference)))
  }

  private func makeRunner(
    _ problem: AnalyticProblem, store: MeasuredStore, server: ZeroMQServer, policy: StudyPolicy
  ) throws -> StudyRunner {
    // A proposal for every worker lies ready, so that no answer waits for the sampler.
    var settings = CoordinatorSettings(build: "swarm", budget: trials, lookahead: workers)
    settings.timeLimit = limit
    let space = problem.space
    let logger = StudyLogHandler.logger(level: .error) { Terminal.printError($0) }
    return try StudyRunner(
      settings: settings, store: store,
      sampler: SamplerSettings(kind: sampler).makeSampler(space: space, objectives: problem.objectives),
      policy: policy, key: { space.identity(of: $0) }, transport: server, logger: logger)
  }

  private func measureEcho(_ door: Door) throws -> Echo {
    var child: Child?
    try ZeroMQEcho.serve(door.endpoint, protection: door.echoProtection, messages: workers + echoMessages) { bound in
      // A child that could not be started is an error below.
      child = try? Child(
        ["swarm", "--connect", bound, "--workers", "\(workers)", "--echo", "\(echoMessages)"] + door.swarmArguments)
    }
    guard let child else { throw CommandError(.unexpected, "the echo's process could not be started") }
    let seconds = try JSONDecoder().decode(Double.self, from: child.output())
    return Echo(messages: echoMessages, messagesPerSecond: 2 * Double(echoMessages) / seconds)
  }

  private static func watch() async -> [ProcessGauges] {
    var list: [ProcessGauges] = []
    while !Task.isCancelled {
      // Cancelled: the loop ends.
      try? await Task.sleep(for: .seconds(5))
      if !Task.isCancelled { list.append(.now()) }
    }
    return list
  }

  private static func megabytes(_ file: URL) -> Double {
    // 0 says that the file could not be looked at.
    let size = (try? FileManager.default.attributesOfItem(atPath: file.path)[.size] as? Int) ?? 0
    return Double(size) / 1e6
  }
}

extension ClusterBench {
  /// Where the coordinator listens, with its keys.
  struct Door {
    let endpoint: Endpoint
    let serverSecurity: ZeroMQServer.Security
    let echoProtection: ZeroMQEcho.Protection
    let swarmArguments: [String]

    init(folder: URL, isTCP: Bool) throws {
      guard isTCP else {
        endpoint = try Endpoint.local(studyFolder: folder)
        serverSecurity = .none
        echoProtection = .none
        swarmArguments = []
        return
      }
      let keys = KeyStore(folder: folder.appendingPathComponent("keys", isDirectory: true))
      let pair = try keys.generate(name: "server")
      let worker = try keys.generate(name: "worker")
      try keys.authorize(name: "worker", publicKey: worker.publicKey)
      endpoint = .tcp(host: "127.0.0.1", port: 0)
      serverSecurity = .curve(pair, authorizedFolder: keys.authorizedFolder)
      echoProtection = .curve(server: pair)
      swarmArguments = ["--keys", keys.folder.path]
    }
  }

  /// This program again; what it prints is its answer.
  final class Child: Sendable {
    private struct State {
      var output: [UInt8] = []
      var end: ProcessEnd?
    }
    private let state = Mutex(State())
    private let ended = DispatchSemaphore(value: 0)

    init(_ arguments: [String]) throws {
      _ = try ChildProcess(
        executable: OwnProgram.path, arguments: arguments,
        environment: ProcessInfo.processInfo.environment, ownGroup: false
      ) { [self] event in
        switch event {
        case .output(let line): state.withLock { $0.output += line }
        case .log(let line): Terminal.printError(line)
        case .ended(let end):
          state.withLock { $0.end = end }
          ended.signal()
        }
      }
    }

    /// Waits for the end and gives what was printed.
    func output() throws -> Data {
      ended.wait()
      let (output, end) = state.withLock { ($0.output, $0.end) }
      guard let end, end.status == 0 else {
        throw CommandError(
          .unexpected, "the swarm's process ended before its time: it \(end.map { "\($0)" } ?? "is lost")")
      }
      return Data(output)
    }
  }
}
