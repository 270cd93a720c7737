import Dispatch
import Foundation
import Glibc
import Synchronization

/// SIGTERM, SIGINT and SIGUSR1 as events; a second one ends the process at once.
///
/// What comes within a second of the first is the same request: a scheduler signals every process of a job, and the
/// parent passes the signal on as well.
final class SignalWatch {
  private var sources: [any DispatchSourceSignal] = []

  init(_ onSignal: @escaping @Sendable (String) -> Void) {
    let queue = DispatchQueue(label: "engram.signals")
    let count = SignalCount()
    for (number, name) in [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT"), (SIGUSR1, "SIGUSR1")] {
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler {
        switch count.next(at: ContinuousClock.now) {
        case .first: onSignal(name)
        case .echo: break
        case .second: _exit(130)
        }
      }
      source.resume()
      sources.append(source)
    }
  }

  func stop() { sources.forEach { $0.cancel() } }
}

/// Tells a second signal from an echo of the first.
final class SignalCount: Sendable {
  enum Verdict { case first, echo, second }
  private let first = Mutex<ContinuousClock.Instant?>(nil)

  func next(at now: ContinuousClock.Instant) -> Verdict {
    first.withLock { first in
      guard let known = first else {
        first = now
        return .first
      }
      return now - known < .seconds(1) ? .echo : .second
    }
  }
}
