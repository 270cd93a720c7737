import Dispatch
import Foundation
import Glibc
import Synchronization

/// SIGTERM, SIGINT, SIGUSR1 and SIGHUP as calls instead of the end of the process: the one place where they are handled.
package final class SignalWatch: Sendable {
  /// What a later signal means.
  package enum Repetition: Sendable {
    /// Every signal is handed on, for a process that passes signals on to others.
    case handedOn
    /// A second signal ends the process at once with status 130; what comes within `echo` of the first is the same request.
    case endsProcess(echo: Duration)
  }

  // Set once in init and only cancelled afterwards.
  nonisolated(unsafe) private let sources: [any DispatchSourceSignal]
  private let state = SignalCount()

  /// - Parameters:
  ///   - signals: which ones. SIGHUP is left alone where the process was started to ignore it (`nohup`).
  ///   - repetition: what a later signal means.
  ///   - onSignal: called from a queue of its own.
  package init(
    _ signals: [Int32] = [SIGTERM, SIGINT, SIGUSR1, SIGHUP], repetition: Repetition = .endsProcess(echo: .zero),
    _ onSignal: @escaping @Sendable (Int32) -> Void
  ) {
    let queue = DispatchQueue(label: "engram.signals")
    sources = signals.filter { $0 != SIGHUP || !Self.isIgnored($0) }.map { [state] number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler {
        let verdict = state.next(at: .now, repetition)
        switch verdict {
        case .request: onSignal(number)
        case .echo: break
        case .leaveNow: _exit(ExitStatus.interrupted.rawValue)
        }
      }
      source.resume()
      return source
    }
  }

  private static func isIgnored(_ number: Int32) -> Bool {
    var present = sigaction()
    sigaction(number, nil, &present)
    // SIG_IGN is the number 1 in place of a function.
    return unsafeBitCast(present.__sigaction_handler.sa_handler, to: Int.self) == 1
  }

  /// Whether a signal came.
  package var isRaised: Bool { state.isRaised }

  package func stop() { sources.forEach { $0.cancel() } }
}

/// Tells a second signal from an echo of the first.
///
/// A scheduler signals every process of a job, and the parent passes the signal on as well.
final class SignalCount: Sendable {
  enum Verdict { case request, echo, leaveNow }
  private let first = Mutex<ContinuousClock.Instant?>(nil)

  var isRaised: Bool { first.withLock { $0 != nil } }

  func next(at now: ContinuousClock.Instant, _ repetition: SignalWatch.Repetition) -> Verdict {
    first.withLock { first in
      guard let known = first else {
        first = now
        return .request
      }
      switch repetition {
      case .handedOn: return .request
      case .endsProcess(let echo): return now - known < echo ? .echo : .leaveNow
      }
    }
  }
}

/// A write to a reader that is gone is an error to see, not a signal to die of.
package enum BrokenPipes {
  /// Ignores SIGPIPE in the whole process; every program does it first, before it starts a child or opens a socket.
  package static func ignore() { signal(SIGPIPE, SIG_IGN) }
}

extension SignalWatch {
  /// Ignores what asks a process to leave: for one whose parent decides.
  package static func leaveToParent() { for number in [SIGTERM, SIGINT, SIGUSR1, SIGHUP] { signal(number, SIG_IGN) } }
}
