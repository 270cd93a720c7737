import BayesianOptimization
import CZeroMQ
import Foundation
import Study
import Synchronization
import WireProtocol

@testable import Transport

/// Many workers in one thread: real sessions over real sockets, test functions instead of trainers.
///
/// A thread of its own, outside of Swift's tasks: heartbeats go out however busy the rest of the test run is.
final class SessionHost: Sendable {
  struct Keys: Sendable {
    var pair: KeyPair
    var server: PublicKey
  }

  struct Options: Sendable {
    var endpoint: String
    var configuration: StudyConfiguration
    var trialSeconds = 0.1
    var seed: UInt64 = 1
    var keys: Keys?
    var build = "test"
    /// Distinguishes hosts of one study.
    var run = UUID().uuidString

    init(_ study: FaultStudy, trialSeconds: Double, seed: UInt64 = 1) {
      endpoint = study.endpoint
      configuration = study.configuration
      self.trialSeconds = trialSeconds
      self.seed = seed
    }
  }

  struct Welcome: Sendable {
    /// Unique per coordinator process.
    var session: String
    var at: ContinuousClock.Instant
  }

  /// What workers saw.
  struct Log: Sendable {
    var acknowledged: [AttemptToken: TrialResult] = [:]
    var verdicts: [Acknowledgement.Verdict: Int] = [:]
    var executed: [AttemptToken: Int] = [:]
    var sent: [MessageType: Int] = [:]
    var received: [MessageType: Int] = [:]
    /// Seconds from saying ready to a trial.
    var asks: [Double] = []
    var welcomes: [Welcome] = []
    var departures: [String] = []
    var kills = 0
    var failure: String?

    mutating func add(_ other: Log) {
      acknowledged.merge(other.acknowledged) { $1 }
      verdicts.merge(other.verdicts) { $0 + $1 }
      executed.merge(other.executed) { $1 }
      sent.merge(other.sent) { $0 + $1 }
      received.merge(other.received) { $0 + $1 }
      asks += other.asks
      welcomes += other.welcomes
      departures += other.departures
      kills += other.kills
      failure = failure ?? other.failure
    }
  }

  private enum Order: Sendable {
    case kill(Int, pause: Duration)
    case stop
  }

  private struct Shared: Sendable {
    var orders: [Order] = []
    var log = Log()
    var hasEnded = false
  }

  private let shared = Mutex(Shared())
  private let ended = DispatchSemaphore(value: 0)
  let count: Int

  /// Starts `count` workers named `w0`, `w1` … (or with another prefix).
  init(_ options: Options, count: Int, prefix: String = "w") {
    self.count = count
    let thread = Thread { [self] in
      do {
        try run(options, prefix: prefix)
      } catch {
        shared.withLock { $0.log.failure = "\(error)" }
      }
      shared.withLock { $0.hasEnded = true }
      ended.signal()
    }
    thread.name = "session-host"
    thread.start()
  }

  /// What the workers have seen so far.
  var log: Log { shared.withLock { $0.log } }
  /// Whether every worker has left.
  var hasEnded: Bool { shared.withLock { $0.hasEnded } }

  /// Kills a worker as by SIGKILL; it comes back after `pause`.
  func kill(_ index: Int, pause: Duration = .milliseconds(50)) {
    shared.withLock { $0.orders.append(.kill(index, pause: pause)) }
  }

  /// Ends all workers, without goodbye, and returns what they saw.
  @discardableResult
  func stop() -> Log {
    if !hasEnded { shared.withLock { $0.orders.append(.stop) } }
    ended.wait()
    ended.signal()
    return log
  }

  private func run(_ options: Options, prefix: String) throws {
    guard let problem = AnalyticProblem.named(options.configuration.evaluator.problem ?? "") else {
      throw FaultTestError("no such test function")
    }
    let context = try ZeroMQContext()
    let workers = try (0..<count).map {
      try SessionWorker("\(prefix)\($0)", options, context: context, problem: problem)
    }
    let origin = ContinuousClock.now
    while workers.contains(where: { !$0.hasLeft }) {
      let orders = shared.withLock { shared in
        defer { shared.orders = [] }
        return shared.orders
      }
      let now = origin.duration(to: .now)
      for order in orders {
        switch order {
        case .kill(let index, let pause): if !workers[index].hasLeft { try workers[index].die(pause: pause, now: now) }
        case .stop: return publish(workers)
        }
      }
      var items = workers.compactMap { $0.socket?.pollItem() }
      if items.isEmpty { usleep(5_000) } else { zmq_poll(&items, Int32(items.count), 10) }
      let later = origin.duration(to: .now)
      for worker in workers where !worker.hasLeft { try worker.turn(now: later) }
      publish(workers)
    }
    publish(workers)
  }

  /// Moves what the workers noted to where others can read it.
  private func publish(_ workers: [SessionWorker]) {
    shared.withLock { shared in
      for worker in workers {
        shared.log.add(worker.log)
        worker.log = Log()
      }
    }
  }
}

extension SessionHost.Log {
  /// A quantile of the waiting times in milliseconds.
  func askMilliseconds(_ quantile: Double) -> Double {
    guard !asks.isEmpty else { return .nan }
    let sorted = asks.sorted()
    return sorted[min(sorted.count - 1, Int(Double(sorted.count) * quantile))] * 1000
  }

  /// Messages that the workers sent, heartbeats left out.
  var requests: Int { sent.filter { $0.key != .heartbeat }.values.reduce(0, +) }
}
