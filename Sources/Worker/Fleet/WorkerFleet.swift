import Dispatch
import Foundation
import Synchronization

/// Several worker processes on one machine, one per device: started, started again when they die, signals passed on.
///
/// Every child has a process group of its own (Ctrl-C reaches it only through this process) and leaves when this process
/// is gone. Its lines appear here with its label in front.
package final class WorkerFleet: Sendable {
  /// One process.
  package struct Member: Sendable {
    /// What stands before its lines.
    package var label: String
    /// Arguments of `engram`, without the program.
    package var arguments: [String]
    /// Its whole environment.
    package var environment: [String: String]

    package init(label: String, arguments: [String], environment: [String: String]) {
      self.label = label
      self.arguments = arguments
      self.environment = environment
    }
  }

  private struct Seat {
    var policy = FleetPolicy()
    var child: ChildProcess?
    var started = ContinuousClock.now
    var status: Int32?
    var generation = 0
  }

  private struct State {
    var seats: [Seat]
    var stopping: Int32?
    var waiter: CheckedContinuation<Void, Never>?
  }

  private let members: [Member]
  private let executable: String
  private let note: @Sendable (String) -> Void
  private let state: Mutex<State>

  /// - Parameters:
  ///   - executable: the program; default this one.
  ///   - note: takes the lines.
  package init(
    _ members: [Member],
    executable: String = OwnProgram.path,
    note: @escaping @Sendable (String) -> Void
  ) {
    self.members = members
    self.executable = executable
    self.note = note
    state = Mutex(State(seats: members.map { _ in Seat() }))
  }

  /// Runs until every member has left; gives the exit status.
  package func run() async -> Int32 {
    let signals = SignalForwarder { [self] in passOn($0) }
    defer { signals.stop() }
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
    return FleetPolicy.status(statuses, isStopping: stopping != nil)
  }

  private func passOn(_ signal: Int32) {
    let (children, waiting) = state.withLock { state -> ([ChildProcess], [Int]) in
      state.stopping = signal
      // Members that wait for their next start have nothing to give back.
      let waiting = state.seats.indices.filter { state.seats[$0].child == nil && state.seats[$0].status == nil }
      return (state.seats.compactMap(\.child), waiting)
    }
    for index in waiting { settle(index, FleetPolicy.temporary) }
    note("\(ProcessEnd.name(Int(signal))): passed on to \(children.count) worker(s)")
    for child in children { child.kill(signal) }
  }

  private func start(_ index: Int) {
    let member = members[index]
    let generation = state.withLock { state -> Int? in
      guard state.stopping == nil, state.seats[index].status == nil else { return nil }
      state.seats[index].generation += 1
      state.seats[index].started = .now
      return state.seats[index].generation
    }
    guard let generation else { return settle(index, FleetPolicy.temporary) }
    do {
      let child = try ChildProcess(
        executable: executable, arguments: member.arguments, environment: member.environment
      ) { [self] event in
        switch event {
        case .output(let line): note("[\(member.label)] \(String(decoding: line, as: UTF8.self))")
        case .log(let line): note("[\(member.label)] \(line)")
        case .ended(let end): ended(index, generation, end)
        }
      }
      let late = state.withLock { state -> Int32? in
        // It may have ended already.
        if state.seats[index].generation == generation, state.seats[index].status == nil {
          state.seats[index].child = child
        }
        return state.stopping
      }
      if let late { child.kill(late) }
    } catch {
      note("[\(member.label)] cannot be started: \(error)")
      settle(index, 1)
    }
  }

  private func ended(_ index: Int, _ generation: Int, _ end: ProcessEnd) {
    let label = members[index].label
    let decision = state.withLock { state -> FleetPolicy.Decision in
      state.seats[index].child = nil
      let lived = ContinuousClock.now - state.seats[index].started
      let seconds = Double(lived.components.seconds)
      return state.seats[index].policy.ended(end, lived: seconds, isStopping: state.stopping != nil)
    }
    switch decision {
    case .left(let status):
      note("[\(label)] \(status == 0 ? "has left" : "has left with status \(status)")")
      settle(index, status)
    case .gaveUp(let status):
      settle(index, status)
      let left = state.withLock { state in state.seats.count { $0.status == nil } }
      note(
        "[\(label)] cannot work (status \(status)); its last lines say why"
          + (left > 0 ? ". \(left) worker(s) go on" : ""))
    case .restart(let seconds):
      note("[\(label)] \(end); starting it again in \(Int(seconds)) s")
      DispatchQueue.global().asyncAfter(deadline: .now() + seconds) { [self] in start(index) }
    }
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

/// Calls back for every SIGTERM, SIGINT, SIGUSR1 and SIGHUP.
final class SignalForwarder: Sendable {
  // Set once in init and only cancelled afterwards.
  nonisolated(unsafe) private let sources: [any DispatchSourceSignal]

  init(_ onSignal: @escaping @Sendable (Int32) -> Void) {
    let queue = DispatchQueue(label: "engram.fleet.signals")
    sources = [SIGTERM, SIGINT, SIGUSR1, SIGHUP].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      // A hang-up of the terminal is a wish to leave.
      source.setEventHandler { onSignal(number == SIGHUP ? SIGTERM : number) }
      source.resume()
      return source
    }
  }

  func stop() { sources.forEach { $0.cancel() } }
}
