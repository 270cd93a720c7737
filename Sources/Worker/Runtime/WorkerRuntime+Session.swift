import Study
import WireProtocol

/// Carries out what the session decides.
extension WorkerRuntime {
  func receive(_ envelope: Envelope) {
    switch session.receive(envelope, now: now) {
    case .nothing: break
    case .welcomed(let welcome, let dropped, let messages): enter(welcome, dropped, messages)
    case .execute(let assignment, let acceptance):
      send(acceptance)
      execute(assignment)
    case .repeated(let messages): send(messages)
    case .retain(let submission, let messages): keep(submission, messages)
    case .interrupt(let token, let reason): interrupt(token, reason)
    case .acknowledged(let token, let verdict, let next):
      forget(token, verdict)
      proceed(next)
    case .chunkAcknowledged(let digest, let offset, let verdict): uploaded(digest, offset, verdict)
    case .refused(let text, let message):
      note(.info(text))
      send(message)
    case .leave(let farewell): leave(farewell)
    }
  }

  func passTime() {
    switch session.advance(to: now) {
    case .nothing: break
    case .send(let messages): send(messages)
    case .greet(let greeting): greet(greeting)
    case .silent(let hello):
      note(.info("no word from the coordinator; connecting again"))
      send(hello)
    case .leave(let farewell): leave(farewell)
    }
  }

  func greet(_ greeting: WorkerSession.Greeting) {
    if let unanswered = greeting.unanswered {
      note(.warning(diagnosis(everWelcomed: unanswered.wasWelcomed)))
    }
    if greeting.needsNewConnection { transport.reconnect() }
    send(greeting.hello)
  }

  func finish(_ submission: Submission) {
    switch session.finish(submission, now: now) {
    case .unknown: break
    case .retain(let submission, let messages): keep(submission, messages)
    case .dropped(let next): proceed(next)
    }
  }

  func stop(_ reason: String) {
    switch session.stop(reason, now: now) {
    case .wait: break
    case .interrupt(let token, let reason): interrupt(token, reason)
    case .leave(let farewell): leave(farewell)
    }
  }

  func setUploading(_ isUploading: Bool) {
    if let farewell = session.setUploading(isUploading) { leave(farewell) }
  }

  func send(_ message: Envelope?) {
    if let message { transport.send(codec.encode(message)) }
  }

  private func send(_ messages: [Envelope]) {
    for message in messages { send(message) }
  }

  private func enter(_ welcome: Welcome, _ dropped: WorkerSession.Dropped?, _ messages: [Envelope]) {
    if let known = file.studyIdentifier, known != welcome.studyIdentifier { forgetFiles() }
    save { try file.setStudy(welcome.studyIdentifier) }
    note(.connected(study: welcome.study, endpoint: "\(settings.endpoint)"))
    for warning in welcome.warnings { note(.warning(warning)) }
    for token in dropped?.outcomes ?? [] { forget(token, .conflict) }
    if let token = dropped?.attempt { interrupt(token, .cancelled) }
    send(messages)
  }

  private func keep(_ submission: Submission, _ messages: [Envelope]) {
    save { try file.keep(submission) }
    send(messages)
  }

  private func forget(_ token: AttemptToken, _ verdict: Acknowledgement.Verdict) {
    save { try file.forget(token) }
    acknowledged(token, verdict)
    note(.info("outcome of attempt \(token) was acknowledged as \(verdict.rawValue)"))
  }

  private func proceed(_ next: WorkerSession.Next) {
    switch next {
    case .wait: break
    case .ask(let request): send(request)
    case .leave(let farewell): leave(farewell)
    }
  }

  private func leave(_ farewell: WorkerSession.Farewell) {
    send(farewell.goodbye)
    end(farewell.departure)
  }
}
