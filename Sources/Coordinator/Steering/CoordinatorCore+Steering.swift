import BayesianOptimization
import Study
import WireProtocol

/// What a person may want of a running study.
extension CoordinatorCore {
  /// Carries out a command and gives the answer with the actions that follow from it.
  ///
  /// - Throws: ``StudyError`` if the command can not be carried out; nothing has changed then.
  package mutating func steer(
    _ command: SteeringCommand, now: Duration, wallTime: Double
  ) throws(StudyError) -> (reply: SteeringReply, actions: [Action]) {
    let before = handle(.clock, now: now, wallTime: wallTime)
    let reply = try carryOut(command)
    schedule()
    return (reply, before + collect())
  }

  private mutating func commitOrRefuse(_ transition: Transition) throws(StudyError) {
    switch tryCommit(transition) {
    case .stored: return
    case .impossible(let problem): throw problem
    case .notStored:
      throw trouble ?? StudyError(.inputOutput, "the study could not be written; see the coordinator's log")
    }
  }

  private mutating func carryOut(_ command: SteeringCommand) throws(StudyError) -> SteeringReply {
    switch command {
    case .pause:
      let was = state.header.isPaused
      try commitOrRefuse(state.pause(time: wallTime))
      let ended = state.header.stopReason.map { " (the study has ended: \($0.rawValue))" } ?? ""
      return SteeringReply(
        message: "\(was ? "paused already" : "paused"): running trials go on, no new ones begin\(ended)")
    case .resume: return try resume()
    case .retry(let number):
      try commitOrRefuse(state.retry(trial: number, time: wallTime))
      return SteeringReply(message: "trial \(number) runs again", trial: state.trials[number])
    case .abandon(let number):
      let (step, token) = try state.abandon(trial: number, time: wallTime)
      try commitOrRefuse(step)
      if let token { stop(token, .abandoned) }
      return SteeringReply(message: "trial \(number) is abandoned", trial: state.trials[number])
    case .enqueue(let configuration):
      let provenance = Provenance(source: "attached", eventNumber: state.header.lastEvent)
      try commitOrRefuse(
        state.enqueue(
          .attached, configuration: configuration, key: key(configuration), provenance: provenance, time: wallTime))
      return SteeringReply(message: "trial \(state.trials.count - 1) is queued", trial: state.trials.last)
    case .attach(let configuration, let result):
      try commitOrRefuse(
        state.attach(configuration: configuration, key: key(configuration), result: result, time: wallTime))
      return SteeringReply(message: "trial \(state.trials.count - 1) is attached", trial: state.trials.last)
    case .reinstate(let worker): return try reinstate(worker)
    case .ask, .tell, .tellFailure: return try carryOutOutside(command)
    }
  }

  /// Ends a pause; a study that has ended because everything failed, or for want of progress, goes on.
  private mutating func resume() throws(StudyError) -> SteeringReply {
    let was = state.header.isPaused
    try commitOrRefuse(state.resume(time: wallTime))
    switch state.header.stopReason {
    case .failing?, .converged?:
      let reason = state.header.stopReason?.rawValue ?? ""
      try commitOrRefuse(state.proceed(time: wallTime))
      return SteeringReply(
        message: "study \(state.definition.name) had ended (\(reason)) and goes on when it is run again")
    case let reason?:
      return SteeringReply(
        message: "\(was ? "resumed, but" : "not paused;") study \(state.definition.name) has ended (\(reason.rawValue))"
          + (reason == .budget ? ": raise study.budget to go on" : ""))
    case nil: return SteeringReply(message: was ? "resumed" : "not paused; nothing to do")
    }
  }

  private mutating func reinstate(_ worker: String) throws(StudyError) -> SteeringReply {
    guard state.header.quarantined.contains(worker) else {
      let others = state.header.quarantined.sorted().joined(separator: ", ")
      throw StudyError(
        .notFound,
        "worker '\(worker)' is not out of service; "
          + (others.isEmpty ? "no worker of study \(state.definition.name) is" : "out of service: \(others)"))
    }
    try commitOrRefuse(state.reinstate(worker: worker, time: wallTime))
    return SteeringReply(
      message: "worker \(worker) may take trials again (start it again if it has left); "
        + "one more hardware failure before its next success takes it out again")
  }

  private mutating func carryOutOutside(_ command: SteeringCommand) throws(StudyError) -> SteeringReply {
    switch command {
    case .ask(let worker):
      let identity = WorkerIdentity(name: worker, incarnation: "ask")
      guard let number = state.nextTrial(for: identity, others: []) else {
        throw nothingToAsk
      }
      // Nobody sends heartbeats for it: the lease lasts until the answer, or until `trial abandon`.
      try commitOrRefuse(state.lease(trial: number, to: identity, leaseSeconds: 0, time: wallTime))
      if let token = state.trials[number].liveAttempt?.token { try commitOrRefuse(state.start(token, time: wallTime)) }
      return SteeringReply(message: "trial \(number)", trial: state.trials[number])
    case .tell(let token, let result):
      let answer = try state.complete(token, result: result, time: wallTime)
      return try commitTold(token, answer)
    case .tellFailure(let token, let failure):
      let answer = try state.fail(token, failure, time: wallTime)
      return try commitTold(token, answer)
    default: throw StudyError(.illegalTransition, "unknown command")
    }
  }

  /// Why there is no trial to give out.
  private var nothingToAsk: StudyError {
    let name = state.definition.name
    if let reason = state.header.stopReason {
      return StudyError(
        .illegalTransition, "study \(name) has ended (\(reason.rawValue)); raise study.budget and run it again to go on"
      )
    }
    if state.header.isPaused {
      return StudyError(.illegalTransition, "study \(name) is paused; engram study resume \(name) ends that")
    }
    if state.proposalsLeft == 0 {
      return StudyError(
        .busy, "every trial of the budget of \(state.header.budget) is given out; wait for the running ones")
    }
    return StudyError(.busy, "no trial is waiting: the next one is being computed; ask again in a moment")
  }

  /// Commits what somebody outside has told of an attempt.
  private mutating func commitTold(
    _ token: AttemptToken, _ answer: (transition: Transition, verdict: Verdict)
  ) throws(StudyError) -> SteeringReply {
    try commitOrRefuse(answer.transition)
    deadlines[token] = nil
    if case .refused(let why) = answer.verdict { throw StudyError(.conflictingResult, why) }
    let trial = state.attempt(token)?.trial
    return SteeringReply(message: "\(answer.verdict)", trial: trial)
  }

  private mutating func stop(_ token: AttemptToken, _ reason: Cancellation.Reason) {
    deadlines[token] = nil
    guard let worker = workers.values.first(where: { $0.attempt == token }) else { return }
    cancel(token, reason, at: worker.peer)
  }
}
