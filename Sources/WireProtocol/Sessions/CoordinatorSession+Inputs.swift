import Foundations
import Study

/// What the coordinator decides.
extension CoordinatorSession {
  /// Time has passed; call at least once per heartbeat interval.
  package mutating func advance(to now: Duration) -> TickResult {
    if case .closed = state { return .nothing }
    if now - heard > settings.lease {
      close()
      return .closed(.silent)
    }
    guard case .active(_, .assigned(var assigned)) = state, now - assigned.sent >= settings.resend else {
      return .nothing
    }
    assigned.sent = now
    set(.assigned(assigned))
    return .resend(assigned.envelope)
  }

  /// Lets the worker in that has introduced itself; nil where none has.
  ///
  /// - Parameter continues: whether the attempt that the worker says it is executing still holds its lease (ignored where
  ///   the hello names none).
  package mutating func admit(continues: Bool) -> Admission? {
    guard case .deciding(let hello) = state else { return nil }
    state = .active(hello, .busy(nil))
    let identity = WorkerIdentity(
      name: hello.worker, incarnation: hello.incarnation, host: hello.host, device: hello.device,
      deviceBytes: hello.capabilities.memoryBytes)
    let welcome = Welcome(
      study: settings.study, studyIdentifier: settings.studyIdentifier, session: settings.session,
      heartbeatMilliseconds: max(1, settings.heartbeat.milliseconds),
      leaseMilliseconds: max(1, settings.lease.milliseconds),
      warnings: hello.build == settings.build ? [] : ["coordinator runs build \(settings.build)"])
    var admission = Admission(identity: identity, welcome: envelope(.welcome(welcome)))
    if let token = hello.running {
      if continues {
        set(.busy(token))
        newestAttempt = token
        admission.running = .goesOn(token)
      } else {
        admission.running = cancel(token, .superseded).map { .stop($0) }
      }
    }
    if let drainRequest { admission.drain = envelope(.drain(drainRequest)) }
    return admission
  }

  /// Turns away the worker that has introduced itself: gives the message, and the session is over.
  package mutating func refuse(_ refusal: Refusal) -> Envelope? {
    if case .closed = state { return nil }
    defer { close() }
    return envelope(.refused(refusal))
  }

  /// Gives the worker a trial, after ``News/idle`` only.
  ///
  /// Nil where the worker is not there: the attempt is lost.
  package mutating func assign(_ assignment: Assignment, now: Duration) -> Envelope? {
    guard case .active = state else { return nil }
    newestAttempt = assignment.attempt
    let message = envelope(.assign(assignment))
    set(.assigned(Assigned(envelope: message, attempt: assignment.attempt, sent: now)))
    return message
  }

  /// The acknowledgement of a message whose contents are committed, or found to be known, with this verdict.
  package mutating func acknowledge(_ id: Int64, _ verdict: Acknowledgement.Verdict) -> Envelope? {
    if case .closed = state { return nil }
    return envelope(.ack(Acknowledgement(of: id, verdict: verdict)))
  }

  /// Stops an attempt of this worker.
  package mutating func cancel(_ token: AttemptToken, _ reason: Cancellation.Reason) -> Envelope? {
    if case .closed = state { return nil }
    stopped.insert(token, reason)
    guard let work else { return nil }
    if work.attempt == token {
      if case .idle = work { set(.idle(nil)) } else { set(.busy(nil)) }
    }
    return envelope(.cancel(Cancellation(attempt: token, reason: reason)))
  }

  /// Asks the worker to leave, now or as soon as it is let in.
  package mutating func drain(_ request: Drain) -> Envelope? {
    if case .closed = state { return nil }
    drainRequest = request
    guard let work else { return nil }
    if case .idle(let token) = work { set(.busy(token)) }
    return envelope(.drain(request))
  }

  /// A message that changes nothing, to see whether the connection still stands.
  package mutating func probe() -> Envelope? { acknowledge(0, .accepted) }
}
