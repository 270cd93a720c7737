import BayesianOptimization
import Study
import Transport
import WireProtocol

/// What the coordinator does of its own accord: clock, assignments, proposals, the end.
extension CoordinatorCore {
  mutating func tick() {
    recover()
    flushReports()
    if let held = heldProposal { take(held.outcome, of: held.task) }
    for token in deadlines.keys.sorted() {
      guard let deadline = deadlines[token], deadline <= time.now else { continue }
      let isUnheard = token.rawValue < firstToken && !confirmed.contains(token)
      lose(token, isUnheard ? .coordinatorRestarted : .leaseExpired)
    }
    for (peer, end) in muted where end <= time.now {
      muted[peer] = nil
      sessions[peer] = nil
    }
    for peer in sessions.keys.sorted(by: { $0.id.lexicographicallyPrecedes($1.id) }) { feed(.clock, to: peer) }
    dropGhosts()
    watchProgress()
    clearTallies()
    noteMemory()
    noteQuarantine()
    if let limit = settings.timeLimit, elapsed >= limit, state.header.stopReason == nil {
      _ = commit(state.stop(.time, time: time.wall))
    }
  }

  /// Says once of a trial that none of the workers that are here has the memory for it: it would wait unheard.
  private mutating func noteMemory() {
    let candidates = state.queued.filter { state.trials[$0].needsMoreThanBytes != nil }
    guard !candidates.isEmpty || !waitingForMemory.isEmpty else { return }
    guard !isDraining, state.header.stopReason == nil, !workers.isEmpty else { return }
    let present = workers.values.map(\.identity)
    let waiting = Set(candidates.filter { state.needsLargerDevice(trial: $0, than: present) })
    for number in waiting.subtracting(waitingForMemory).sorted() {
      note(.warning, "\(state.trials[number].memoryWait ?? ""), which no connected worker has")
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
    note(.warning, "\(excess) intermediate reports are given up: nothing can be stored, and 10,000 wait already")
  }

  /// After every event: give work to idle workers, ask for proposals, see whether the study has ended.
  mutating func goOn() {
    if !newcomers.isEmpty { reconsiderNames() }
    assign()
    propose()
    finish()
    // A step that can never be stored and that nobody has answered for: the study cannot go on.
    if let problem = unstorable {
      unstorable = nil
      end(with: problem)
    }
  }

  private mutating func assign() {
    guard !isDraining, state.header.stopReason == nil, !state.queued.isEmpty else { return }
    let resting = Set(rests.keys.filter(isResting))
    let idle = workers.values.filter { $0.isIdle && !resting.contains($0.identity.name) }
      .sorted { $0.idleSince < $1.idleSince }
    for worker in idle {
      let others = workers.values.lazy.map(\.identity)
        .filter { $0.name != worker.identity.name && !resting.contains($0.name) }
      guard let number = state.nextTrial(for: worker.identity, others: others) else { continue }
      let seconds = Double(settings.lease.components.seconds) + Double(settings.lease.components.attoseconds) * 1e-18
      guard
        let step = try? state.lease(trial: number, to: worker.identity, leaseSeconds: seconds, time: time.wall),
        commit(step), let attempt = state.trials[number].liveAttempt
      else { return }
      deadlines[attempt.token] = time.now + settings.lease
      workers[worker.identity.name]?.isIdle = false
      workers[worker.identity.name]?.attempt = attempt.token
      workers[worker.identity.name]?.step = 0
      let trial = state.trials[number]
      feed(
        .assign(
          Assignment(
            attempt: attempt.token, trial: number, configuration: trial.configuration, seed: trial.seed,
            leaseMilliseconds: Int(seconds * 1000))),
        to: worker.peer)
    }
  }

  /// As many proposals as there are idle workers, and some ahead; one is computed at a time.
  private mutating func propose() {
    // Also while nothing can be stored: the one answer is then held and tried again, which finds out when that is over.
    guard !isProposing, !isExhausted, !isDraining, state.proposalsLeft > 0 else { return }
    let idle = workers.values.count { $0.isIdle && !isResting($0.identity.name) }
    let wanted = idle + settings.lookahead - state.queuedCount
    guard wanted > 0 else { return }
    isProposing = true
    let observations = interrupted?.observations ?? state.observations
    let pending = interrupted?.pending ?? state.pendingTrials
    let request = ProposalRequest(
      seed: state.definition.seed, index: state.header.nextProposal, observations: observations,
      pending: pending.map { state.trials[$0].configuration }, warmStart: warmStart?.data)
    output.append(
      .propose(
        ProposalTask(
          request: request, eventNumber: interrupted?.eventNumber ?? state.header.lastEvent, pending: pending,
          warmStartFrom: warmStart?.trial, trial: state.trials.count,
          // A question that is repeated is answered alone: what came after it has to be seen by the next one.
          wanted: interrupted == nil ? min(wanted, state.proposalsLeft) : 1)))
    interrupted = nil
  }

  mutating func take(_ outcome: ProposalOutcome, of task: ProposalTask) {
    // What follows an answer that could not be stored yet is asked for again after it; it must not take its place.
    if let held = heldProposal, held.task.request.index != task.request.index { return }
    isProposing = false
    heldProposal = nil
    guard task.request.index == state.header.nextProposal, state.proposalsLeft > 0 else { return }
    // One that counts on proposals before it is of no use where another trial has taken one of their numbers.
    guard !task.isFollowing || task.trial == state.trials.count else { return }
    switch outcome {
    case .spaceExhausted:
      isExhausted = true
      note(.info, "every configuration of the space is known or under way")
    case .proposal(let proposal):
      let provenance = Provenance(
        source: proposal.source, proposalIndex: task.request.index, fallbacks: proposal.fallbacks,
        eventNumber: task.eventNumber, pending: task.pending, warmStartFrom: task.warmStartFrom,
        hasWarmStart: proposal.warmStart != nil, acquisition: proposal.acquisition.flatMap { $0.isFinite ? $0 : nil },
        diagnostics: proposal.diagnostics.filter { $0.value.isFinite })
      do throws(StudyError) {
        let step = try state.enqueue(
          .search, configuration: proposal.configuration, key: key(proposal.configuration), provenance: provenance,
          warmStart: proposal.warmStart, time: time.wall)
        guard commit(step) else {
          isProposing = true
          heldProposal = (task, outcome)
          return
        }
        if !proposal.fallbacks.isEmpty {
          note(
            .info,
            "trial \(state.trials.count - 1) was proposed by fallback: \(proposal.fallbacks.joined(separator: ", "))")
        }
      } catch {
        // The configuration has become known in the meantime: the next request contains it.
        note(.debug, error.message)
      }
    }
  }

  /// What workers are told at the end.
  static func farewell(_ reason: StopReason) -> String { "the study has ended (\(reason.rawValue))" }

  private mutating func finish() {
    if isExhausted && state.isIdle && state.header.stopReason == nil {
      _ = commit(state.stop(.spaceExhausted, time: time.wall))
    }
    guard let reason = state.header.stopReason, !hasFinished else { return }
    if !isDraining {
      isDraining = true
      // What still runs is finished if the budget ended the study (nothing does), given back otherwise.
      for peer in sessions.keys.sorted(by: { $0.id.lexicographicallyPrecedes($1.id) }) {
        feed(.drain(Drain(immediately: true, reason: Self.farewell(reason))), to: peer)
      }
    }
    guard state.running.isEmpty || workers.isEmpty else { return }
    flushReports()
    hasFinished = true
    output.append(.finished(reason))
  }
}
