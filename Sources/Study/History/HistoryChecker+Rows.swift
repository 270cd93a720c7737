import BayesianOptimization

/// What stands in the rows against what the events say, value by value.
extension HistoryChecker {
  /// What the events say about the rows.
  private struct Told {
    var keys: [Int: String] = [:]
    var workers: [AttemptToken: String] = [:]
    var resumed: Set<AttemptToken> = []
    var volumes: [Int: Double?] = [:]
    var epoch = 0
    var lastToken = 0

    init(_ events: [StudyEvent]) {
      for event in events {
        switch event.kind {
        case .coordinatorStarted(let number): epoch = number
        case .trialQueued(let trial, _, let key): keys[trial] = key
        case .attemptLeased(_, let token, let worker):
          workers[token] = worker
          lastToken = max(lastToken, token.rawValue)
        case .attemptResumed(_, let token): resumed.insert(token)
        case .trialCompleted(let trial, _, _, let volume): volumes[trial] = .some(volume)
        default: continue
        }
      }
    }
  }

  func compareRows(_ record: StudyRecord, events: [StudyEvent], _ replay: inout HistoryReplay) {
    let told = Told(events)
    let header = record.header
    if header.epoch != told.epoch {
      replay.note("header agrees", "the header is of epoch \(header.epoch), the events of epoch \(told.epoch)")
    }
    if header.nextToken <= told.lastToken {
      replay.note("header agrees", "the next token is \(header.nextToken), but token \(told.lastToken) was given out")
    }
    let proposals = record.trials.filter { $0.provenance.origin == nil }.compactMap(\.provenance.proposalIndex)
    if let last = proposals.max(), header.nextProposal <= last {
      replay.note("header agrees", "the next proposal is \(header.nextProposal), but proposal \(last) was made")
    }
    for trial in record.trials { compareRow(trial, told, record.definition, &replay) }
  }

  private func compareRow(
    _ trial: Trial, _ told: Told, _ definition: StudyDefinition, _ replay: inout HistoryReplay
  ) {
    let number = trial.number
    if let queued = told.keys[number], queued != trial.configurationKey {
      replay.note("keys agree", "trial \(number) has the key \(trial.configurationKey), it was queued as \(queued)")
    }
    if let key = key(trial.configuration), key != trial.configurationKey {
      replay.note("keys agree", "trial \(number) has the key \(trial.configurationKey), its configuration is \(key)")
    }
    // A trial that was carried over keeps the seed it was trained with.
    if trial.provenance.origin == nil, trial.seed != definition.seed(trial: number) {
      replay.note("seeds", "trial \(number) has the seed \(trial.seed), the study gives it another")
    }
    if let volume = told.volumes[number], volume != trial.hypervolume {
      replay.note("hypervolume", "trial \(number) has another hypervolume than its completion says")
    }
    for attempt in trial.attempts where !told.resumed.contains(attempt.token) {
      guard let worker = told.workers[attempt.token], worker != attempt.worker.name else { continue }
      replay.note(
        "workers agree", "attempt \(attempt.token) is \(attempt.worker.name)'s, it was leased to \(worker)")
    }
  }
}
