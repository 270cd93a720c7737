import BayesianOptimization
import RandomStreams

/// One study in memory: the pure state machine of its trials, attempts and leases.
///
/// Every step is a function that changes nothing and returns a ``Transition``; the caller commits it to the store and
/// then, and only then, calls ``apply(_:)``. So memory never runs ahead of the disk, and a failed commit leaves the
/// state as it was. No clock, no randomness and no input or output inside.
package struct StudyState: Sendable {
  /// What never changes.
  package let definition: StudyDefinition
  /// The rules.
  package var policy: StudyPolicy
  /// What changes besides the trials.
  package private(set) var header: StudyHeader
  /// All trials, by number.
  package private(set) var trials = TrialList()
  /// Numbers of the trials that wait for a worker, ascending.
  package private(set) var queued: [Int] = []
  /// Numbers of the trials with a live attempt.
  package private(set) var running: Set<Int> = []
  /// Numbers of the trials that ended, in the order in which they did: the sampler's history.
  package private(set) var ended: [Int] = []
  /// The front of the trials that have ended so far.
  private(set) var paretoFront: StudyFront
  /// Numbers of the trials on the front, ascending.
  package var front: [Int] { paretoFront.numbers }
  /// Trials that use up budget.
  package private(set) var finishedCount = 0
  /// Trials by state.
  package private(set) var counts: [TrialState: Int] = [:]
  /// Search and attached trials that are queued or running.
  package private(set) var openCount = 0
  /// Search and attached trials that are queued.
  package private(set) var queuedCount = 0
  /// What the sampler sees: the trials that ended, in the order in which that was committed.
  package private(set) var observations: [Observation] = []
  /// Numbers of the trials that the user took out.
  private(set) var abandoned: Set<Int> = []
  /// Hypervolume after each completed trial since the reference point was fixed.
  package private(set) var hypervolumes: [Double] = []
  /// Hardware failures of each worker since its last success.
  package private(set) var hardwareFailures: [String: Int] = [:]
  /// Failures of each worker since its last success.
  package private(set) var failureStreaks: [String: FailureStreak] = [:]
  /// Search trials that failed since the last one that completed.
  package private(set) var failuresInARow = 0
  /// Workers on which those trials failed.
  private(set) var failingWorkers: Set<String> = []
  private var trialOfKey: [String: Int] = [:]
  private var trialOfToken: [AttemptToken: Int] = [:]

  /// The state that a store holds.
  package init(record: StudyRecord, policy: StudyPolicy = StudyPolicy()) {
    definition = record.definition
    self.policy = policy
    header = record.header
    paretoFront = StudyFront(objectives: definition.objectives)
    for trial in record.trials { index(trial) }
    let order = record.trials.compactMap { trial in trial.endedEvent.map { ($0, trial.number) } }.sorted { $0 < $1 }
    for (_, number) in order { note(ended: trials[number]) }
    hypervolumes = order.compactMap { trials[$0.1].hypervolume }
    for attempt in trials.flatMap(\.attempts).sorted(by: { $0.token < $1.token }) { note(outcome: attempt) }
  }

  /// Takes over a committed transition.
  package mutating func apply(_ transition: Transition) {
    header = transition.header
    for trial in transition.trials {
      let before = trial.number < trials.count ? trials[trial.number].endedEvent : nil
      let isForgotten = before != nil && before != trial.endedEvent
      let earlier = trial.number < trials.count ? trials[trial.number].attempts : []
      index(trial)
      if isForgotten { forget(ended: trial.number) }
      if trial.endedEvent != nil && trial.endedEvent != before {
        note(ended: trial)
        if let value = trial.hypervolume { hypervolumes.append(value) }
      }
      for attempt in trial.attempts where transition.changedAttempts.contains(attempt.token) {
        // An outcome counts once, also where the attempt is marked later for contradicting itself.
        let wasSo = earlier.first { $0.token == attempt.token }?.state == attempt.state
        if !wasSo { note(outcome: attempt) }
      }
    }
  }

  /// The trial of that number.
  package func trial(_ number: Int) throws(StudyError) -> Trial {
    guard trials.indices.contains(number) else {
      throw StudyError(
        .unknownTrial, "there is no trial \(number) in study \(definition.name); it has \(trials.count) trials")
    }
    return trials[number]
  }

  /// The trial with that configuration key, if any.
  package func trial(key: String) -> Trial? { trialOfKey[key].map { trials[$0] } }

  /// The attempt with that token and its trial, if any.
  package func attempt(_ token: AttemptToken) -> (attempt: Attempt, trial: Trial)? {
    guard let number = trialOfToken[token] else { return nil }
    guard let attempt = trials[number].attempts.first(where: { $0.token == token }) else { return nil }
    return (attempt, trials[number])
  }

  /// The live attempts, by token.
  package var liveAttempts: [Attempt] {
    running.compactMap { trials[$0].liveAttempt }.sorted { $0.token < $1.token }
  }

  /// The live attempts of a worker, by token.
  package func liveAttempts(of worker: String) -> [Attempt] {
    running.compactMap { number -> Attempt? in
      guard let attempt = trials[number].liveAttempt, attempt.worker.name == worker else { return nil }
      return attempt
    }.sorted { $0.token < $1.token }
  }

  /// Whether nothing is queued and nothing runs.
  package var isIdle: Bool { queued.isEmpty && running.isEmpty }

  // MARK: - Bookkeeping

  private mutating func index(_ trial: Trial) {
    if trial.number == trials.count {
      trials.append(trial)
      trialOfKey[trial.configurationKey] = trial.number
    } else {
      count(trials[trial.number], by: -1)
      trials[trial.number] = trial
    }
    count(trial, by: 1)
    for attempt in trial.attempts where trialOfToken[attempt.token] == nil {
      trialOfToken[attempt.token] = trial.number
    }
    if trial.state == .running { running.insert(trial.number) } else { running.remove(trial.number) }
    let position = queued.partitioningIndex { $0 >= trial.number }
    let isThere = position < queued.count && queued[position] == trial.number
    if trial.state == .queued && !isThere { queued.insert(trial.number, at: position) }
    if trial.state != .queued && isThere { queued.remove(at: position) }
  }

  private mutating func count(_ trial: Trial, by step: Int) {
    counts[trial.state, default: 0] += step
    guard trial.isInSearch else { return }
    if trial.state.countsTowardsBudget { finishedCount += step }
    if !trial.state.isTerminal { openCount += step }
    if trial.state == .queued { queuedCount += step }
  }

  private mutating func note(ended trial: Trial) {
    ended.append(trial.number)
    if trial.state == .abandoned {
      abandoned.insert(trial.number)
    } else {
      observations.append(Self.observation(of: trial))
    }
    paretoFront.add(trial)
    guard trial.kind == .search else { return }
    if trial.state == .completed {
      failuresInARow = 0
      failingWorkers = []
    }
    if trial.state == .failed {
      failuresInARow += 1
      failingWorkers.formUnion(trial.failingWorkers)
    }
  }

  private mutating func forget(ended number: Int) {
    ended.removeAll { $0 == number }
    abandoned.remove(number)
    observations = ended.compactMap { abandoned.contains($0) ? nil : Self.observation(of: trials[$0]) }
    failuresInARow = 0
    failingWorkers = []
  }

  private mutating func note(outcome attempt: Attempt) {
    let worker = attempt.worker.name
    if attempt.state == .succeeded {
      hardwareFailures[worker] = nil
      failureStreaks[worker] = nil
      for other in failureStreaks.keys { failureStreaks[other]?.othersSucceeded = true }
    } else if attempt.state == .failed, let failure = attempt.failure, failure.failureClass.blamesWorker {
      if failure.failureClass == .hardware { hardwareFailures[worker, default: 0] += 1 }
      failureStreaks[worker, default: FailureStreak()].count += 1
    }
  }

  /// The seed of a trial's training: below 2^53.
  func seed(trial number: Int) -> UInt64 { definition.seed(trial: number) }
}

extension StudyDefinition {
  /// The seed of a trial's training: below 2^53.
  func seed(trial number: Int) -> UInt64 {
    var stream = RandomStream(seed: seed, purpose: "trial", index: UInt64(number))
    return stream.next() >> 11
  }
}

extension StudyState {
  /// Failures in a row of one worker.
  package struct FailureStreak: Hashable, Sendable {
    /// How many.
    package internal(set) var count = 0
    /// Whether another worker has had a result in the meantime.
    package internal(set) var othersSucceeded = false
  }
}

extension Trial {
  /// Names of the workers on which it failed or with which it vanished.
  var failingWorkers: Set<String> {
    Set(attempts.filter { $0.state == .failed || $0.state == .expired }.map(\.worker.name))
  }
}

extension Array {
  /// First index at which `predicate` holds, for an array in which it is false up to a point and true from there on.
  func partitioningIndex(where predicate: (Element) -> Bool) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      if predicate(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
