import CZeroMQ
import Foundation
import Glibc
import Synchronization

/// A thread that owns ZeroMQ sockets: it waits for them together with an eventfd by which other threads wake it.
///
/// Nothing but this thread touches a socket. Others put commands into a queue behind a mutex and wake the loop.
final class SocketLoop<Command: Sendable>: Sendable {
  private struct Queue {
    var commands: [Command] = []
    var isClosed = false
    var isWakeNeeded = true
  }

  private let queue = Mutex(Queue())
  private let wakeDescriptor: Int32

  init() throws {
    wakeDescriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
    guard wakeDescriptor >= 0 else {
      throw TransportError(.system, "cannot make an eventfd: \(String(cString: strerror(errno))); see ulimit -n")
    }
  }

  deinit { Glibc.close(wakeDescriptor) }

  /// Queues a command for the thread; dropped, with the answer false, after `close`.
  @discardableResult
  func post(_ command: Command) -> Bool {
    let (isQueued, mustWake) = queue.withLock { queue -> (Bool, Bool) in
      guard !queue.isClosed else { return (false, false) }
      queue.commands.append(command)
      defer { queue.isWakeNeeded = false }
      return (true, queue.isWakeNeeded)
    }
    if mustWake { wake() }
    return isQueued
  }

  /// Asks the thread to end after the commands that are queued.
  func close() {
    queue.withLock { $0.isClosed = true }
    wake()
  }

  /// Makes the thread look around.
  func wake() {
    var one: UInt64 = 1
    _ = write(wakeDescriptor, &one, 8)
  }

  private func takeCommands() -> (commands: [Command], isClosed: Bool) {
    var count: UInt64 = 0
    _ = read(wakeDescriptor, &count, 8)
    return queue.withLock { queue in
      let commands = queue.commands
      queue.commands = []
      queue.isWakeNeeded = true
      return (commands, queue.isClosed)
    }
  }

  /// Starts the thread.
  ///
  /// `makeService` runs on it; its error is thrown here.
  func start(
    name: String, interval: Int, _ makeService: @escaping @Sendable () throws -> any SocketService<Command>,
    onEnd: @escaping @Sendable () -> Void
  ) throws {
    let ready = DispatchSemaphore(value: 0)
    let box = FailureBox()
    let thread = Thread { [self] in
      // The service and its sockets are gone when `serve` has returned.
      serve(makeService, interval: interval, ready, box)
      onEnd()
    }
    thread.name = name
    thread.stackSize = 1 << 20
    thread.start()
    ready.wait()
    if let error = box.error.withLock({ $0 }) { throw error }
  }

  private func serve(
    _ makeService: @Sendable () throws -> any SocketService<Command>, interval: Int, _ ready: DispatchSemaphore,
    _ box: FailureBox
  ) {
    do {
      let service = try makeService()
      ready.signal()
      run(service, interval: interval)
    } catch {
      box.error.withLock { $0 = error }
      ready.signal()
    }
  }

  private func run(_ service: any SocketService<Command>, interval: Int) {
    while service.wait(wake: wakeDescriptor, interval: interval) {
      let (commands, isClosed) = takeCommands()
      for command in commands { service.perform(command) }
      if isClosed { return }
      service.turn()
    }
  }
}

/// What the thread serves; lives and dies on the thread.
protocol SocketService<Command>: AnyObject {
  associatedtype Command: Sendable
  /// Waits until a socket or the descriptor `wake` is readable, at most `interval` milliseconds; false ends the loop.
  func wait(wake: Int32, interval: Int) -> Bool
  func perform(_ command: Command)
  /// Takes what has arrived; called after every wait and the commands that came meanwhile.
  func turn()
}

/// Gives a context to the thread that uses it, and lets go of it: when that thread's sockets are closed the context ends,
/// which waits for what is still to be sent.
final class Handover: Sendable {
  private let context: Mutex<ZeroMQContext?>

  init(_ context: ZeroMQContext) { self.context = Mutex(context) }

  func take() throws -> ZeroMQContext {
    let context = context.withLock { held in
      defer { held = nil }
      return held
    }
    return try context ?? ZeroMQContext()
  }
}

/// Carries an error out of a thread.
private final class FailureBox: Sendable { let error = Mutex<(any Error)?>(nil) }
