import Foundation
import Processes
import Synchronization

/// The workers of `engram search`, on this machine: each with a log file, ended with the search.
package final class LocalWorkers: Sendable {
  package struct Launch: Sendable {
    var study: URL
    var endpoint: String
    var folder: URL
    var threads: Int
    var devices: [GPUDevice]

    /// - Parameters:
    ///   - study: the study's file.
    ///   - folder: the study's folder.
    ///   - devices: dealt out to the workers in turn; never empty.
    package init(study: URL, endpoint: String, folder: URL, threads: Int, devices: [GPUDevice]) {
      self.study = study
      self.endpoint = endpoint
      self.folder = folder
      self.threads = threads
      self.devices = devices
    }

    fileprivate func member(_ index: Int) -> Supervisor.Member {
      let device = devices[index % devices.count]
      let state = folder.appendingPathComponent("workers/\(index)", isDirectory: true)
      return Supervisor.Member(
        label: "\(index)",
        arguments: [
          "worker", study.path, "--connect", endpoint, "--name", "local/\(index)", "--threads", "\(threads)",
          "--device",
          device.device, "--state", state.path, "--exit-with-parent",
        ], environment: device.environment, log: folder.appendingPathComponent("logs/worker-\(index).log"))
    }
  }

  private struct State {
    var failure: String?
    var isStopping = false
    var running: (supervisor: Supervisor, task: Task<Void, Never>)?
  }

  private let launch: Launch
  private let count: Int
  private let note: @Sendable (String) -> Void
  private let state = Mutex(State())

  /// - Parameter note: takes what the operator should read.
  package init(_ launch: Launch, count: Int, note: @escaping @Sendable (String) -> Void) {
    self.launch = launch
    self.count = count
    self.note = note
  }

  /// Why no worker can work, if so.
  package var failure: String? { state.withLock { $0.failure } }

  /// - Parameter onFailure: called once when no worker can work; ``failure`` says why.
  package func start(onFailure: @escaping @Sendable () -> Void) {
    let supervisor = Supervisor((0..<count).map(launch.member), policy: .search) { [self] member, event in
      handle(member, event, onFailure)
    }
    let task = Task { _ = await supervisor.run() }
    state.withLock { $0.running = (supervisor, task) }
  }

  /// Asks all workers to leave and waits for them; whoever does not leave in time is killed.
  package func stop(within patience: Duration = .seconds(25)) async {
    let running = state.withLock { state in
      state.isStopping = true
      return state.running
    }
    guard let running else { return }
    running.supervisor.stop(patience: patience)
    await running.task.value
  }

  private func handle(_ member: Supervisor.Member, _ event: Supervisor.Event, _ onFailure: () -> Void) {
    if state.withLock({ $0.isStopping }) { return }
    func lose(_ what: String, _ reason: String, _ others: Int) {
      let text = "worker \(member.label) \(what): \(reason)"
      // The last one takes the search along: its reason is the search's error, and said once.
      guard others == 0 else { return note(text) }
      state.withLock { $0.failure = text }
      onFailure()
    }
    switch event {
    case .line(let line): note(line)
    case .died(let end, let seconds):
      note("worker \(member.label) died (it \(end)); starting it again in \(Int(seconds)) s")
    // It left because the study is over.
    case .left(ExitStatus.success.rawValue, _): break
    case .left(_, let others): lose("has left", lastLine(member), others)
    case .cannotWork(_, let others): lose("cannot work", lastLine(member), others)
    case .diedTooOften(let times, let end, let others):
      lose("died \(times) times, each time within a minute; it \(end)", lastLine(member), others)
    case .notStarted(let why, let others): lose("cannot be started", why, others)
    }
  }

  /// What a worker said last, without the names that stand before it.
  private func lastLine(_ member: Supervisor.Member) -> String {
    guard let log = member.log else { return "it has no log" }
    // A log that cannot be read says nothing; its path is shown in any case.
    let text = (try? String(contentsOf: log, encoding: .utf8)) ?? ""
    guard let line = text.split(separator: "\n").last.map(String.init) else { return "see \(log.path)" }
    for start in ["worker local/\(member.label): ", "engram: "] where line.hasPrefix(start) {
      return "\(line.dropFirst(start.count)) (log: \(log.path))"
    }
    return "\(line) (log: \(log.path))"
  }
}
