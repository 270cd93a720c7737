import BayesianOptimization
import Foundation
import Study
import TestSupport
import Testing

/// R4: a search whose coordinator is killed around every proposal proposes what the uninterrupted search proposes.
@Suite("Identical proposals", .bounded) struct IdenticalProposalsTests {
  private struct Proposed: Equatable {
    var configuration: BayesianOptimization.Configuration
    var seed: UInt64
    var source: String
    var acquisition: Double?
    var pending: [Int]
    var warmStart: Data?
  }

  private static func options(_ run: FaultRun, _ budget: Int) -> FaultStudy.Options {
    var options = FaultStudy.Options()
    options.seed = run.seed
    options.budget = budget
    options.sampler = "name: saas-nehvi, initial: 6, schedule: short"
    options.heartbeat = 0.2
    options.lease = 20
    return options
  }

  private static func proposals(_ study: FaultStudy) throws -> [Proposed] {
    let observer = try study.observer()
    return try observer.load().trials.map {
      Proposed(
        configuration: $0.configuration, seed: $0.seed, source: $0.provenance.source,
        acquisition: $0.provenance.acquisition, pending: $0.provenance.pending,
        warmStart: try observer.warmStart(trial: $0.number))
    }
  }

  /// Runs a study with one worker; with `points` the coordinator dies at each of them in turn, over and over.
  private static func search(_ run: FaultRun, budget: Int, points: [String]) throws -> [Proposed] {
    let study = try FaultStudy("resume", options(run, budget))
    let host = SessionHost(SessionHost.Options(study, trialSeconds: 0.02, seed: run.seed), count: 1)
    defer { host.stop() }
    var lives = 0
    while !points.isEmpty, study.finished < budget, lives < 4 * budget {
      // After a proposal's commit every time, so that every life makes one; before it, the proposal is computed twice.
      let point = points[lives % points.count]
      lives += 1
      let coordinator = try study.coordinator(["ENGRAM_FAILPOINT": "\(point):1"])
      defer { coordinator.destroy() }
      let status = coordinator.wait(60)
      if status == 137 { run.fire(point) }
      if status == 0 { break }
    }
    let last = try study.coordinator()
    defer { last.destroy() }
    run.check(last.wait(300) == 0, "the study did not end: \(last.output.suffix(300))")
    let problems = try study.problems(acknowledged: host.stop().acknowledged)
    run.check(problems.isEmpty, "\(problems.prefix(5))")
    return try proposals(study)
  }

  @Test("R4: every proposal of the killed search equals the uninterrupted one's") func resume() async {
    let outcome = await FaultRun.perform("R4") { run in
      let budget = FaultForm.count(short: 12, full: 60)
      let straight = try Self.search(run, budget: budget, points: [])
      let broken = try Self.search(
        run, budget: budget, points: ["proposal.after", "proposal.before", "proposal.after", "ack.before"])
      run.check(straight.count == budget, "\(straight.count) proposals instead of \(budget)")
      let model = straight.count { $0.acquisition != nil }
      run.check(model >= budget / 3, "only \(model) proposals came from the model")
      run.check(broken.count == straight.count, "\(broken.count) proposals instead of \(straight.count)")
      for (number, pair) in zip(straight, broken).enumerated() where pair.0 != pair.1 {
        run.check(false, "proposal \(number) differs: \(pair.0) \(pair.1)")
        break
      }
      run.check(run.fired >= budget, "only \(run.fired) kills")
      run.note("\(model) of \(straight.count) proposals by saas-nehvi")
      run.outcome.count = run.fired
      run.outcome.what = "\(budget) proposals, the coordinator killed before and after each"
    }
    #expect(outcome.problems == [])
  }
}
