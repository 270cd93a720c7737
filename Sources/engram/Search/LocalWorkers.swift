import Foundation
import Synchronization
import Worker

/// Worker processes of `engram search` on this machine: started, started again when they die, stopped at the end.
final class LocalWorkers: Sendable {
  struct Launch: Sendable {
    var study: URL
    var endpoint: String
    var folder: URL
    var threads: Int
    /// Dealt out to the workers in turn; never empty.
    var devices: [GPUDevice]
  }

  private struct State {
    var processes: [Int: Process] = [:]
    var deaths: [Int: [Date]] = [:]
    var isStopping = false
    var failure: String?
  }

  private let launch: Launch
  private let count: Int
  private let note: @Sendable (String) -> Void
  private let onFailure: @Sendable () -> Void
  private let state = Mutex(State())

  /// - Parameters:
  ///   - note: takes what the operator should read.
  ///   - onFailure: called once when no worker can work; ``failure`` says why.
  init(
    _ launch: Launch, count: Int, note: @escaping @Sendable (String) -> Void,
    onFailure: @escaping @Sendable () -> Void
  ) {
    self.launch = launch
    self.count = count
    self.note = note
    self.onFailure = onFailure
  }

  /// Why no worker can work, if so.
  var failure: String? { state.withLock { $0.failure } }

  func start() throws {
    for index in 0..<count { try start(index) }
  }

  private func name(_ index: Int) -> String { "local/\(index)" }

  /// State folder of a worker of the study in `folder`.
  static func stateFolder(_ index: Int, of folder: URL) -> URL {
    folder.appendingPathComponent("workers/\(index)", isDirectory: true)
  }

  private func log(_ index: Int) -> URL { launch.folder.appendingPathComponent("logs/worker-\(index).log") }

  private func start(_ index: Int) throws {
    let process = Process()
    let device = launch.devices[index % launch.devices.count]
    process.executableURL = URL(fileURLWithPath: OwnProgram.path)
    process.arguments = [
      "worker", launch.study.path, "--connect", launch.endpoint, "--name", name(index), "--threads",
      "\(launch.threads)", "--device", device.device, "--state",
      Self.stateFolder(index, of: launch.folder).path, "--exit-with-parent",
    ]
    // The child leaves when this process is gone, even if that happens before it looks for its parent.
    process.environment = ProcessInfo.processInfo.environment.merging(device.environment) { $1 }.merging(
      [ParentWatch.variable: "\(ProcessInfo.processInfo.processIdentifier)"]) { $1 }
    try FileManager.default.createDirectory(
      at: log(index).deletingLastPathComponent(), withIntermediateDirectories: true)
    if !FileManager.default.fileExists(atPath: log(index).path) {
      _ = FileManager.default.createFile(
        atPath: log(index).path, contents: nil, attributes: [.posixPermissions: 0o600])
    }
    let output = try FileHandle(forWritingTo: log(index))
    try output.seekToEnd()
    process.standardOutput = output
    process.standardError = output
    process.standardInput = FileHandle.nullDevice
    process.terminationHandler = { [weak self] process in self?.ended(index, process) }
    try state.withLock { state in
      if state.isStopping { return }
      try process.run()
      state.processes[index] = process
    }
  }

  /// Deaths of one worker within a minute after which it is not started again.
  private static let mostDeaths = 5

  /// A worker is gone: start another where it died; one that left or cannot work stays away.
  private func ended(_ index: Int, _ process: Process) {
    let isExit = process.terminationReason == .exit
    let end = ProcessEnd(
      status: isExit ? Int(process.terminationStatus) : nil, signal: isExit ? nil : Int(process.terminationStatus))
    let exit = WorkerExit(end)
    let recent = state.withLock { state -> Int? in
      state.processes[index] = nil
      if state.isStopping { return nil }
      let deaths = (state.deaths[index] ?? []).filter { Date().timeIntervalSince($0) < 60 } + [Date()]
      state.deaths[index] = deaths
      return deaths.count
    }
    guard let recent else { return }
    switch exit {
    // A drained worker left because the study is over.
    case .left(status: 0): return
    case .left: return lose(index, "has left")
    case .cannotWork: return lose(index, "cannot work")
    case .died where recent > Self.mostDeaths: return lose(index, "died \(recent) times within a minute; it \(end)")
    case .died: break
    }
    note("worker \(index) died (it \(end)); starting it again")
    do {
      try start(index)
    } catch {
      lose(index, "could not be started again (\(error))")
    }
  }

  /// A worker is gone for good.
  ///
  /// The last one takes the search along: its reason is the search's error, and said once.
  private func lose(_ index: Int, _ what: String) {
    let reason = lastLine(index)
    let isLast = state.withLock { state in
      guard state.processes.isEmpty, state.failure == nil else { return false }
      state.failure = "worker \(index) \(what): \(reason)"
      return true
    }
    if isLast { onFailure() } else { note("worker \(index) \(what): \(reason)") }
  }

  /// What a worker said last, without the names that stand before it.
  private func lastLine(_ index: Int) -> String {
    let text = (try? String(contentsOf: log(index), encoding: .utf8)) ?? ""
    guard let line = text.split(separator: "\n").last.map(String.init) else { return "see \(log(index).path)" }
    for start in ["worker \(name(index)): ", "engram: "] where line.hasPrefix(start) {
      return "\(line.dropFirst(start.count)) (log: \(log(index).path))"
    }
    return "\(line) (log: \(log(index).path))"
  }

  /// Asks all workers to leave and waits for them; whoever does not leave within `seconds` is killed.
  func stop(within seconds: Double = 25) async {
    let processes = state.withLock { state in
      state.isStopping = true
      return Array(state.processes.values)
    }
    for process in processes where process.isRunning { process.terminate() }
    let limit = Date().addingTimeInterval(seconds)
    while processes.contains(where: \.isRunning), Date() < limit { try? await Task.sleep(for: .milliseconds(50)) }
    for process in processes where process.isRunning { kill(process.processIdentifier, SIGKILL) }
  }
}
