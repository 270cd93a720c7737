import BayesianOptimization

/// The history checker: reads a study's events and records and says what is wrong with them.
///
/// It knows nothing of how the state was computed; it replays the event log against a model of its own and compares
/// with what is stored. A sound study gives no findings.
package struct HistoryChecker {
  /// One thing that must not be.
  package struct Finding: Hashable, Sendable, CustomStringConvertible {
    /// Short name of the rule.
    package var rule: String
    /// What was found.
    package var detail: String

    package var description: String { "\(rule): \(detail)" }
  }

  /// Results that workers saw acknowledged, from their own logs: by token.
  package var acknowledged: [AttemptToken: TrialResult] = [:]
  /// Rules of the study.
  package var policy: StudyPolicy
  /// Canonical key of a configuration in the study's space; nil where it has none there, or where that is not known.
  package var key: (BayesianOptimization.Configuration) -> String? = { _ in nil }
  /// Whether the study has come to its end, so that nothing may be open and the budget must be met exactly.
  package var expectsEnd: Bool

  package init(policy: StudyPolicy = StudyPolicy(), expectsEnd: Bool = false) {
    self.policy = policy
    self.expectsEnd = expectsEnd
  }

  /// Everything wrong with a study, at most a hundred findings.
  package func check(_ store: any StudyReader) throws -> [Finding] {
    let record = try store.load()
    let events = try store.events(after: 0, limit: .max).filter { $0.number <= record.header.lastEvent }
    return check(record, events: events)
  }

  /// Everything wrong with a record and its events.
  package func check(_ record: StudyRecord, events: [StudyEvent]) -> [Finding] {
    var replay = HistoryReplay()
    for event in events { replay.take(event) }
    if events.count != record.header.lastEvent {
      replay.note("events complete", "\(events.count) events, the header says \(record.header.lastEvent)")
    }
    compare(record, with: &replay)
    compareRows(record, events: events, &replay)
    checkAcknowledged(record, &replay)
    checkFront(record, &replay)
    if expectsEnd { checkEnd(record, &replay) }
    return Array(replay.findings.prefix(100))
  }

  private func compare(_ record: StudyRecord, with replay: inout HistoryReplay) {
    if record.trials.map(\.number) != Array(record.trials.indices) {
      replay.note("trial numbers gapless", "\(record.trials.map(\.number))")
    }
    if record.trials.count != replay.trials.count {
      replay.note("trials complete", "\(record.trials.count) stored, \(replay.trials.count) in the events")
    }
    if Set(record.trials.map(\.configurationKey)).count != record.trials.count {
      replay.note("keys unique", "two trials share a key")
    }
    var tokens: Set<AttemptToken> = []
    for trial in record.trials {
      if replay.trials[trial.number] != trial.state {
        let told = replay.trials[trial.number]?.rawValue ?? "missing"
        replay.note("states agree", "trial \(trial.number) is \(trial.state.rawValue), its events say \(told)")
      }
      let live = trial.attempts.count { $0.state.isLive }
      if live > 1 || (live == 1) != (trial.state == .running) {
        replay.note("one lease", "trial \(trial.number) is \(trial.state.rawValue) with \(live) live attempts")
      }
      if trial.countedAttempts > policy.maxCountedAttempts {
        replay.note("attempts capped", "trial \(trial.number) used \(trial.countedAttempts) attempts")
      }
      let decisive = trial.attempts.filter { $0.state == .succeeded }
      if decisive.count > 1 || (trial.state != .completed && !decisive.isEmpty) {
        replay.note("one result", "trial \(trial.number), \(trial.state.rawValue), has \(decisive.count) results")
      }
      if let attempt = decisive.first, attempt.result != trial.result {
        replay.note("one result", "trial \(trial.number) does not have the result of its attempt")
      }
      if trial.state == .completed && trial.result == nil {
        replay.note("one result", "trial \(trial.number) is completed without a result")
      }
      for attempt in trial.attempts {
        if !tokens.insert(attempt.token).inserted { replay.note("tokens unique", "\(attempt.token) twice") }
        if replay.attempts[attempt.token]?.state != attempt.state {
          let told = replay.attempts[attempt.token]?.state.rawValue ?? "missing"
          replay.note(
            "states agree", "attempt \(attempt.token) is \(attempt.state.rawValue), its events say \(told)")
        }
      }
    }
  }

  private func checkAcknowledged(_ record: StudyRecord, _ replay: inout HistoryReplay) {
    var stored: [AttemptToken: Attempt] = [:]
    for attempt in record.trials.flatMap(\.attempts) { stored[attempt.token] = attempt }
    for (token, result) in acknowledged.sorted(by: { $0.key < $1.key }) {
      guard let attempt = stored[token], attempt.state == .succeeded || attempt.state == .superseded else {
        replay.note("acknowledged is kept", "the acknowledged result of attempt \(token) is lost")
        continue
      }
      if attempt.result != result { replay.note("acknowledged is kept", "attempt \(token) has another result") }
    }
  }

  /// Recomputes front and hypervolume after every completion from nothing and compares with the stored values.
  ///
  /// A second opinion on purpose: it shares no code with ``StudyFront`` and ``Dominance``, which computed what is stored.
  private func checkFront(_ record: StudyRecord, _ replay: inout HistoryReplay) {
    let signs = record.definition.objectives.map(\.direction.sign)
    var points: [(number: Int, values: [Double])] = []
    var earlier: [(number: Int, values: [Double])] = []
    let reference = record.header.referencePoint
    for completion in replay.completions where record.trials.indices.contains(completion.trial) {
      let trial = record.trials[completion.trial]
      let values = zip(record.definition.objectives, signs).compactMap { objective, sign in
        trial.result?.objectives[objective.name].map { $0 * sign }
      }
      guard values.count == signs.count else {
        replay.note("objectives complete", "trial \(trial.number) lacks an objective")
        continue
      }
      if trial.isInSearch { Self.add((trial.number, values), to: &points) }
      // Versions of schema 1 counted the un-injected base in: what they have stored stays right (see StudyFront).
      Self.add((trial.number, values), to: &earlier)
      let isEarlier = completion.front == earlier.map(\.number).sorted()
      let front = points.map(\.number).sorted()
      if front != completion.front, !isEarlier {
        replay.note("front", "after trial \(trial.number): stored \(completion.front), recomputed \(front)")
      }
      guard let stored = completion.hypervolume, let reference else { continue }
      let corner = record.definition.objectives.compactMap { objective in
        reference[objective.name].map { $0 * objective.direction.sign }
      }
      func isStored(_ points: [(number: Int, values: [Double])]) -> Bool {
        let volume = policy.hypervolume(points.sorted { $0.number < $1.number }.map(\.values), corner)
        return abs(volume - stored) <= 1e-12 * max(1, abs(volume))
      }
      if !isStored(points), !isStored(earlier) {
        let volume = policy.hypervolume(points.sorted { $0.number < $1.number }.map(\.values), corner)
        replay.note("hypervolume", "after trial \(trial.number): stored \(stored), recomputed \(volume)")
      }
    }
  }

  private static func add(_ point: (number: Int, values: [Double]), to points: inout [(number: Int, values: [Double])])
  {
    points.append(point)
    points = points.filter { candidate in !points.contains { dominates($0.values, candidate.values) } }
  }

  private static func dominates(_ left: [Double], _ right: [Double]) -> Bool {
    zip(left, right).allSatisfy { $0 >= $1 } && zip(left, right).contains { $0 > $1 }
  }

  private func checkEnd(_ record: StudyRecord, _ replay: inout HistoryReplay) {
    for trial in record.trials where !trial.state.isTerminal {
      replay.note("nothing open at the end", "trial \(trial.number) is \(trial.state.rawValue)")
    }
    guard record.header.stopReason == .budget else { return }
    let finished = record.trials.count { $0.isInSearch && $0.state.countsTowardsBudget }
    if finished != record.header.budget {
      replay.note("budget exact", "\(finished) finished, the budget is \(record.header.budget)")
    }
  }
}
