import Study

/// Time.
extension WorkerSession {
  /// Time has passed; call at ``nextDeadline`` or every second.
  package mutating func advance(to now: Duration) -> TickResult {
    guard let work else { return .nothing }
    if case .flushing(let reason, let until, _) = work, now >= until { return .leave(leave(.stopped(reason))) }
    switch state {
    case .left: return .nothing
    case .connecting(let connecting, _):
      return now >= connecting.due ? .greet(greet(connecting, work, now: now)) : .nothing
    case .connected(let link, _):
      if now - link.heard > link.heartbeat * settings.silentHeartbeats { return .silent(hello: reconnect(now: now)) }
      var messages = sendDueOutcomes(now: now)
      if let heartbeat = heartbeatIfDue(now: now) { messages.append(heartbeat) }
      return messages.isEmpty ? .nothing : .send(messages)
    }
  }

  /// The transport has a finished connection again: says hello at once where none was answered.
  package mutating func transportConnected(now: Duration) -> Greeting? {
    guard case .connecting(var connecting, let work) = state else { return nil }
    connecting.pause = settings.helloInterval
    return greet(connecting, work, now: now)
  }

  mutating func heartbeatIfDue(now: Duration) -> Envelope? {
    guard case .connected(var link, let work) = state, now >= link.heartbeatDue else { return nil }
    link.heartbeatDue = now + link.heartbeat
    state = .connected(link, work)
    return envelope(
      .heartbeat(
        Heartbeat(
          phase: phase, attempt: work.attempt?.token, progress: work.attempt?.progress,
          device: link.speaksOfDevice ? device : nil)))
  }

  /// Says hello again to a coordinator that does not know the connection, or was not heard of.
  mutating func reconnect(now: Duration) -> Envelope {
    let connecting = Connecting(pause: settings.helloInterval, wasWelcomed: true)
    return greet(connecting, work ?? .serving(.idle), now: now).hello
  }

  private mutating func greet(_ before: Connecting, _ work: Work, now: Duration) -> Greeting {
    var connecting = before
    var unanswered: Unanswered?
    if let due = before.warningDue, now >= due {
      unanswered = Unanswered(hellos: before.hellos, wasWelcomed: before.wasWelcomed)
      connecting.warningDue = now + .seconds(60)
    }
    if before.hellos == 0 { connecting.warningDue = now + .seconds(10) }
    connecting.hellos += 1
    hello.running = work.attempt?.token
    hello.retained = outbox.tokens
    connecting.due = now + jitter.lengthen(before.pause)
    connecting.pause = min(before.pause * 2, settings.helloMaximum)
    state = .connecting(connecting, work)
    return Greeting(
      unanswered: unanswered,
      needsNewConnection: before.hellos > 0 && before.hellos % settings.hellosPerConnection == 0,
      hello: envelope(.hello(hello)))
  }
}

/// The worker's own process.
extension WorkerSession {
  /// The evaluator has loaded base and data: gives the request for a trial, where one is welcome.
  package mutating func evaluatorReady() -> Envelope? {
    isEvaluatorReady = true
    return requestWork()
  }

  /// The evaluator is not available (the trainer is being replaced): no trials until ``evaluatorReady()``.
  package mutating func evaluatorLost() { isEvaluatorReady = false }

  /// The trainer has begun to execute the attempt; gives what to tell the coordinator.
  package mutating func start(_ token: AttemptToken) -> Envelope? {
    guard let work, work.attempt?.token == token else { return nil }
    set(work.updating { $0.hasStarted = true })
    return isConnected ? envelope(.start(AttemptReference(attempt: token))) : nil
  }

  /// How far the attempt has come: goes with the next heartbeat.
  package mutating func update(_ token: AttemptToken, _ progress: AttemptProgress) {
    guard let work, work.attempt?.token == token else { return }
    set(work.updating { $0.progress = progress })
  }

  /// A vector of intermediate values; gives the message, where it can be sent now.
  package mutating func report(_ report: IntermediateReport) -> Envelope? {
    isConnected && work?.attempt?.token == report.token ? envelope(.report(report)) : nil
  }

  /// A piece of an artifact; gives the message, where it can be sent now.
  ///
  /// Its acknowledgement comes back as
  /// ``Reception/chunkAcknowledged(sha256:offset:_:)``.
  package mutating func upload(_ chunk: ArtifactChunk) -> Envelope? {
    guard isConnected else { return nil }
    chunks[nextID] = (chunk.sha256, chunk.offset)
    return envelope(.artifactChunk(chunk))
  }

  /// Whether artifacts wait to be sent: a draining worker stays until they have arrived.
  package mutating func setUploading(_ isUploading: Bool) -> Farewell? {
    self.isUploading = isUploading
    return leaveIfDone()
  }

  /// The attempt is over.
  package mutating func finish(_ submission: Submission, now: Duration) -> FinishResult {
    guard let work else { return .unknown }
    let token = submission.attempt
    if work.discarded == token {
      set(work.resting(now: now))
      if let farewell = leaveIfDone() { return .dropped(.leave(farewell)) }
      return .dropped(requestWork().map { .ask($0) } ?? .wait)
    }
    guard work.attempt?.token == token else { return .unknown }
    set(work.resting(now: now))
    let messages = retain(submission, now: now)
    return .retain(submission, send: messages + (requestWork().map { [$0] } ?? []))
  }

  /// The worker was asked to leave by a signal: gives its trial back, then leaves.
  package mutating func stop(_ reason: String, now: Duration) -> StopResult {
    switch work {
    case .serving(let activity), .draining(_, let activity):
      if case .executing(let attempt) = activity {
        set(.stopping(reason: reason, .executing(attempt)))
        return .interrupt(attempt.token, .preempted)
      }
      if outbox.isEmpty || isConnecting { return .leave(leave(.stopped(reason))) }
      set(.flushing(reason: reason, until: now + Self.flushTime, discarding: work?.discarded))
      return .wait
    case .stopping, .flushing, nil: return .wait
    }
  }
}
