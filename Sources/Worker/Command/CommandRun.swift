import Foundation
import Foundations
import Glibc
import Processes
import Study
import Synchronization

/// One execution of a program, with everything that it starts.
final class CommandRun: Sendable {
  /// What the program has said, and what could not be ended.
  struct Found: Sendable {
    var output: CommandOutput
    /// The last lines of standard error, at most three.
    var lastWords: [String] = []
    var survivors: [ProcessEntry] = []
  }

  private struct State {
    var found: Found
    var end: ProcessEnd?
    /// When patience with a cancelled program ends; nil until it is told.
    var deadline: ContinuousClock.Instant?
  }

  /// Families of the programs that run now, for the end of this process.
  private static let running = Mutex<[String: ProcessFamily]>([:])
  /// Whether this process runs programs and nothing else, and adopts their orphans; set once, by the trainer.
  static let adoptsOrphans = Atomic(false)

  private let monitor: EvaluationMonitor
  private let endGrace: Duration
  private let mark = ProcessMark.trial()
  private let state: Mutex<State>
  private let ended = DispatchSemaphore(value: 0)
  private let child = Mutex<ChildProcess?>(nil)

  private init(_ objectives: [String], _ endGrace: Duration, _ monitor: EvaluationMonitor) {
    self.monitor = monitor
    self.endGrace = endGrace
    state = Mutex(State(found: Found(output: CommandOutput(objectives: objectives))))
  }

  /// Starts the program.
  ///
  /// - Throws: ``EvaluationError``: `unavailable` where it cannot be started at all, `hardware` where the machine is out
  ///   of processes, descriptors or memory.
  static func start(
    _ program: CommandProgram.Resolved, environment: [String: String], objectives: [String], endGrace: Duration,
    _ monitor: EvaluationMonitor
  ) throws -> CommandRun {
    let run = CommandRun(objectives, endGrace, monitor)
    do {
      let child = try ChildProcess(
        executable: program.path, arguments: program.arguments,
        environment: environment.merging([run.mark.name: run.mark.value]) { $1 },
        lineLimit: CommandOutput.resultBytes + 1, onExit: { run.endFamily(of: $0) }, onEvent: { run.take($0) })
      run.child.withLock { $0 = child }
      running.withLock { $0[run.mark.value] = run.family(child.pid) }
      return run
    } catch let error as SpawnError {
      throw explain(error, program)
    }
  }

  /// The families of all programs that run now are ended at once: this process is about to leave.
  static func endAll() {
    let families = running.withLock { Array($0.values) }
    for family in families { family.end(grace: .zero) }
    if adoptsOrphans.load(ordering: .relaxed) { ProcessFamily(mark: .trial(), adoptsOrphans: true).end(grace: .zero) }
  }

  private func family(_ leader: pid_t) -> ProcessFamily {
    ProcessFamily(leader: leader, mark: mark, adoptsOrphans: Self.adoptsOrphans.load(ordering: .relaxed))
  }

  private static func explain(_ error: SpawnError, _ program: CommandProgram.Resolved) -> EvaluationError {
    switch error.code {
    case EAGAIN, ENOMEM, EMFILE, ENFILE:
      EvaluationError(
        .failed(.hardware), error.description, nextStep: "look at the machine's limits (ulimit -a) and its memory")
    case ENOEXEC: CommandProgram.noFirstLine(program.path)
    default: .unavailable(error.description, nextStep: "give the program's full path in evaluator.command")
    }
  }

  // MARK: While it runs

  /// Gives the program its input and waits for its end; cancels it when the monitor says so.
  func finish(input: [UInt8]) -> ProcessEnd {
    let process = child.withLock { $0 }
    // On a thread of its own: a program need not read, and what it does not read may not fit its pipe.
    let thread = Thread {
      process?.write(input)
      process?.closeInput()
    }
    thread.stackSize = 512 * 1024
    thread.start()
    var ticks = 0
    while ended.wait(timeout: .now() + .milliseconds(100)) == .timedOut {
      ticks += 1
      // A running program is a sign of life: what it prints is its own business.
      if ticks.isMultiple(of: 5) { monitor.progress(step: 0, total: 0, phase: "command") }
      if ticks.isMultiple(of: 100), let process { family(process.pid).bury() }
      if monitor.isCancelled, let process { cancel(process) }
    }
    child.withLock { $0 = nil }
    _ = Self.running.withLock { $0.removeValue(forKey: mark.value) }
    return state.withLock { $0.end } ?? ProcessEnd(word: 0)
  }

  var found: Found { state.withLock { $0.found } }

  /// SIGTERM once, and SIGKILL when patience is over; to everything that the program has started.
  private func cancel(_ process: ChildProcess) {
    let now = ContinuousClock.now
    let signal = state.withLock { state -> Int32? in
      guard let deadline = state.deadline else {
        state.deadline = now + endGrace
        return SIGTERM
      }
      return now >= deadline ? SIGKILL : nil
    }
    guard let signal else { return }
    process.ifUnburied { family(process.pid).signal(signal) }
  }

  /// The program is over; whatever it has started goes with it.
  private func endFamily(of leader: pid_t) {
    let deadline = state.withLock { $0.deadline }
    // Who was told to end keeps the rest of its time, for a checkpoint; what merely was left behind gets a moment.
    let grace = deadline.map { ContinuousClock.now.duration(to: $0) } ?? ProcessFamily.leftoverGrace
    let survivors = family(leader).end(grace: grace, isTold: deadline != nil)
    state.withLock { $0.found.survivors = survivors }
  }

  private func take(_ event: ChildProcess.Event) {
    switch event {
    case .output(let line):
      let report = state.withLock { $0.found.output.take(line) }
      if let report { monitor.report(step: report.step, values: report.values) }
    case .log(let line):
      StandardError.write(line)
      state.withLock { $0.found.lastWords = $0.found.lastWords.suffix(2) + [line.printable(limit: 300)] }
    case .ended(let end):
      state.withLock { $0.end = end }
      ended.signal()
    }
  }
}
