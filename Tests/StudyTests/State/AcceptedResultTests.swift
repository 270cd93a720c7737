import BayesianOptimization
import RandomStreams
import Study
import TestSupport
import Testing

/// R3: exactly one accepted result per trial, in many short sequences from the model-based generator; afterwards every
/// accepted result is told again (same answer) and contradicted (refused and recorded).
@Suite("Accepted results", .bounded) struct AcceptedResultTests {
  @Test("R3: one accepted result per trial") func oneAcceptedResultPerTrial() async {
    let outcome = await FaultRun.perform("R3") { run in
      let count = FaultForm.count(short: 150, full: 10_000)
      var steps = 0
      for index in 0..<count { steps += try Self.sequence(run, UInt64(index)) }
      run.outcome.count = count
      run.outcome.what = "\(count) sequences, \(steps) duplicate, reordered, stale and contradicting steps"
    }
    #expect(outcome.problems == [])
  }

  private static func sequence(_ run: FaultRun, _ index: UInt64) throws -> Int {
    var random = RandomStream(seed: run.seed, purpose: "faults/R3", index: index)
    var study = try StudyFixture(budget: 12)
    var sent: [(token: AttemptToken, loss: Double)] = []
    var acknowledged: [AttemptToken: TrialResult] = [:]
    let steps = 60 + random.integer(below: 120)
    for step in 0..<steps {
      do {
        try RandomTransitionTests.act(&random, &study, &sent, &acknowledged, step: step)
      } catch is StudyError {
        run.fire("refused step")
      }
    }
    for (token, result) in acknowledged.sorted(by: { $0.key < $1.key }) {
      let (again, verdict) = try study.state.complete(token, result: result, time: 0)
      run.check(verdict == .repeated && again.isEmpty, "sequence \(index): \(token) again gave \(verdict)")
      run.fire("duplicate")
      var other = result
      other.objectives["loss", default: 0] += 1
      let (contradiction, refusal) = try study.state.complete(token, result: other, time: 0)
      if case .refused = refusal { run.fire("contradiction") } else { run.check(false, "\(token) was overwritten") }
      try study.take(contradiction)
    }
    var checker = HistoryChecker(policy: study.state.policy)
    checker.acknowledged = acknowledged
    let findings = try checker.check(study.store).map(\.description) + study.findings().map { "\($0)" }
    run.check(findings.isEmpty, "sequence \(index): \(findings.prefix(3))")
    return steps
  }
}
