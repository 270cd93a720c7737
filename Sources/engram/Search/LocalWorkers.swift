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

  private func log(_ index: Int) -> URL { launch.folder.appendingPathComponent("logs/worker-\(index).log") }

  private func start(_ index: Int) throws {
    let process = Process()
    let device = launch.devices[index % launch.devices.count]
    process.executableURL = URL(fileURLWithPath: OwnProgram.path)
    process.arguments = [
      "worker", launch.study.path, "--connect", launch.endpoint, "--name", "local/\(index)", "--threads",
      "\(launch.threads)", "--device", device.device, "--state",
      launch.folder.appendingPathComponent("workers/\(index)").path, "--exit-with-parent",
    ]
    // The child leaves when this process is gone, even if that happens before it looks for its parent.
    process.environment = ProcessInfo.processInfo.environment.merging(device.environment) { $1 }.merging(
      [ParentWatch.variable: "\(ProcessInfo.processInfo.processIdentifier)"]) { $1 }
    try FileManager.default.createDirectory(
      at: log(index).deletingLastPathComponent(), withIntermediateDirectories: true)
    if !FileManager.default.fileExists(atPath: log(index).path) {
      _ = FileManager.default.createFile(atPath: log(index).path, contents: nil)
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

  /// A worker is gone: start another, unless it said itself that it cannot work.
  private func ended(_ index: Int, _ process: Process) {
    let status = process.terminationStatus
    let isFinal = process.terminationReason == .exit && (status == 6 || status == 1 || status == 2 || status == 3)
    let recent = state.withLock { state -> Int? in
      state.processes[index] = nil
      if state.isStopping { return nil }
      let deaths = (state.deaths[index] ?? []).filter { Date().timeIntervalSince($0) < 60 } + [Date()]
      state.deaths[index] = deaths
      return deaths.count
    }
    // A drained worker (0) left because the study is over.
    guard let recent, !(process.terminationReason == .exit && status == 0) else { return }
    if isFinal || recent > 5 {
      let last = lastLines(index)
      let isLast = state.withLock { state in
        if state.processes.isEmpty { state.failure = last }
        return state.processes.isEmpty
      }
      note("worker \(index) gave up: \(last)")
      if isLast { onFailure() }
      return
    }
    let how = process.terminationReason == .exit ? "exit status \(status)" : "signal \(status)"
    note("worker \(index) died (\(how)); starting it again")
    do {
      try start(index)
    } catch {
      note("worker \(index) could not be started: \(error)")
    }
  }

  private func lastLines(_ index: Int) -> String {
    let text = (try? String(contentsOf: log(index), encoding: .utf8)) ?? ""
    let lines = text.split(separator: "\n").suffix(3).joined(separator: " | ")
    return lines.isEmpty ? "see \(log(index).path)" : "\(lines) (\(log(index).path))"
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
