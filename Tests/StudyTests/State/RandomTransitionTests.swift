import BayesianOptimization
import RandomStreams
import Study
import TestSupport
import Testing

/// R3: duplicate, reordered, stale and contradicting messages from a model-based generator.
@Suite(.ownThread, .bounded) struct RandomTransitionTests {
  @Test(arguments: 0..<20) func everySequenceKeepsTheInvariants(_ seed: Int) throws {
    var random = RandomStream(seed: UInt64(seed), purpose: "test/transitions")
    var study = try StudyFixture(budget: 30)
    var sent: [(token: AttemptToken, loss: Double)] = []
    var acknowledged: [AttemptToken: TrialResult] = [:]
    var legal = 0
    var illegal = 0
    for step in 0..<600 {
      do {
        try Self.act(&random, &study, &sent, &acknowledged, step: step)
        legal += 1
      } catch is StudyError {
        illegal += 1
      }
    }
    var checker = HistoryChecker(policy: study.state.policy)
    checker.acknowledged = acknowledged
    #expect(try checker.check(study.store).map(\.description) == [])
    #expect(try study.findings() == [])
    #expect(legal > 100 && illegal > 10, "seed \(seed): \(legal) legal, \(illegal) refused")
  }

  /// One random step; throws where the study refuses it.
  static func act(
    _ random: inout RandomStream, _ study: inout StudyFixture, _ sent: inout [(token: AttemptToken, loss: Double)],
    _ acknowledged: inout [AttemptToken: TrialResult], step: Int
  ) throws {
    let count = study.state.trials.count
    let trial = random.integer(below: count + 1)
    let token = AttemptToken(1 + random.integer(below: max(1, study.state.header.nextToken)))
    let worker = "w\(random.integer(below: 3))"
    switch random.integer(below: 16) {
    case 0, 1: if study.state.proposalsLeft > 0 { try study.enqueue(random.integer(below: 60)) }
    case 2, 3: _ = try study.lease(trial, worker: worker)
    case 4, 5: try study.take(study.state.start(token, time: Double(step)))
    case 6, 7:
      let loss = Double(random.integer(below: 20))
      let verdict = try study.complete(token, loss: loss, rouge: random.uniform())
      _ = verdict
    case 8:
      let result = TrialResult(objectives: ["loss": random.uniform() * 5, "rougeL": random.uniform()])
      let (transition, verdict) = try study.state.complete(token, result: result, time: 0)
      try study.take(transition)
      if verdict == .accepted { acknowledged[token] = result }
    case 9:
      guard let (known, result) = acknowledged.randomElement(using: &random) else { return }
      let (transition, verdict) = try study.state.complete(known, result: result, time: 0)
      #expect(verdict == .repeated && transition.isEmpty)
    case 10:
      let classes = FailureClass.all
      _ = try study.fail(token, classes[random.integer(below: classes.count)], message: "\(random.integer(below: 2))")
    case 11: try study.take(study.state.lose(token, .leaseExpired, time: 0))
    case 12: try study.take(study.state.lose(token, .coordinatorRestarted, time: 0))
    case 13:
      let identity = WorkerIdentity(name: worker, incarnation: "\(step)")
      if let transition = try study.state.readopt(token, worker: identity, time: 0) { try study.take(transition) }
    case 14:
      let (transition, _) = try study.state.abandon(trial: trial, time: 0)
      try study.take(transition)
    default: try study.take(study.state.retry(trial: trial, time: 0))
    }
  }
}
