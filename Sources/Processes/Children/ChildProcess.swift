import Foundation
import Glibc
import Synchronization

/// A child process with its standard streams as pipes.
///
/// Started by `posix_spawn`; lines of its output arrive on two threads of their own, its end on a third. A child with a
/// process group of its own takes everything along that it has started, however it ends.
///
/// Writing to a child that has just died is an error to see, not a signal to die of: the program ignores SIGPIPE
/// (``BrokenPipes``) before it starts any.
package final class ChildProcess: Sendable {
  /// What the child says.
  package enum Event: Sendable {
    /// A line of standard output, without its line end.
    case output([UInt8])
    /// A line of standard error.
    case log(String)
    /// The process is gone; nothing follows.
    case ended(ProcessEnd)
  }

  package let pid: pid_t
  private let input: Mutex<Int32>
  private let hasEnded = Mutex(false)

  /// Starts `executable` with `arguments` (without the program's name).
  ///
  /// - Parameters:
  ///   - environment: the whole environment of the child.
  ///   - ownGroup: whether it gets a process group of its own. Default true: Ctrl-C on the terminal does not reach it.
  ///   - log: a descriptor that takes standard output and error instead of `onEvent`; it stays the caller's.
  ///   - lineLimit: longer lines of standard output are cut there.
  ///   - onExit: called once the process is over and before it is buried: its number, and its group's, are still its own.
  ///   - onEvent: called from the reading threads, in order per stream.
  /// - Throws: `SpawnError`.
  package init(
    executable: String, arguments: [String], environment: [String: String], ownGroup: Bool = true, log: Int32? = nil,
    lineLimit: Int = 1 << 20, onExit: @escaping @Sendable (pid_t) -> Void = { _ in },
    onEvent: @escaping @Sendable (Event) -> Void
  ) throws {
    // One start at a time: another child must not inherit these pipes before they are marked, or this child's input
    // would never end.
    let (pid, streams) = try Self.starting.withLock { _ in
      try Self.start(executable, arguments, environment, ownGroup, log)
    }
    self.pid = pid
    input = Mutex(streams[0])
    let readers = DispatchGroup()
    if log == nil {
      Self.thread("engram.child.log", readers) {
        LineReader.read(streams[2], limit: 16 * 1024) { onEvent(.log(String(decoding: $0, as: UTF8.self))) }
      }
      Self.thread("engram.child.output", readers) {
        LineReader.read(streams[1], limit: lineLimit) { onEvent(.output($0)) }
      }
    }
    Self.thread("engram.child.wait", nil) { [self] in
      let end = waitForEnd(sweepGroup: ownGroup, onExit)
      // The last lines tell why it ended; somebody else may still hold the pipes, so do not wait for ever.
      _ = readers.wait(timeout: .now() + .seconds(1))
      closeInput()
      onEvent(.ended(end))
    }
  }

  deinit { closeInput() }

  private static let starting = Mutex(())

  /// Makes the pipes and the process; returns our ends: standard input, and output and error where there is no `log`.
  private static func start(
    _ executable: String, _ arguments: [String], _ environment: [String: String], _ ownGroup: Bool, _ log: Int32?
  ) throws -> (pid_t, [Int32]) {
    var pipes: [(read: Int32, write: Int32)] = []
    do {
      for _ in 0..<(log == nil ? 3 : 1) { pipes.append(try pipe()) }
      let childEnds = [pipes[0].read] + pipes.dropFirst().map(\.write)
      let pid = try spawn(
        executable, arguments, environment, ownGroup, streams: childEnds + (log.map { [$0, $0] } ?? []))
      childEnds.forEach { Glibc.close($0) }
      return (pid, [pipes[0].write] + pipes.dropFirst().map(\.read))
    } catch {
      for pipe in pipes {
        Glibc.close(pipe.read)
        Glibc.close(pipe.write)
      }
      throw error
    }
  }

  private static func pipe() throws -> (read: Int32, write: Int32) {
    var ends: [Int32] = [0, 0]
    guard Glibc.pipe(&ends) == 0 else { throw SpawnError("cannot make a pipe", errno) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
  }

  private static func thread(_ name: String, _ group: DispatchGroup?, _ body: @escaping @Sendable () -> Void) {
    group?.enter()
    let thread = Thread {
      body()
      group?.leave()
    }
    thread.name = name
    thread.stackSize = 1 << 20
    thread.start()
  }

  private static func spawn(
    _ executable: String, _ arguments: [String], _ environment: [String: String], _ ownGroup: Bool, streams: [Int32]
  ) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (target, stream) in streams.enumerated() {
      posix_spawn_file_actions_adddup2(&actions, stream, Int32(target))
    }
    // Nothing else of ours: a socket or lock that a child holds on to would outlive its owner.
    DescriptorClosing.closeAll(from: 3, in: &actions)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // A group of its own: Ctrl-C on the terminal reaches the worker only, which then decides what becomes of the trial.
    // Signals that the worker blocks or ignores are back to normal in the child.
    posix_spawnattr_setpgroup(&attributes, 0)
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    for signal in [SIGTERM, SIGINT, SIGUSR1, SIGPIPE, SIGHUP] { sigaddset(&signals, signal) }
    posix_spawnattr_setsigdefault(&attributes, &signals)
    let group = ownGroup ? POSIX_SPAWN_SETPGROUP : 0
    posix_spawnattr_setflags(&attributes, Int16(group | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    let argv = ([executable] + arguments).map { strdup($0) } + [nil]
    let envp = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { (argv + envp).forEach { free($0) } }
    var pid: pid_t = 0
    let code = posix_spawn(&pid, executable, &actions, &attributes, argv, envp)
    guard code == 0 else { throw SpawnError("cannot start \(executable)", code) }
    return pid
  }

  private func waitForEnd(sweepGroup: Bool, _ onExit: (pid_t) -> Void) -> ProcessEnd {
    var word: Int32 = 0
    // Hold the lock only to mark the end: `kill` after it would hit a process that has got the same number.
    var information = siginfo_t()
    while waitid(P_PID, id_t(pid), &information, Int32(WEXITED | WNOWAIT)) != 0 && errno == EINTR {}
    onExit(pid)
    // What the process started goes with it. The group's number cannot be somebody else's yet: the process is still
    // there to be waited for.
    if sweepGroup { _ = Glibc.kill(-pid, SIGKILL) }
    hasEnded.withLock { ended in
      ended = true
      while waitpid(pid, &word, 0) < 0 && errno == EINTR {}
    }
    return ProcessEnd(word: word)
  }

  /// Writes to the child's standard input; false where the child does not take it any more.
  @discardableResult
  package func write(_ bytes: [UInt8]) -> Bool {
    input.withLock { descriptor in
      guard descriptor >= 0 else { return false }
      var offset = 0
      while offset < bytes.count {
        let count = bytes.withUnsafeBytes {
          Glibc.write(descriptor, $0.baseAddress?.advanced(by: offset), $0.count - offset)
        }
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { return false }
        offset += count
      }
      return true
    }
  }

  /// Closes the child's standard input.
  package func closeInput() {
    input.withLock { descriptor in
      if descriptor >= 0 { Glibc.close(descriptor) }
      descriptor = -1
    }
  }

  /// Sends a signal to the process (or to its whole group), unless it has ended.
  package func kill(_ signal: Int32, group: Bool = false) {
    ifUnburied { _ = Glibc.kill(group ? -pid : pid, signal) }
  }

  /// Runs `body` unless the process is buried: until it returns, the process's number cannot become somebody else's.
  package func ifUnburied(_ body: () -> Void) {
    hasEnded.withLock { ended in
      if !ended { body() }
    }
  }

  /// Whether the process is over and buried.
  package var isBuried: Bool { hasEnded.withLock { $0 } }
}
