import Study
import WireProtocol

/// A worker's session driven by events: every result as a list of the single steps that it stands for, in their order.
extension WorkerSession {
  package enum Event: Sendable {
    case received(Envelope), malformed(WireError), clock
    case evaluatorReady, evaluatorLost
    case started(AttemptToken), progress(AttemptToken, AttemptProgress), report(IntermediateReport)
    case device(DeviceStatus?)
    case finished(Submission)
    case connected
    case chunk(ArtifactChunk), uploading(Bool)
    case stop(String)
  }

  package enum Action: Sendable, Equatable {
    case send(Envelope)
    case keep(Submission), forget(AttemptToken, Acknowledgement.Verdict)
    case execute(Assignment), interrupt(AttemptToken, ReleaseReport.Reason)
    case chunkAcknowledged(sha256: String, offset: Int, Acknowledgement.Verdict)
    case reconnect
    case welcomed(Welcome)
    case unanswered(Unanswered)
    case leave(Departure)
    case log(String)
  }

  package mutating func handle(_ event: Event, now: Duration) -> [Action] {
    switch event {
    case .received(let envelope): receive(envelope, now: now).actions
    case .malformed(let error): [.log("refused a frame of the coordinator: \(error)")]
    case .clock: advance(to: now).actions
    case .evaluatorReady: evaluatorReady().actions
    case .evaluatorLost: perform { $0.evaluatorLost() }
    case .started(let token): start(token).actions
    case .progress(let token, let progress): perform { $0.update(token, progress) }
    case .report(let report): self.report(report).actions
    case .device(let status): perform { $0.device = status }
    case .finished(let submission): finish(submission, now: now).actions
    case .connected: transportConnected(now: now)?.actions ?? []
    case .chunk(let chunk): upload(chunk).actions
    case .uploading(let isUploading): setUploading(isUploading)?.actions ?? []
    case .stop(let reason): stop(reason, now: now).actions
    }
  }

  private mutating func perform(_ change: (inout Self) -> Void) -> [Action] {
    change(&self)
    return []
  }
}

extension WorkerSession.Greeting {
  fileprivate var actions: [WorkerSession.Action] {
    (unanswered.map { [.unanswered($0)] } ?? []) + (needsNewConnection ? [.reconnect] : []) + [.send(hello)]
  }
}

extension WorkerSession.Farewell {
  fileprivate var actions: [WorkerSession.Action] { goodbye.actions + [.leave(departure)] }
}

extension WorkerSession.Next {
  fileprivate var actions: [WorkerSession.Action] {
    switch self {
    case .wait: []
    case .ask(let envelope): [.send(envelope)]
    case .leave(let farewell): farewell.actions
    }
  }
}

extension Envelope? {
  fileprivate var actions: [WorkerSession.Action] { map { [.send($0)] } ?? [] }
}

extension [Envelope] {
  fileprivate var actions: [WorkerSession.Action] { map { .send($0) } }
}

extension WorkerSession.Reception {
  fileprivate var actions: [WorkerSession.Action] {
    switch self {
    case .nothing: []
    case .welcomed(let welcome, let dropped, let messages):
      [.welcomed(welcome)] + (dropped?.outcomes ?? []).map { .forget($0, .conflict) }
        + (dropped?.attempt.map { [.interrupt($0, .cancelled)] } ?? []) + messages.actions
    case .execute(let assignment, let acceptance): [.send(acceptance), .execute(assignment)]
    case .repeated(let messages): messages.actions
    case .retain(let submission, let messages): [.keep(submission)] + messages.actions
    case .interrupt(let token, let reason): [.interrupt(token, reason)]
    case .acknowledged(let token, let verdict, let next): [.forget(token, verdict)] + next.actions
    case .chunkAcknowledged(let digest, let offset, let verdict):
      [.chunkAcknowledged(sha256: digest, offset: offset, verdict)]
    case .refused(let text, let message): [.log(text)] + message.actions
    case .leave(let farewell): farewell.actions
    }
  }
}

extension WorkerSession.TickResult {
  fileprivate var actions: [WorkerSession.Action] {
    switch self {
    case .nothing: []
    case .send(let messages): messages.actions
    case .greet(let greeting): greeting.actions
    case .silent(let hello): [.send(hello)]
    case .leave(let farewell): farewell.actions
    }
  }
}

extension WorkerSession.FinishResult {
  fileprivate var actions: [WorkerSession.Action] {
    switch self {
    case .unknown: []
    case .retain(let submission, let messages): [.keep(submission)] + messages.actions
    case .dropped(let next): next.actions
    }
  }
}

extension WorkerSession.StopResult {
  fileprivate var actions: [WorkerSession.Action] {
    switch self {
    case .wait: []
    case .interrupt(let token, let reason): [.interrupt(token, reason)]
    case .leave(let farewell): farewell.actions
    }
  }
}
