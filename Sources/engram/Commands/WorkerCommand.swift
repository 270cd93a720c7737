import ArgumentParser
import Foundation
import Study
import Transport
import WireProtocol
import Worker

struct WorkerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "worker", abstract: "Take trials from a coordinator, one at a time, until the study is over.",
    discussion: """
      The study's file is read here too: base and data are found by this machine's own paths, and their fingerprints must \
      agree with the study's. SIGTERM, SIGINT and SIGUSR1 give the trial back; a second signal ends at once. The worker \
      reconnects for ever. Exit status: 0 the study is over, 75 stopped by a signal, 6 refused, 1 cannot work.
      """)

  @Argument(help: "The study's file.") var study: String
  @Option(help: "The coordinator's address: tcp://HOST:PORT or ipc://PATH.") var connect: String
  @Option(help: "Folder of keys (default: ~/.config/engram/keys); needed for TCP.") var keys: String?
  @Option(help: "Name of this worker's key pair in that folder.") var key: String = "worker"
  @Option(help: "Name of the worker, stable across restarts (default: HOST/DEVICE).") var name: String?
  @Option(help: "cpu.") var device: String = "cpu"
  @Option(help: "Threads of the trainer (default: all cores).") var threads: Int?
  @Option(help: "Folder of this worker's state (default: ~/.local/state/engram/STUDY/NAME).") var state: String?
  @Flag(help: "Leave when the process that started this one is gone.") var exitWithParent = false

  func validate() throws {
    if let threads, threads < 1 { throw ValidationError("--threads must be at least 1") }
  }

  func run() async throws {
    if exitWithParent { ParentWatch.start { _exit(ExitStatus.temporary.rawValue) } }
    let prepared = try PreparedStudy.prepare(path: study, threads: threads) { step in
      if case .note(let text) = step { Terminal.printError(text) }
    }
    let host = ProcessInfo.processInfo.hostName
    let worker = name ?? "\(host)/\(device)"
    var hello = Hello(
      worker: worker, incarnation: UUID().uuidString, study: prepared.configuration.name,
      build: "engram \(BuildInformation.version)", fingerprints: Fingerprints(prepared.fingerprints), host: host,
      device: device, pid: Int(ProcessInfo.processInfo.processIdentifier),
      capabilities: Capabilities(
        memoryBytes: Devices.memoryBytes, cores: ProcessInfo.processInfo.activeProcessorCount,
        evaluator: prepared.configuration.evaluator.kind.rawValue))
    hello.incarnation = UUID().uuidString
    var arguments = ["trainer", prepared.file.path, "--device", device]
    if let threads { arguments += ["--threads", "\(threads)"] }
    var settings = WorkerSettings(
      hello: hello, trainer: TrainerLaunch(arguments: arguments),
      stateFolder: try stateFolder(study: prepared.configuration.name, worker: worker), endpoint: connect)
    settings.hangTimeout = .seconds(prepared.configuration.coordinator.watchdogSeconds)
    let endpoint = try Endpoint(connect)
    let transport = try ZeroMQClient(
      connect: endpoint, identity: hello.incarnation, security: try security(for: endpoint))
    let connection = ConnectionHint(endpoint, key: key)
    let runtime = try WorkerRuntime(settings: settings, transport: transport) { note in
      connection.observe("\(note)")
      Terminal.printError("\(Date().formatted(.iso8601)) \(note)")
    }
    let end = await runtime.run()
    Terminal.printError("worker \(worker): \(Self.text(end))")
    throw ExitCode(end.exitStatus)
  }

  private static func text(_ end: WorkerEnd) -> String {
    switch end {
    case .stopped(let signal): "stopped by \(signal)"
    case .drained(let why): why
    case .refused(let refusal): "refused: \(refusal.message)"
    case .unavailable(let why): why
    }
  }

  private func stateFolder(study: String, worker: String) throws -> URL {
    let folder: URL
    if let state {
      folder = URL(fileURLWithPath: state, isDirectory: true)
    } else {
      let environment = ProcessInfo.processInfo.environment
      let root =
        environment["XDG_STATE_HOME"].map { URL(fileURLWithPath: $0, isDirectory: true) }
        ?? FileManager.default.homeDirectoryForCurrentUser.appendingPathComponent(".local/state")
      let safe = worker.map { $0.isLetter || $0.isNumber || "._-".contains($0) ? $0 : "_" }
      folder = root.appendingPathComponent("engram/\(study)/\(String(safe))", isDirectory: true)
    }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder
  }

  private func security(for endpoint: Endpoint) throws -> ZeroMQClient.Security {
    guard case .tcp = endpoint else { return .none }
    let store = KeyStore(folder: keys.map { URL(fileURLWithPath: $0, isDirectory: true) })
    return .curve(try store.pair(name: key), server: try store.publicKey(name: "server"))
  }
}

/// The process that trains: started by a worker, speaks JSON lines with it.
struct TrainerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trainer", abstract: "Evaluate trials for a worker (JSON lines on standard input and output).",
    shouldDisplay: false)

  @Argument(help: "The study's file.") var study: String
  @Option(help: "cpu.") var device: String = "cpu"
  @Option(help: "Threads (default: all cores).") var threads: Int?

  func run() throws {
    let file = URL(fileURLWithPath: study)
    let configuration = try StudyConfiguration(contentsOf: file)
    let evaluator = try PreparedStudy.evaluator(configuration, file: file, device: device, threads: threads)
    throw ExitCode(Self.serve(evaluator))
  }

  private static func serve(_ evaluator: some TrialEvaluator) -> Int32 { TrainerMain.run(evaluator: evaluator) }
}
