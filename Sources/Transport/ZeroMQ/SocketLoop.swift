import CZeroMQ
import Foundation
import Glibc
import Synchronization

/// A thread that owns ZeroMQ sockets: it polls them together with an eventfd by which other threads wake it.
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

  /// Queues a command for the thread; dropped after `close`.
  func post(_ command: Command) {
    let mustWake = queue.withLock { queue -> Bool in
      guard !queue.isClosed else { return false }
      queue.commands.append(command)
      defer { queue.isWakeNeeded = false }
      return queue.isWakeNeeded
    }
    if mustWake { wake() }
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
    while true {
      let sockets = service.sockets
      var items = [zmq_pollitem_t(socket: nil, fd: wakeDescriptor, events: Int16(ZMQ_POLLIN), revents: 0)]
      var indices: [Int] = []
      for (index, socket) in sockets.enumerated() {
        guard let socket else { continue }
        items.append(socket.pollItem())
        indices.append(index)
      }
      let count = zmq_poll(&items, Int32(items.count), interval)
      if count < 0 && zmq_errno() != EINTR { return }
      let (commands, isClosed) = takeCommands()
      for command in commands { service.perform(command) }
      if isClosed { return }
      for (position, index) in indices.enumerated() where items[position + 1].revents & Int16(ZMQ_POLLIN) != 0 {
        service.readable(index)
      }
      service.turn()
    }
  }
}

/// What the thread serves; lives and dies on the thread.
protocol SocketService<Command>: AnyObject {
  associatedtype Command: Sendable
  /// The sockets to poll, in an order that `readable` refers to; a socket that must wait is left out with nil.
  var sockets: [ZeroMQSocket?] { get }
  func readable(_ index: Int)
  func perform(_ command: Command)
  /// Called after every turn and at least every `interval` milliseconds.
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
