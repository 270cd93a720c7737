import Foundations
import BayesianOptimization
import Study
import Transport
import WireProtocol

/// What the coordinator does of its own accord: clock, assignments, proposals, the end.
extension CoordinatorCore {
  mutating func tick() {
    recover()
    flushReports()
    if case .held(let task, let outcome) = proposals { receive(outcome, to: task) }
    for token in deadlines.keys.sorted() {
      guard let deadline = deadlines[token], deadline <= now else { continue }
      let isUnheard = token.rawValue < firstToken && !confirmed.contains(token)
      lose(token, isUnheard ? .coordinatorRestarted : .leaseExpired)
    }
    for (peer, end) in muted where end <= now {
      muted[peer] = nil
      sessions[peer] = nil
    }
    for peer in sortedPeers { tick(peer) }
    dropGhosts()
    watchProgress()
    clearTallies()
    noteMemory()
    noteQuarantine()
    if let limit = settings.timeLimit, elapsed >= limit, state.header.stopReason == nil {
      _ = commit(state.stop(.time, time: wallTime))
    }
  }

  /// Says once of a trial that none of the workers that are here has the memory for it: it would wait unheard.
  private mutating func noteMemory() {
    let candidates = state.queued.filter { state.trials[$0].needsMoreThanBytes != nil }
    guard !candidates.isEmpty || !waitingForMemory.isEmpty else { return }
    guard phase == .serving, state.header.stopReason == nil, !workers.isEmpty else { return }
    let present = workers.values.map(\.identity)
    let waiting = Set(candidates.filter { state.needsLargerDevice(trial: $0, than: present) })
    for number in waiting.subtracting(waitingForMemory).sorted() {
      log(.warning, "\(state.trials[number].memoryWait ?? ""), which no connected worker has")
    }
    waitingForMemory = waiting
  }

  /// Reports are stored in batches: one that is lost is not missed.
  private mutating func flushReports() {
    guard !reports.isEmpty else { return }
    let batch = Transition(events: [], header: state.header, reports: reports)
    if commit(batch) { return reports = [] }
    let excess = reports.count - 10_000
    guard excess > 0 else { return }
    reports.removeFirst(excess)
    log(.warning, "\(excess) intermediate reports are given up: nothing can be stored, and 10,000 wait already")
  }

  /// After every event: gives trials to idle workers, asks for proposals, sees whether the study has ended.
  mutating func schedule() {
    if !newcomers.isEmpty { reconsiderNames() }
    assign()
    propose()
    finish()
  }

  private mutating func assign() {
    guard phase == .serving, state.header.stopReason == nil, !state.queued.isEmpty else { return }
    let resting = Set(rests.keys.filter(isResting))
    let idle = workers.values.filter { $0.isIdle && !resting.contains($0.identity.name) }
      .sorted { $0.idleSince < $1.idleSince }
    for worker in idle {
      let others = workers.values.lazy.map(\.identity)
        .filter { $0.name != worker.identity.name && !resting.contains($0.name) }
      guard let number = state.nextTrial(for: worker.identity, others: others) else { continue }
      guard
        let step = try? state.lease(
          trial: number, to: worker.identity, leaseSeconds: settings.lease.seconds, time: wallTime),
        commit(step), let attempt = state.trials[number].liveAttempt
      else { return }
      deadlines[attempt.token] = now + settings.lease
      workers[worker.identity.name]?.isIdle = false
      workers[worker.identity.name]?.attempt = attempt.token
      workers[worker.identity.name]?.step = 0
      let trial = state.trials[number]
      let assignment = Assignment(
        attempt: attempt.token, trial: number, configuration: trial.configuration, seed: trial.seed,
        leaseMilliseconds: settings.lease.milliseconds)
      hand(assignment, to: worker.peer)
    }
  }

  private mutating func hand(_ assignment: Assignment, to peer: Peer) {
    let time = now
    let message = sessions[peer]?.value.assign(assignment, now: time)
    if message == nil { release(assignment.attempt, reason: "its worker no longer holds it") }
    send(message, to: peer)
  }

  /// Asks all workers to leave.
  mutating func drain(_ request: Drain) {
    if phase == .serving { phase = .draining }
    for peer in sortedPeers { send(sessions[peer]?.value.drain(request), to: peer) }
  }

  /// What workers are told at the end.
  static func farewell(_ reason: StopReason) -> String { "the study has ended (\(reason.rawValue))" }

  private mutating func finish() {
    if case .exhausted = proposals, state.isIdle, state.header.stopReason == nil {
      _ = commit(state.stop(.spaceExhausted, time: wallTime))
    }
    guard let reason = state.header.stopReason else { return }
    // What still runs is finished if the budget ended the study (nothing does), given back otherwise.
    if phase == .serving { drain(Drain(immediately: true, reason: Self.farewell(reason))) }
    guard phase == .draining, state.running.isEmpty || workers.isEmpty else { return }
    flushReports()
    guard phase == .draining else { return }
    phase = .finished
    emit(.finished(reason))
  }
}
