import Dispatch
import Experiment
import Foundation
import Synchronization

/// Turns SIGINT, SIGTERM, SIGHUP and SIGUSR1 into one call; a second signal ends the process at once.
final class Signals: Sendable {
  private final class Counter: Sendable {
    let value = Atomic(0)
  }

  private let counter = Counter()
  // Set once in init and only kept alive afterwards.
  nonisolated(unsafe) private let sources: [any DispatchSourceSignal]

  /// - Parameter onFirst: called once, from a queue of its own.
  init(_ onFirst: @escaping @Sendable () -> Void) {
    let queue = DispatchQueue(label: "engram.signals")
    sources = [SIGINT, SIGTERM, SIGHUP, SIGUSR1].compactMap { [counter] number in
      var former = sigaction()
      sigaction(number, nil, &former)
      // Under nohup the end of the terminal is no reason to stop.
      if number == SIGHUP, unsafeBitCast(former.__sigaction_handler.sa_handler, to: Int.self) == 1 { return nil }
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler {
        if counter.value.add(1, ordering: .relaxed).newValue == 1 { return onFirst() }
        _exit(ExitStatus.interrupted.rawValue)
      }
      source.resume()
      return source
    }
  }

  /// Whether a signal came.
  var isRaised: Bool { counter.value.load(ordering: .relaxed) > 0 }
}
