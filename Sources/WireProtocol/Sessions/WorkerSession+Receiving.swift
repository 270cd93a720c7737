import Study

/// The coordinator's messages.
extension WorkerSession {
  /// A message has arrived.
  package mutating func receive(_ envelope: Envelope, now: Duration) -> Reception {
    guard let work else { return .nothing }
    if case .connected(var link, _) = state {
      link.heard = now
      state = .connected(link, work)
    }
    switch envelope.message {
    case .welcome(let welcome): return receive(welcome, now: now)
    case .refused(let refusal): return receive(refusal, now: now)
    case .assign(let assignment): return receive(assignment, work, now: now)
    case .cancel(let cancellation): return receive(cancellation, work)
    case .drain(let drain): return receive(drain, work)
    case .ack(let acknowledgement): return receive(acknowledgement)
    // The decoder lets only the coordinator's messages through.
    case .hello, .ready, .accepted, .start, .report, .heartbeat, .result, .failure, .released, .goodbye,
      .artifactChunk:
      return .nothing
    }
  }

  private mutating func receive(_ welcome: Welcome, now: Duration) -> Reception {
    guard case .connecting(_, var work) = state else { return .nothing }
    var dropped: Dropped?
    if let known = hello.studyIdentifier, known != welcome.studyIdentifier {
      dropped = Dropped(outcomes: outbox.clear(), attempt: work.attempt?.token)
      work = work.discarding()
    }
    hello.studyIdentifier = welcome.studyIdentifier
    let interval = Duration.milliseconds(welcome.heartbeatMilliseconds)
    state = .connected(Link(heartbeat: interval, heartbeatDue: now, heard: now), work)
    outbox.restart(pause: settings.submissionInterval, now: now)
    var messages = sendDueOutcomes(now: now)
    if let heartbeat = heartbeatIfDue(now: now) { messages.append(heartbeat) }
    if let request = requestWork() { messages.append(request) }
    return .welcomed(welcome, dropped: dropped, send: messages)
  }

  private mutating func receive(_ refusal: Refusal, now: Duration) -> Reception {
    if case .connected(var link, let work) = state, refusal.code == .protocolVersion, link.speaksOfDevice, device != nil
    {
      // Only a frame with the device is of a later version than the hello, which was welcome: the coordinator is older.
      // It needs the heartbeat all the same.
      link.speaksOfDevice = false
      link.heartbeatDue = now
      state = .connected(link, work)
      return .refused(
        "the coordinator is older and does not understand the device's status", send: heartbeatIfDue(now: now))
    }
    if refusal.isFinal { return .leave(leave(.refused(refusal))) }
    let text = "the coordinator refused a message: \(refusal.message)"
    return .refused(text, send: refusal.code == .helloExpected && isConnected ? reconnect(now: now) : nil)
  }

  private mutating func receive(_ assignment: Assignment, _ work: Work, now: Duration) -> Reception {
    guard isConnected else { return .nothing }
    let token = assignment.attempt
    let reference = AttemptReference(attempt: token)
    if let attempt = work.attempt, attempt.token == token {
      let acceptance = envelope(.accepted(reference))
      return .repeated([acceptance] + (attempt.hasStarted ? [envelope(.start(reference))] : []))
    }
    if outbox.holds(token) {
      outbox.expedite(token, now: now)
      return .repeated(sendDueOutcomes(now: now))
    }
    if outbox.isOver(token) { return .nothing }
    guard case .serving(.idle) = work else {
      let isBusy = work.attempt != nil || work.discarded != nil
      let release = Submission.released(ReleaseReport(attempt: token, reason: isBusy ? .busy : .drained))
      return .retain(release, send: retain(release, now: now))
    }
    set(.serving(.executing(Attempt(assignment))))
    return .execute(assignment, acceptance: envelope(.accepted(reference)))
  }

  private mutating func receive(_ cancellation: Cancellation, _ work: Work) -> Reception {
    let token = cancellation.attempt
    if work.attempt?.token == token { return .interrupt(token, .cancelled) }
    if !outbox.holds(token) { outbox.remember(token) }
    return .nothing
  }

  private mutating func receive(_ drain: Drain, _ work: Work) -> Reception {
    switch work {
    case .serving(let activity):
      set(.draining(reason: drain.reason, activity))
      if case .executing(let attempt) = activity, drain.immediately { return .interrupt(attempt.token, .drained) }
    case .draining(_, let activity): set(.draining(reason: drain.reason, activity))
    case .stopping, .flushing: break
    }
    return leaveIfDone().map { .leave($0) } ?? .nothing
  }

  private mutating func receive(_ acknowledgement: Acknowledgement) -> Reception {
    if let chunk = chunks.removeValue(forKey: acknowledgement.of) {
      return .chunkAcknowledged(sha256: chunk.sha256, offset: chunk.offset, acknowledgement.verdict)
    }
    let wasFull = outbox.isFull
    guard let token = outbox.remove(acknowledged: acknowledgement.of) else { return .nothing }
    if let farewell = leaveIfDone() { return .acknowledged(token, acknowledgement.verdict, .leave(farewell)) }
    let request = wasFull ? requestWork() : nil
    return .acknowledged(token, acknowledgement.verdict, request.map { .ask($0) } ?? .wait)
  }
}
