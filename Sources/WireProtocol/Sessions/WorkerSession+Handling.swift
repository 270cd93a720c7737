import RandomStreams
import Study

extension WorkerSession {
  mutating func send(_ message: Message) -> Action {
    defer { nextID += 1 }
    return .send(Envelope(id: nextID, message: message))
  }

  /// A pause lengthened by 0...25 %, so that workers that lost their coordinator together do not come back together.
  private mutating func jittered(_ pause: Duration) -> Duration {
    draws += 1
    var stream = RandomStream(seed: settings.jitterSeed, purpose: "worker/backoff", index: draws)
    return pause * (1 + stream.uniform() / 4)
  }

  mutating func enqueue(_ submission: Submission, now: Duration) {
    outbox.append(Outgoing(submission: submission, id: nextID, pause: settings.submissionInterval, due: now))
    nextID += 1
  }

  /// Sends the outcomes that are due and doubles their pauses.
  private mutating func sendDueOutcomes(now: Duration) -> [Action] {
    var actions: [Action] = []
    for index in outbox.indices where outbox[index].due <= now {
      actions.append(.send(Envelope(id: outbox[index].id, message: outbox[index].submission.message)))
      outbox[index].due = now + jittered(outbox[index].pause)
      outbox[index].pause = min(outbox[index].pause * 2, settings.submissionMaximum)
    }
    return actions
  }

  mutating func askForWork() -> [Action] {
    state == .active && phase == .idle ? [send(.ready)] : []
  }

  private mutating func remember(_ token: AttemptToken) {
    finished.append(token)
    if finished.count > 256 { finished.removeFirst() }
  }

  // MARK: Time

  mutating func tick(now: Duration) -> [Action] {
    if let leaveBy, now >= leaveBy { return leave(.stopped(stopReason ?? "")) }
    switch state {
    case .left: return []
    case .connecting: return now >= helloDue ? sayHello(now: now) : []
    case .active:
      if now - lastHeard > settings.heartbeat * settings.silentHeartbeats {
        return [.log("no word from the coordinator; connecting again")] + connect(now: now)
      }
      var actions = sendDueOutcomes(now: now)
      if now >= heartbeatDue { actions.append(heartbeat(now: now)) }
      return actions
    }
  }

  private mutating func heartbeat(now: Duration) -> Action {
    heartbeatDue = now + settings.heartbeat
    return send(
      .heartbeat(
        Heartbeat(
          phase: phase, attempt: current?.attempt, progress: progress, device: speaksOfDevice ? device : nil)))
  }

  private mutating func connect(now: Duration) -> [Action] {
    state = .connecting
    hellos = 0
    helloPause = settings.helloInterval
    return sayHello(now: now)
  }

  mutating func sayHello(now: Duration) -> [Action] {
    var actions: [Action] = []
    if hellos == 0 { unansweredDue = now + .seconds(10) }
    if let due = unansweredDue, now >= due {
      actions.append(.unanswered(hellos: hellos, everWelcomed: everWelcomed))
      unansweredDue = now + .seconds(60)
    }
    if hellos > 0, hellos % settings.hellosPerConnection == 0 { actions.append(.reconnect) }
    hellos += 1
    hello.running = current?.attempt
    hello.retained = outbox.map(\.submission.attempt)
    actions.append(send(.hello(hello)))
    helloDue = now + jittered(helloPause)
    helloPause = min(helloPause * 2, settings.helloMaximum)
    return actions
  }

  // MARK: The coordinator's messages

  mutating func receive(_ envelope: Envelope, now: Duration) -> [Action] {
    switch envelope.message {
    case .welcome(let welcome): return welcomed(welcome, now: now)
    case .refused(let refusal): return refused(refusal, now: now)
    case .assign(let assignment): return assigned(assignment, now: now)
    case .cancel(let cancellation):
      guard current?.attempt == cancellation.attempt else {
        if !outbox.contains(where: { $0.submission.attempt == cancellation.attempt }) { remember(cancellation.attempt) }
        return []
      }
      return [.interrupt(cancellation.attempt, .cancelled)]
    case .drain(let drain):
      let isNew = !isDraining
      isDraining = true
      drainReason = drain.reason
      if let current { return isNew && drain.immediately ? [.interrupt(current.attempt, .drained)] : [] }
      return leaveIfDone()
    case .ack(let ack): return acknowledged(ack)
    // The decoder lets only the coordinator's messages through.
    case .hello, .ready, .accepted, .start, .report, .heartbeat, .result, .failure, .released, .goodbye,
      .artifactChunk:
      return []
    }
  }

  private mutating func welcomed(_ welcome: Welcome, now: Duration) -> [Action] {
    guard state == .connecting else { return [] }
    var actions: [Action] = [.welcomed(welcome)]
    if let known = hello.studyIdentifier, known != welcome.studyIdentifier { actions += dropEverything() }
    hello.studyIdentifier = welcome.studyIdentifier
    settings.heartbeat = .milliseconds(welcome.heartbeatMilliseconds)
    state = .active
    speaksOfDevice = true  // this coordinator may be a newer one
    everWelcomed = true
    hellos = 0
    for index in outbox.indices {
      outbox[index].due = now
      outbox[index].pause = settings.submissionInterval
    }
    actions += sendDueOutcomes(now: now)
    actions.append(heartbeat(now: now))
    return actions + askForWork()
  }

  /// The study was started over: what belongs to the old one is of no use.
  private mutating func dropEverything() -> [Action] {
    var actions = outbox.map { Action.forget($0.submission.attempt, .conflict) }
    outbox = []
    finished = []
    if let current {
      actions.append(.interrupt(current.attempt, .cancelled))
      orphan = current.attempt
      self.current = nil
      hasStarted = false
      progress = nil
    }
    return actions
  }

  private mutating func refused(_ refusal: Refusal, now: Duration) -> [Action] {
    if refusal.code == .protocolVersion, state == .active, speaksOfDevice, device != nil {
      // The only frame of a later version than the hello, which was welcome: an older coordinator. It needs the heartbeat
      // all the same.
      speaksOfDevice = false
      return [.log("the coordinator is older and takes no word of the device"), heartbeat(now: now)]
    }
    if refusal.isFinal { return leave(.refused(refusal)) }
    let note = Action.log("the coordinator refused a message: \(refusal.message)")
    guard refusal.code == .helloExpected, state == .active else { return [note] }
    return [note] + connect(now: now)
  }

  private mutating func assigned(_ assignment: Assignment, now: Duration) -> [Action] {
    guard state == .active else { return [] }
    let token = assignment.attempt
    if current?.attempt == token {
      let reference = AttemptReference(attempt: token)
      return [send(.accepted(reference))] + (hasStarted ? [send(.start(reference))] : [])
    }
    if let index = outbox.firstIndex(where: { $0.submission.attempt == token }) {
      outbox[index].due = now
      return sendDueOutcomes(now: now)
    }
    if finished.contains(token) { return [] }
    guard current == nil, orphan == nil, !isDraining, stopReason == nil else {
      let reason: ReleaseReport.Reason = current != nil || orphan != nil ? .busy : .drained
      return retain(.released(ReleaseReport(attempt: token, reason: reason)), now: now)
    }
    current = assignment
    hasStarted = false
    progress = nil
    return [send(.accepted(AttemptReference(attempt: token))), .execute(assignment)]
  }

  private mutating func acknowledged(_ ack: Acknowledgement) -> [Action] {
    if let chunk = chunks.removeValue(forKey: ack.of) {
      return [.chunkAcknowledged(sha256: chunk.sha256, offset: chunk.offset, ack.verdict)]
    }
    guard let index = outbox.firstIndex(where: { $0.id == ack.of }) else { return [] }
    let wasFull = outbox.count >= Self.outboxLimit
    let token = outbox.remove(at: index).submission.attempt
    remember(token)
    let actions: [Action] = [.forget(token, ack.verdict)] + leaveIfDone()
    return wasFull && state == .active ? actions + askForWork() : actions
  }

  // MARK: Local events

  private mutating func retain(_ submission: Submission, now: Duration) -> [Action] {
    enqueue(submission, now: now)
    return [.keep(submission)] + (state == .active ? sendDueOutcomes(now: now) : [])
  }

  mutating func finish(_ submission: Submission, now: Duration) -> [Action] {
    if orphan == submission.attempt {
      orphan = nil
      return leaveIfDone() + askForWork()
    }
    guard current?.attempt == submission.attempt else { return [] }
    current = nil
    hasStarted = false
    progress = nil
    let actions = retain(submission, now: now)
    if stopReason != nil {
      leaveBy = now + Self.stopGrace
      return actions
    }
    return actions + leaveIfDone() + askForWork()
  }

  mutating func stop(_ reason: String, now: Duration) -> [Action] {
    guard stopReason == nil else { return [] }
    stopReason = reason
    if let current { return [.interrupt(current.attempt, .preempted)] }
    if outbox.isEmpty || state == .connecting { return leave(.stopped(reason)) }
    leaveBy = now + Self.stopGrace
    return []
  }

  mutating func leaveIfDone() -> [Action] {
    guard current == nil, outbox.isEmpty else { return [] }
    if let stopReason { return leave(.stopped(stopReason)) }
    return isDraining && !isUploading ? leave(.drained(drainReason)) : []
  }

  private mutating func leave(_ departure: Departure) -> [Action] {
    let wasActive = state == .active
    let reason: String
    switch departure {
    case .stopped(let text), .drained(let text): reason = text
    case .refused(let refusal): reason = refusal.code.rawValue
    }
    let goodbye = wasActive ? [send(.goodbye(Notice(reason: reason.clipped(toBytes: 1000))))] : []
    state = .left
    return goodbye + [.leave(departure)]
  }
}
