import ArgumentParser
import Console
import Experiment
import Foundation
import Report
import Study
import Transport
import WireProtocol
import Worker

struct WorkerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "worker", abstract: "Take trials from a coordinator, one at a time, until the study is over.",
    usage: """
      engram worker STUDY.yaml --connect tcp://HOST:PORT [--device cpu|cuda:N | --gpus all] (all options: engram worker run --help)
      engram worker list [STUDY]
      engram worker reinstate NAME [--study STUDY]
      """,
    discussion: """
      The study's file is read here too: base and data are found by this machine's own paths, and their fingerprints must \
      agree with the study's. SIGTERM, SIGINT and SIGUSR1 give the trial back; a second signal ends at once. The worker \
      reconnects for ever, or with --give-up-after until nobody has answered for so long. Exit status: 0 the study is \
      over, 75 stopped by a signal or given up, 6 refused, 1 cannot work.
      """,
    subcommands: [RunCommand.self, ListCommand.self, ReinstateCommand.self], defaultSubcommand: RunCommand.self)
}

extension WorkerCommand {
  /// The devices that `--gpus` (all, 0,2) or `--device` (cpu, or a list) name.
  static func devices(gpus: String?, device: String) throws -> [GPUDevice] {
    if let gpus {
      do {
        return try GPUDiscovery.devices(gpus, .read())
      } catch let failure as GPUDiscovery.Failure {
        throw CommandError(.refused, failure.description)
      }
    }
    let listed = device.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard !listed.contains("") else { throw CommandError(.usage, "--device \(device): an entry is empty") }
    return listed.enumerated().map { index, device in
      let isRepeated = listed.count { $0 == device } > 1
      return GPUDevice(device: device, label: isRepeated ? "\(device).\(index)" : device)
    }
  }

  struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "run", abstract: "Work (what engram worker STUDY.yaml does).",
      discussion: """
        One worker uses one device. --gpus all (or --gpus 0,2) starts one worker process per GPU, each named HOST/cuda:N, \
        with its lines prefixed [cuda:N]; --device cpu,cpu does the same on the CPU. This process then only watches over \
        them: signals are passed on, a worker that dies is started again. GPUs are numbered as CUDA does, among \
        CUDA_VISIBLE_DEVICES.
        """)

    @Argument(help: "The study's file.") var study: String
    @Option(help: "The coordinator's address: tcp://HOST:PORT or ipc://PATH.") var connect: String
    @Option(help: "Folder of keys (default: ~/.config/engram/keys); needed for TCP.") var keys: String?
    @Option(help: "Name of this worker's key pair in that folder.") var key: String = "worker"
    @Option(
      help: ArgumentHelp(
        "Name of the worker, stable across restarts; no two at a time have the same (default: HOST/DEVICE-XXXX, the digits "
          + "from its state folder; under Slurm HOST/DEVICE/slurm-JOB_TASK); of several: NAME/DEVICE."))
    var name: String?
    @Option(help: "cpu or cuda:N; a list such as cpu,cpu starts one worker for each.") var device: String = "cpu"
    @Option(help: "One worker per GPU: all, or numbers such as 0,2.") var gpus: String?
    @Option(help: "Threads of the trainer (default: all cores, shared among several workers).") var threads: Int?
    @Option(
      help: ArgumentHelp(
        "Most of the device's memory that a worker uses, its base included; what needs more is refused before it trains "
          + "(default: what is free on a GPU, what the machine has on the CPU).", valueName: "GiB"))
    var memory: Double?
    @Option(help: "Folder of this worker's state (default: ~/.local/state/engram/STUDY/NAME, without the digits).")
    var state: String?
    @Option(
      help: "Leave when no coordinator has answered for so many minutes and no trial is under way (default: never).")
    var giveUpAfter: Double?
    @Option(
      help: ArgumentHelp(
        "Most MiB of the trainer's log in the state folder; at half of it a new one begins and the old one is kept as "
          + "trainer.log.1 (default: 64).", valueName: "MiB"))
    var logSize: Double?
    @Flag(help: "Leave when the process that started this one is gone.") var exitWithParent = false

    func validate() throws {
      if let threads, threads < 1 { throw ValidationError("--threads must be at least 1") }
      if let giveUpAfter, !(giveUpAfter > 0 && giveUpAfter < 1e6) {
        throw ValidationError("--give-up-after is a number of minutes above 0")
      }
      if let logSize, !(logSize >= 0.01 && logSize < 1e6) {
        throw ValidationError("--log-size is a number of MiB from 0.01, such as 64")
      }
      if let memory, !(memory > 0 && memory < 1e6) {
        throw ValidationError("--memory is a number of GiB above 0, such as 40 or 0.5")
      }
      if gpus != nil, device != "cpu" { throw ValidationError("give either --gpus or --device") }
    }

    func run() async throws {
      if exitWithParent { ParentWatch.start { _exit(ExitStatus.temporary.rawValue) } }
      Terminal.detachErrors()
      if let members = try members() {
        let labels = members.map(\.label).joined(separator: ", ")
        Terminal.printError("\(members.count) workers: \(labels)")
        throw ExitCode(await WorkerFleet(members) { Terminal.printError(PrintableText.line($0)) }.run())
      }
      throw ExitCode(try await work().exitStatus)
    }

    private static var host: String { ProcessInfo.processInfo.hostName }

    // MARK: Several

    /// The workers to start as processes of their own; nil where this process is the worker.
    private func members() throws -> [WorkerFleet.Member]? {
      let devices = try WorkerCommand.devices(gpus: gpus, device: device)
      // A GPU of a list is one for a process that is watched over, even when it is the only one.
      guard devices.count > 1 || gpus != nil else { return nil }
      let cores = ProcessInfo.processInfo.activeProcessorCount
      let configuration = try StudyConfiguration(contentsOf: URL(fileURLWithPath: study))
      return try devices.map { device in
        let own = try WorkerName(
          given: name.map { "\($0)/\(device.label)" }, state: state.map { "\($0)/\(device.label)" },
          study: configuration.name, host: Self.host, label: device.label)
        var arguments = [
          "worker", "run", study, "--connect", connect, "--key", key, "--device", device.device, "--name", own.name,
          "--state", own.folder.path, "--threads", "\(threads ?? max(1, cores / devices.count))",
          "--exit-with-parent",
        ]
        if let keys { arguments += ["--keys", keys] }
        if let memory { arguments += ["--memory", "\(memory)"] }
        if let logSize { arguments += ["--log-size", "\(logSize)"] }
        if let giveUpAfter { arguments += ["--give-up-after", "\(giveUpAfter)"] }
        let environment = ProcessInfo.processInfo.environment.merging(device.environment) { $1 }
          .merging([ParentWatch.variable: "\(ProcessInfo.processInfo.processIdentifier)"]) { $1 }
        return WorkerFleet.Member(label: device.label, arguments: arguments, environment: environment)
      }
    }

    // MARK: One

    /// Bytes.
    private var memoryLimit: Int? { memory.map { Int($0 * Double(1 << 30)) } }

    private func work() async throws -> WorkerEnd {
      try DescriptorLimit.check("engram worker")
      let prepared = try PreparedStudy.prepare(path: study, threads: threads) { step in
        switch step {
        case .note(let text): Terminal.printError(text)
        case .warning(let text): Terminal.printError("warning: \(text)")
        case .progress: break
        }
      }
      let host = Self.host
      let own = try WorkerName(
        given: name, state: state, study: prepared.configuration.name, host: host, label: device)
      let worker = own.name
      let hello = Hello(
        worker: worker, incarnation: own.incarnation(), study: prepared.configuration.name,
        build: "engram \(BuildInformation.version)", fingerprints: Fingerprints(prepared.fingerprints), host: host,
        device: device, pid: Int(ProcessInfo.processInfo.processIdentifier),
        capabilities: Capabilities(
          memoryBytes: min(Devices.memoryBytes(of: device), memoryLimit.map(Int64.init) ?? .max),
          cores: ProcessInfo.processInfo.activeProcessorCount,
          evaluator: prepared.configuration.evaluator.kind.rawValue))
      var arguments = ["trainer", prepared.file.path, "--device", device]
      if let threads { arguments += ["--threads", "\(threads)"] }
      if let memoryLimit { arguments += ["--memory-limit", "\(memoryLimit)"] }
      var settings = WorkerSettings(
        hello: hello, trainer: TrainerLaunch(arguments: arguments),
        stateFolder: own.folder, endpoint: connect)
      settings.deviceStatus = Devices.status(of: device)
      settings.hangTimeout = .seconds(prepared.configuration.coordinator.watchdogSeconds)
      settings.giveUpAfter = giveUpAfter.map { .seconds($0 * 60) }
      if let logSize { settings.trainerLogBytes = Int(logSize * Double(1 << 20)) }
      settings.ownsProcess = true
      let endpoint = try Endpoint(connect)
      let transport = try ZeroMQClient(
        connect: endpoint, identity: hello.incarnation, security: try security(for: endpoint))
      let connection = ConnectionHint(endpoint, key: key)
      let runtime = try WorkerRuntime(settings: settings, transport: transport) { note in
        connection.observe(note)
        Terminal.printError(PrintableText.line("\(Date().formatted(.iso8601)) \(note)"))
      }
      let end = await runtime.run()
      Terminal.printError("worker \(worker): \(Self.text(end))")
      return end
    }

    private static func text(_ end: WorkerEnd) -> String {
      switch end {
      case .stopped(let signal): "stopped by \(signal)"
      case .drained(let why): why
      case .refused(let refusal): "refused: \(refusal.message)"
      case .unavailable(let why), .gaveUp(let why): why
      }
    }

    private func security(for endpoint: Endpoint) throws -> ZeroMQClient.Security {
      guard case .tcp = endpoint else { return .none }
      let store = KeyStore(folder: keys.map { URL(fileURLWithPath: $0, isDirectory: true) })
      return .curve(try store.pair(name: key), server: try store.publicKey(name: "server"))
    }
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
  @Option(help: "Most bytes of the device's memory.") var memoryLimit: Int?

  func run() throws {
    let file = URL(fileURLWithPath: study)
    let configuration = try StudyConfiguration(contentsOf: file)
    let evaluator = try PreparedStudy.evaluator(
      configuration, file: file, device: device, threads: threads, memoryLimit: memoryLimit)
    throw ExitCode(Self.serve(evaluator))
  }

  private static func serve(_ evaluator: some TrialEvaluator) -> Int32 { TrainerMain.run(evaluator: evaluator) }
}
