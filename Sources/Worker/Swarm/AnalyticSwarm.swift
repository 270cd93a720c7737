import BayesianOptimization
import Foundation
import Study
import Transport
import WireProtocol

/// Many `analytic` workers in one process, each with its own connection and session and without a trainer process: the
/// load of scale tests.
package struct AnalyticSwarm: Sendable {
  /// What the swarm is.
  package struct Settings: Sendable {
    package var endpoint: Endpoint
    package var security: ZeroMQClient.Security
    /// Name of the study, and fingerprints that agree with it.
    package var study: String
    package var fingerprints: Fingerprints
    package var problem: AnalyticProblem
    package var workers: Int
    /// Mean length of a trial in seconds; each lasts between half and one and a half of it.
    ///
    /// 0 = no time at all.
    package var seconds: Double
    /// Time over which the workers arrive, evenly, in seconds; 0 = all at once.
    package var ramp: Double
    /// Seed of the lengths.
    package var seed: UInt64

    package init(
      endpoint: Endpoint, security: ZeroMQClient.Security, study: String, fingerprints: Fingerprints,
      problem: AnalyticProblem, workers: Int, seconds: Double, ramp: Double = 0, seed: UInt64 = 1
    ) {
      self.endpoint = endpoint
      self.security = security
      self.study = study
      self.fingerprints = fingerprints
      self.problem = problem
      self.workers = workers
      self.seconds = seconds
      self.ramp = ramp
      self.seed = seed
    }
  }

  /// What the swarm saw.
  package struct Report: Sendable, Codable {
    /// From a worker's `ready` to its trial: all, the first of every worker, the others.
    package var answers: LatencySummary
    package var firstAnswers: LatencySummary
    package var laterAnswers: LatencySummary
    /// From a result to its acknowledgement, which follows its commit.
    package var acknowledgements: LatencySummary
    /// Messages that the workers sent and received.
    package var sent: Int
    package var received: Int
    /// Trials whose result was acknowledged.
    package var trials: Int
  }

  private let settings: Settings

  package init(_ settings: Settings) { self.settings = settings }

  /// Works until the coordinator has sent every worker home.
  ///
  /// - Throws: ``TransportError``.
  package func run() async throws -> Report {
    let pool = try ZeroMQClientPool(connections: settings.workers)
    let workers = try (0..<settings.workers).map { index in
      try SwarmWorker(
        index, settings,
        client: pool.connect(
          to: settings.endpoint, identity: "swarm.\(ProcessInfo.processInfo.processIdentifier).\(index)",
          security: settings.security))
    }
    let ticker = Task {
      while !Task.isCancelled {
        try? await Task.sleep(for: .milliseconds(250))
        for worker in workers { await worker.tick() }
      }
    }
    var counts = SwarmCounts()
    await withTaskGroup(of: SwarmCounts.self) { group in
      for (index, worker) in workers.enumerated() {
        let delay = settings.ramp * Double(index) / Double(workers.count)
        group.addTask {
          if delay > 0 { try? await Task.sleep(for: .seconds(delay)) }
          return await worker.run()
        }
      }
      for await part in group { counts.add(part) }
    }
    ticker.cancel()
    pool.close()
    return Report(
      answers: LatencySummary(counts.firstAnswers + counts.laterAnswers),
      firstAnswers: LatencySummary(counts.firstAnswers), laterAnswers: LatencySummary(counts.laterAnswers),
      acknowledgements: LatencySummary(counts.acknowledgements), sent: counts.sent, received: counts.received,
      trials: counts.trials)
  }
}

/// Quantiles of waiting times, in milliseconds.
package struct LatencySummary: Sendable, Codable {
  package var count: Int
  package var median: Double
  package var p99: Double
  package var max: Double

  /// - Parameter values: waiting times in seconds, in any order.
  package init(_ values: [Double]) {
    let sorted = values.sorted()
    func quantile(_ fraction: Double) -> Double {
      sorted.isEmpty ? 0 : 1000 * sorted[min(sorted.count - 1, Int(fraction * Double(sorted.count)))]
    }
    count = sorted.count
    median = quantile(0.5)
    p99 = quantile(0.99)
    max = (sorted.last ?? 0) * 1000
  }
}

/// What one worker, or several together, counted.
struct SwarmCounts: Sendable {
  var firstAnswers: [Double] = []
  var laterAnswers: [Double] = []
  var acknowledgements: [Double] = []
  var sent = 0
  var received = 0
  var trials = 0

  mutating func add(_ other: SwarmCounts) {
    firstAnswers += other.firstAnswers
    laterAnswers += other.laterAnswers
    acknowledgements += other.acknowledgements
    sent += other.sent
    received += other.received
    trials += other.trials
  }
}
