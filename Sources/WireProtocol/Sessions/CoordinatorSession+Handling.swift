import Study

extension CoordinatorSession {
  mutating func send(_ message: Message) -> Action {
    defer { nextID += 1 }
    return .send(Envelope(id: nextID, message: message))
  }

  mutating func receive(_ envelope: Envelope, now: Duration) -> [Action] {
    if case .hello(let hello) = envelope.message { return meet(hello) }
    if case .goodbye(let notice) = envelope.message { return close(.goodbye(notice.reason)) }
    switch state {
    case .active: return receiveActive(envelope, now: now)
    case .expectingHello:
      return [send(.refused(Refusal(.helloExpected, "this connection is not known yet: say hello first")))]
    // The coordinator is still deciding, or the session is over: the worker sends again what matters.
    case .deciding, .closed: return []
    }
  }

  private mutating func meet(_ hello: Hello) -> [Action] {
    if state == .deciding, self.hello == hello { return [] }
    guard hello.study == settings.study else {
      return refuse(
        Refusal(.study, "this coordinator serves study \(settings.study.quoted), not \(hello.study.quoted)"))
    }
    let differences = hello.fingerprints.differences(from: settings.fingerprints)
    guard differences.isEmpty else {
      return refuse(
        Refusal(
          .fingerprints,
          "the worker would measure something else (\(differences.joined(separator: "; "))); start it with the "
            + "study's own configuration, base and data"))
    }
    var known = hello
    if let identifier = hello.studyIdentifier, identifier != settings.studyIdentifier {
      // Tokens of another study of this name; the welcome tells the worker to drop them.
      known.running = nil
      known.retained = []
    }
    self.hello = known
    state = .deciding
    isIdle = false
    outstanding = nil
    attempt = nil
    let warnings =
      hello.build == settings.build
      ? [] : ["worker runs build \(hello.build), coordinator \(settings.build)"]
    return [.introduced(known, warnings: warnings)]
  }

  mutating func admit(continues: Bool) -> [Action] {
    guard state == .deciding, let hello else { return [] }
    state = .active
    let identity = WorkerIdentity(
      name: hello.worker, incarnation: hello.incarnation, host: hello.host, device: hello.device,
      deviceBytes: hello.capabilities.memoryBytes)
    var warnings: [String] = []
    if hello.build != settings.build { warnings.append("coordinator runs build \(settings.build)") }
    let welcome = Welcome(
      study: settings.study, studyIdentifier: settings.studyIdentifier, session: settings.session,
      heartbeatMilliseconds: settings.heartbeat.milliseconds, leaseMilliseconds: settings.lease.milliseconds,
      warnings: warnings)
    var actions = [Action.admitted(identity), send(.welcome(welcome))]
    if let running = hello.running {
      if continues {
        attempt = running
        lastAttempt = running
        actions.append(.renew(running))
      } else {
        actions += cancel(running, .superseded)
      }
    }
    if let drain { actions.append(send(.drain(drain))) }
    return actions
  }

  mutating func refuse(_ refusal: Refusal) -> [Action] {
    let message = send(.refused(refusal))
    return [message] + close(.refused(refusal.code))
  }

  mutating func close(_ closure: Closure) -> [Action] {
    state = .closed
    var actions: [Action] = []
    if case .goodbye = closure, let attempt { actions.append(.lost(attempt)) }
    return actions + [.closed(closure)]
  }

  mutating func refuseFrame(_ error: WireError) -> [Action] {
    let refusal = contents(of: error)
    // What a program printed too much of is no attack on the protocol.
    if refusal == nil { violations += 1 }
    let code: Refusal.Code = error.code == .unsupportedVersion ? .protocolVersion : .malformed
    var actions = [send(.refused(Refusal(code, error.description.clipped(toBytes: 2000))))]
    if let refusal { return actions + [refusal] }
    actions.append(.log("refused a frame: \(error)"))
    if violations >= settings.violationLimit { actions += close(.violations) }
    return actions
  }

  /// What a frame is that a worker may well send about its own attempt, and that breaks a limit all the same.
  private func contents(of error: WireError) -> Action? {
    guard state == .active, let subject = error.subject, subject.attempt == attempt || subject.attempt == lastAttempt
    else { return nil }
    switch subject.type {
    case .result, .failure, .released:
      return .refusedOutcome(id: subject.id, subject.attempt, reason: error.description)
    case .report: return .refusedReport(subject.attempt, reason: error.description)
    default: return nil
    }
  }

  mutating func tick(now: Duration) -> [Action] {
    if now - lastHeard > settings.lease { return close(.silent) }
    guard state == .active, let waiting = outstanding, now - waiting.sent >= settings.resend else { return [] }
    outstanding?.sent = now
    return [.send(waiting.envelope)]
  }

  mutating func assign(_ assignment: Assignment, now: Duration) -> [Action] {
    guard state == .active else { return [.lost(assignment.attempt)] }
    isIdle = false
    attempt = assignment.attempt
    lastAttempt = assignment.attempt
    let envelope = Envelope(id: nextID, message: .assign(assignment))
    nextID += 1
    outstanding = Outstanding(envelope: envelope, attempt: assignment.attempt, sent: now)
    return [.send(envelope)]
  }

  mutating func cancel(_ token: AttemptToken, _ reason: Cancellation.Reason) -> [Action] {
    if cancelled.updateValue(reason, forKey: token) == nil {
      cancelledOrder.append(token)
      if cancelledOrder.count > Self.cancelledLimit { cancelled[cancelledOrder.removeFirst()] = nil }
    }
    if outstanding?.attempt == token { outstanding = nil }
    if attempt == token { attempt = nil }
    guard state == .active else { return [] }
    return [send(.cancel(Cancellation(attempt: token, reason: reason)))]
  }
}

extension CoordinatorSession {
  private mutating func receiveActive(_ envelope: Envelope, now: Duration) -> [Action] {
    switch envelope.message {
    case .ready: return [acknowledge(envelope)] + becomeIdle()
    case .accepted(let reference):
      guard cancelled[reference.attempt] == nil else { return stopAgain(reference.attempt) }
      arrived(reference.attempt)
      return [acknowledge(envelope), renew(reference.attempt)]
    case .start(let reference):
      guard cancelled[reference.attempt] == nil else { return stopAgain(reference.attempt) }
      return [acknowledge(envelope)] + begun(reference.attempt) + [renew(reference.attempt)]
    case .report(let report):
      guard cancelled[report.token] == nil else { return stopAgain(report.token) }
      return begun(report.token) + [.report(report), renew(report.token)]
    case .heartbeat(let heartbeat): return [acknowledge(envelope)] + live(heartbeat)
    case .result(let report): return submit(envelope.id, .result(report))
    case .failure(let report): return submit(envelope.id, .failure(report))
    case .released(let report): return submit(envelope.id, .released(report))
    case .artifactChunk(let chunk): return [.store(id: envelope.id, chunk)]
    // The decoder lets only a worker's messages through; hello and goodbye were handled before.
    case .hello, .goodbye, .welcome, .refused, .assign, .cancel, .drain, .ack: return []
    }
  }

  private mutating func acknowledge(_ envelope: Envelope) -> Action {
    send(.ack(Acknowledgement(of: envelope.id, verdict: .accepted)))
  }

  private mutating func becomeIdle() -> [Action] {
    guard outstanding == nil, !isIdle, drain == nil else { return [] }
    isIdle = true
    return [.idle]
  }

  /// The worker has an attempt, as far as this message knows.
  ///
  /// It may be an old message of a worker that is idle by now: what it says next has to be news again, or nobody would
  /// ever give it a trial.
  private mutating func renew(_ token: AttemptToken) -> Action {
    isIdle = false
    return .renew(token)
  }

  /// The worker has the assignment.
  private mutating func arrived(_ token: AttemptToken) {
    if outstanding?.attempt == token { outstanding = nil }
  }

  private mutating func begun(_ token: AttemptToken) -> [Action] {
    arrived(token)
    guard startedAttempt != token else { return [] }
    startedAttempt = token
    return [.started(token)]
  }

  private mutating func stopAgain(_ token: AttemptToken) -> [Action] {
    guard let reason = cancelled[token] else { return [] }
    return [send(.cancel(Cancellation(attempt: token, reason: reason)))]
  }

  private mutating func live(_ heartbeat: Heartbeat) -> [Action] {
    var actions = heartbeat.device.map { [Action.device($0)] } ?? []
    if let token = heartbeat.attempt {
      if cancelled[token] != nil { return stopAgain(token) }
      arrived(token)
      if heartbeat.phase == .running { actions += begun(token) }
      actions.append(renew(token))
      if let progress = heartbeat.progress { actions.append(.progress(token, progress)) }
    } else if heartbeat.phase == .idle {
      actions += becomeIdle()
    }
    if let drain, heartbeat.phase != .draining { actions.append(send(.drain(drain))) }
    return actions
  }

  private mutating func submit(_ id: Int64, _ submission: Submission) -> [Action] {
    let token = submission.attempt
    arrived(token)
    if cancelled.removeValue(forKey: token) != nil { cancelledOrder.removeAll { $0 == token } }
    if attempt == token { attempt = nil }
    return [.submit(id: id, submission)]
  }
}

extension Duration {
  /// Whole milliseconds, at least 1.
  var milliseconds: Int {
    max(1, Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000))
  }
}

extension String {
  /// The text in quotes, cut short, for messages.
  var quoted: String { "\"\(clipped(toBytes: 100))\"" }
}
