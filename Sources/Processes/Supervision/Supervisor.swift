import Dispatch
import Foundation
import Foundations
import Glibc
import Synchronization

/// Several processes of this program: started, started again when they die, signals passed on, ended.
///
/// Every child has a process group of its own (Ctrl-C reaches it only through this process) and leaves when this process
/// is gone: it is told its parent's number, for ``ParentWatch``.
package final class Supervisor: Sendable {
  /// One process.
  package struct Member: Sendable {
    /// What it is called.
    package var label: String
    /// Arguments of `engram`, without the program.
    package var arguments: [String]
    /// Added to this process's environment.
    package var environment: [String: String]
    /// The file to which everything it prints is appended, readable by its owner only; nil = handed on line by line.
    package var log: URL?

    package init(label: String, arguments: [String], environment: [String: String] = [:], log: URL? = nil) {
      self.label = label
      self.arguments = arguments
      self.environment = environment
      self.log = log
    }
  }

  /// What happens to a member.
  package enum Event: Sendable {
    /// It printed a line.
    case line(String)
    /// It died and is started again after so many seconds.
    case died(ProcessEnd, restartAfter: Double)
    /// It is gone for good; so many others go on.
    case left(status: Int32, others: Int)
    case cannotWork(status: Int32, others: Int)
    case diedTooOften(Int, ProcessEnd, others: Int)
    case notStarted(String, others: Int)
  }

  private struct Seat {
    var policy: RestartPolicy
    var child: ChildProcess?
    var started = ContinuousClock.now
    var status: Int32?
    /// The last start, and the last one that has ended.
    var generation = 0
    var endedGeneration = 0
  }

  private struct State {
    var seats: [Seat]
    var stopping: Int32?
    var waiter: CheckedContinuation<Void, Never>?
  }

  package let members: [Member]
  private let executable: String
  private let onEvent: @Sendable (Member, Event) -> Void
  private let state: Mutex<State>

  /// - Parameters:
  ///   - policy: when a member that has ended is started again.
  ///   - executable: the program; default this one.
  ///   - onEvent: called from the threads of the children.
  package init(
    _ members: [Member], policy: RestartPolicy, executable: String = OwnProgram.path,
    onEvent: @escaping @Sendable (Member, Event) -> Void
  ) {
    self.members = members
    self.executable = executable
    self.onEvent = onEvent
    state = Mutex(State(seats: members.map { _ in Seat(policy: policy) }))
  }

  /// Starts the members and waits until the last one has left.
  ///
  /// - Returns: the exit status for all of them.
  package func run() async -> Int32 {
    for index in members.indices { start(index) }
    await withCheckedContinuation { continuation in
      let isOver = state.withLock { state -> Bool in
        if state.seats.allSatisfy({ $0.status != nil }) { return true }
        state.waiter = continuation
        return false
      }
      if isOver { continuation.resume() }
    }
    let (statuses, stopping) = state.withLock { ($0.seats.map { $0.status ?? 0 }, $0.stopping) }
    return RestartPolicy.status(statuses, isStopping: stopping != nil)
  }

  /// Asks all members to leave with `signal`; nobody is started again.
  ///
  /// - Parameter patience: whoever has not left after it is killed; nil = no limit.
  /// - Returns: how many were running.
  @discardableResult
  package func stop(_ signal: Int32 = SIGTERM, patience: Duration? = nil) -> Int {
    let (children, waiting) = state.withLock { state -> ([ChildProcess], [Int]) in
      state.stopping = signal
      // Members that wait for their next start have nothing to give back.
      let waiting = state.seats.indices.filter { state.seats[$0].child == nil && state.seats[$0].status == nil }
      return (state.seats.compactMap(\.child), waiting)
    }
    for index in waiting { settle(index, ExitStatus.temporary.rawValue) }
    for child in children { child.kill(signal) }
    if let patience {
      DispatchQueue.global().asyncAfter(deadline: .now() + patience.seconds) { children.forEach { $0.kill(SIGKILL) } }
      // A process that hangs in the kernel holds up nobody.
      let last = patience + ProcessFamily.killPatience
      DispatchQueue.global().asyncAfter(deadline: .now() + last.seconds) { [self] in
        for index in members.indices { settle(index, ExitStatus.temporary.rawValue) }
      }
    }
    return children.count
  }

  private func start(_ index: Int) {
    let member = members[index]
    let generation = state.withLock { state -> Int? in
      guard state.stopping == nil, state.seats[index].status == nil else { return nil }
      state.seats[index].generation += 1
      state.seats[index].started = .now
      return state.seats[index].generation
    }
    guard let generation else { return settle(index, ExitStatus.temporary.rawValue) }
    do {
      let child = try launch(member) { [self] in ended(index, generation, $0) }
      let late = state.withLock { state -> Int32? in
        // It may have ended already.
        if state.seats[index].endedGeneration < generation { state.seats[index].child = child }
        return state.stopping
      }
      if let late { child.kill(late) }
    } catch {
      leave(index, ExitStatus.unexpected.rawValue) { .notStarted("\(error)", others: $0) }
    }
  }

  private func launch(_ member: Member, onEnd: @escaping @Sendable (ProcessEnd) -> Void) throws -> ChildProcess {
    let log = try member.log.map { try Self.open($0) }
    defer { if let log { close(log) } }
    let environment = ProcessInfo.processInfo.environment.merging(member.environment) { $1 }
      .merging([ParentWatch.variable: "\(getpid())"]) { $1 }
    return try ChildProcess(
      executable: executable, arguments: member.arguments, environment: environment, log: log
    ) { [onEvent] event in
      switch event {
      case .output(let line): onEvent(member, .line(String(decoding: line, as: UTF8.self)))
      case .log(let line): onEvent(member, .line(line))
      case .ended(let end): onEnd(end)
      }
    }
  }

  private static func open(_ log: URL) throws -> Int32 {
    try FileManager.default.createDirectory(at: log.deletingLastPathComponent(), withIntermediateDirectories: true)
    let descriptor = Glibc.open(log.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw SpawnError("cannot write \(log.path)", errno) }
    return descriptor
  }

  private func ended(_ index: Int, _ generation: Int, _ end: ProcessEnd) {
    let member = members[index]
    let decision = state.withLock { state -> RestartPolicy.Decision in
      state.seats[index].child = nil
      state.seats[index].endedGeneration = generation
      let lived = ContinuousClock.now - state.seats[index].started
      return state.seats[index].policy.ended(end, lived: lived.seconds, isStopping: state.stopping != nil)
    }
    switch decision {
    case .left(let status): leave(index, status) { .left(status: status, others: $0) }
    case .cannotWork(let status): leave(index, status) { .cannotWork(status: status, others: $0) }
    case .diedTooOften(let times):
      leave(index, ExitStatus.unexpected.rawValue) { .diedTooOften(times, end, others: $0) }
    case .restart(let seconds):
      onEvent(member, .died(end, restartAfter: seconds))
      DispatchQueue.global().asyncAfter(deadline: .now() + seconds) { [self] in start(index) }
    }
  }

  /// The event first: whoever waits for the end knows then why.
  private func leave(_ index: Int, _ status: Int32, _ event: (_ others: Int) -> Event) {
    let others = state.withLock { state in
      state.seats.indices.count { $0 != index && state.seats[$0].status == nil }
    }
    onEvent(members[index], event(others))
    settle(index, status)
  }

  private func settle(_ index: Int, _ status: Int32) {
    let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
      if state.seats[index].status == nil { state.seats[index].status = status }
      guard state.seats.allSatisfy({ $0.status != nil }) else { return nil }
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume()
  }
}
