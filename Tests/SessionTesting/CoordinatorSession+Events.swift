import Study
import WireProtocol

/// A coordinator's session driven by events: every result as a list of the single steps that it stands for, in their
/// order.
extension CoordinatorSession {
  package enum Event: Sendable {
    case received(Envelope), malformed(WireError), clock
    case admit(continues: Bool), refuse(Refusal)
    case assign(Assignment)
    case settled(id: Int64, Acknowledgement.Verdict)
    case cancel(AttemptToken, Cancellation.Reason)
    case drain(Drain)
    case probe
  }

  package enum Action: Sendable, Equatable {
    case send(Envelope)
    case introduced(Hello, warnings: [String]), admitted(WorkerIdentity)
    case idle
    case renew(AttemptToken), started(AttemptToken)
    case progress(AttemptToken, AttemptProgress), report(IntermediateReport)
    case device(DeviceStatus)
    case submit(id: Int64, Submission), store(id: Int64, ArtifactChunk)
    case refusedOutcome(id: Int64, AttemptToken, reason: String), refusedReport(AttemptToken, reason: String)
    case lost(AttemptToken)
    case closed(Closure)
    case log(String)
  }

  package mutating func handle(_ event: Event, now: Duration) -> [Action] {
    switch event {
    case .received(let envelope): receive(envelope, now: now).actions
    case .malformed(let error): receive(error, now: now).actions
    case .clock: advance(to: now).actions
    case .admit(let continues): admit(continues: continues)?.actions ?? []
    case .refuse(let refusal): refuse(refusal).map { [.send($0), .closed(.refused(refusal.code))] } ?? []
    case .assign(let assignment): assign(assignment, now: now).map { [.send($0)] } ?? [.lost(assignment.attempt)]
    case .settled(let id, let verdict): acknowledge(id, verdict).map { [.send($0)] } ?? []
    case .cancel(let token, let reason): cancel(token, reason).map { [.send($0)] } ?? []
    case .drain(let request): drain(request).map { [.send($0)] } ?? []
    case .probe: probe().map { [.send($0)] } ?? []
    }
  }
}

extension CoordinatorSession.Reception {
  fileprivate var actions: [CoordinatorSession.Action] {
    switch self {
    case .nothing: []
    case .reply(let messages): messages.map { .send($0) }
    case .introduced(let hello, let warnings): [.introduced(hello, warnings: warnings)]
    case .refused(let message, let closure): [.send(message), .closed(closure)]
    case .alive(let sign): sign.actions
    case .submit(let id, let submission): [.submit(id: id, submission)]
    case .store(let id, let chunk): [.store(id: id, chunk)]
    case .left(let lost, let closure): (lost.map { [.lost($0)] } ?? []) + [.closed(closure)]
    }
  }
}

extension CoordinatorSession.SignOfLife {
  fileprivate var actions: [CoordinatorSession.Action] {
    var actions: [CoordinatorSession.Action] = []
    if let acknowledgement { actions.append(.send(acknowledgement)) }
    if let device { actions.append(.device(device)) }
    switch news {
    case .none: break
    case .idle: actions.append(.idle)
    case .attempt(let news):
      if news.hasBegun { actions.append(.started(news.attempt)) }
      if let report = news.report { actions.append(.report(report)) }
      actions.append(.renew(news.attempt))
      if let progress = news.progress { actions.append(.progress(news.attempt, progress)) }
    }
    if let drain { actions.append(.send(drain)) }
    return actions
  }
}

extension CoordinatorSession.FrameRefusal {
  fileprivate var actions: [CoordinatorSession.Action] {
    switch self {
    case .nothing: []
    case .refused(let message, let text): [.send(message), .log(text)]
    case .closed(let message, let text, let closure): [.send(message), .log(text), .closed(closure)]
    case .refusedOutcome(let message, let id, let token, let reason):
      [.send(message), .refusedOutcome(id: id, token, reason: reason)]
    case .refusedReport(let message, let token, let reason): [.send(message), .refusedReport(token, reason: reason)]
    }
  }
}

extension CoordinatorSession.TickResult {
  fileprivate var actions: [CoordinatorSession.Action] {
    switch self {
    case .nothing: []
    case .resend(let envelope): [.send(envelope)]
    case .closed(let closure): [.closed(closure)]
    }
  }
}

extension CoordinatorSession.Admission {
  fileprivate var actions: [CoordinatorSession.Action] {
    var actions: [CoordinatorSession.Action] = [.admitted(identity), .send(welcome)]
    switch running {
    case .goesOn(let token): actions.append(.renew(token))
    case .stop(let message): actions.append(.send(message))
    case nil: break
    }
    if let drain { actions.append(.send(drain)) }
    return actions
  }
}
