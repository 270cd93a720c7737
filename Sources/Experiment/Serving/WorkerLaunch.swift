import Foundation
import Foundations
import Processes
import Report
import Study
import Transport
import WireProtocol
import Worker

/// How `engram worker` was asked to work: as one worker, or as several that are watched over.
package struct WorkerLaunch: Sendable {
  /// The study's file.
  package var study: String
  /// The coordinator's address.
  package var connect: String
  /// Folder of keys, and the name of this worker's pair in it.
  package var keys: String?
  package var key: String
  package var name: String?
  /// A device or a list of them, or GPUs as `--gpus` names them.
  package var device: String
  package var gpus: String?
  package var threads: Int?
  /// Folder of what is not acknowledged yet.
  package var state: String?
  /// Most GiB of the device's memory.
  package var memory: Double?
  /// Most MiB of the trainer's log.
  package var logSize: Double?
  /// Minutes without a coordinator after which the worker leaves.
  package var giveUpAfter: Double?

  package init(
    study: String, connect: String, keys: String?, key: String, name: String?, device: String, gpus: String?,
    threads: Int?, state: String?, memory: Double?, logSize: Double?, giveUpAfter: Double?
  ) {
    self.study = study
    self.connect = connect
    self.keys = keys
    self.key = key
    self.name = name
    self.device = device
    self.gpus = gpus
    self.threads = threads
    self.state = state
    self.memory = memory
    self.logSize = logSize
    self.giveUpAfter = giveUpAfter
  }

  private static var host: String { ProcessInfo.processInfo.hostName }

  /// The workers to start as processes of their own; nil where this process is the worker.
  package func members() throws -> [Supervisor.Member]? {
    let devices = try Devices.workers(gpus: gpus, device: device)
    // A GPU of a list is one for a process that is watched over, even when it is the only one.
    guard devices.count > 1 || gpus != nil else { return nil }
    let configuration = try StudyConfiguration(contentsOf: URL(fileURLWithPath: study))
    return try devices.map { try member($0, of: devices.count, study: configuration.name) }
  }

  private func member(_ device: GPUDevice, of count: Int, study name: String) throws -> Supervisor.Member {
    let own = try WorkerName(
      given: self.name.map { "\($0)/\(device.label)" }, state: state.map { "\($0)/\(device.label)" },
      study: name, host: Self.host, label: device.label)
    let cores = ProcessInfo.processInfo.activeProcessorCount
    var arguments = [
      "worker", "run", study, "--connect", connect, "--key", key, "--device", device.device, "--name", own.name,
      "--state", own.folder.path, "--threads", "\(threads ?? max(1, cores / count))", "--exit-with-parent",
    ]
    if let keys { arguments += ["--keys", keys] }
    if let memory { arguments += ["--memory", "\(memory)"] }
    if let logSize { arguments += ["--log-size", "\(logSize)"] }
    if let giveUpAfter { arguments += ["--give-up-after", "\(giveUpAfter)"] }
    return Supervisor.Member(label: device.label, arguments: arguments, environment: device.environment)
  }

  // MARK: One

  /// Bytes.
  private var memoryLimit: Int? { memory.map { Int($0 * Double(1 << 30)) } }

  /// Works until the study is over or the worker is stopped.
  ///
  /// - Parameter say: takes what the operator should read.
  package func work(say: @escaping @Sendable (String) -> Void) async throws -> WorkerEnd {
    try DescriptorLimit.check("engram worker")
    let prepared = try PreparedStudy.prepare(path: study, threads: threads) { step in
      switch step {
      case .note(let text): say(text)
      case .warning(let text): say("warning: \(text)")
      case .progress: break
      }
    }
    let own = try WorkerName(
      given: name, state: state, study: prepared.configuration.name, host: Self.host, label: device)
    let settings = settings(prepared, own)
    let endpoint = try Endpoint(connect)
    let transport = try ZeroMQClient(
      connect: endpoint, identity: settings.hello.incarnation,
      security: try ZeroMQClient.Security(for: endpoint, keys: keys, key: key))
    let connection = ConnectionHint(endpoint, key: key, say: say)
    let runtime = try WorkerRuntime(settings: settings, transport: transport) { note in
      connection.observe(note)
      say(PrintableText.line("\(Date().formatted(.iso8601)) \(note)"))
    }
    let end = await runtime.run()
    say("worker \(own.name): \(Self.text(end))")
    return end
  }

  private func settings(_ prepared: PreparedStudy, _ own: WorkerName) -> WorkerSettings {
    let hello = Hello(
      worker: own.name, incarnation: own.incarnation(), study: prepared.configuration.name,
      build: "engram \(BuildInformation.version)", fingerprints: Fingerprints(prepared.fingerprints), host: Self.host,
      device: device, pid: Int(ProcessInfo.processInfo.processIdentifier),
      capabilities: Capabilities(
        memoryBytes: min(Devices.memoryBytes(of: device), memoryLimit.map(Int64.init) ?? .max),
        cores: ProcessInfo.processInfo.activeProcessorCount,
        evaluator: prepared.configuration.evaluator.kind.rawValue))
    var arguments = ["trainer", prepared.file.path, "--device", device]
    if let threads { arguments += ["--threads", "\(threads)"] }
    if let memoryLimit { arguments += ["--memory-limit", "\(memoryLimit)"] }
    var settings = WorkerSettings(
      hello: hello, trainer: TrainerLaunch(arguments: arguments), stateFolder: own.folder, endpoint: connect)
    settings.deviceStatus = Devices.status(of: device)
    settings.hangTimeout = .seconds(prepared.configuration.coordinator.watchdogSeconds)
    settings.giveUpAfter = giveUpAfter.map { .seconds($0 * 60) }
    if let logSize { settings.trainerLogBytes = Int(logSize * Double(1 << 20)) }
    settings.ownsProcess = true
    return settings
  }

  private static func text(_ end: WorkerEnd) -> String {
    switch end {
    case .stopped(let signal): "stopped by \(signal)"
    case .drained(let why): why
    case .refused(let refusal): "refused: \(refusal.message)"
    case .unavailable(let why), .gaveUp(let why): why
    }
  }
}
