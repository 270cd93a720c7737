import Study

/// What arrives from the worker.
extension CoordinatorSession {
  /// A message has arrived.
  package mutating func receive(_ envelope: Envelope, now: Duration) -> Reception {
    if case .closed = state { return .nothing }
    heard = now
    if case .hello(let hello) = envelope.message { return receive(hello) }
    if case .goodbye(let notice) = envelope.message {
      defer { close() }
      return .left(lost: work?.attempt, .goodbye(notice.reason))
    }
    switch state {
    case .active(_, let work): return receive(envelope, work)
    case .expectingHello:
      let refusal = Refusal(.helloExpected, "this connection is not known yet: say hello first")
      return .reply([self.envelope(.refused(refusal))])
    // The coordinator is still deciding, or the session is over: the worker sends again what matters.
    case .deciding, .closed: return .nothing
    }
  }

  private mutating func receive(_ hello: Hello) -> Reception {
    if case .deciding(let known) = state, known == hello { return .nothing }
    guard hello.study == settings.study else {
      return reject(
        Refusal(.study, "this coordinator serves study \(settings.study.quoted), not \(hello.study.quoted)"))
    }
    let differences = hello.fingerprints.differences(from: settings.fingerprints)
    guard differences.isEmpty else {
      return reject(
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
    state = .deciding(known)
    let warnings =
      hello.build == settings.build
      ? [] : ["worker runs build \(hello.build), coordinator \(settings.build)"]
    return .introduced(known, warnings: warnings)
  }

  private mutating func reject(_ refusal: Refusal) -> Reception {
    let message = envelope(.refused(refusal))
    close()
    return .refused(message, .refused(refusal.code))
  }

  private mutating func receive(_ envelope: Envelope, _ work: Work) -> Reception {
    switch envelope.message {
    case .ready:
      var sign = SignOfLife(acknowledgement: acknowledgement(of: envelope))
      sign.news = becomeIdle(work)
      return .alive(sign)
    case .accepted(let reference):
      if let stop = stopAgain(reference.attempt) { return .reply([stop]) }
      let acknowledgement = acknowledgement(of: envelope)
      return .alive(SignOfLife(acknowledgement: acknowledgement, news: .attempt(hold(reference.attempt, work))))
    case .start(let reference):
      if let stop = stopAgain(reference.attempt) { return .reply([stop]) }
      let acknowledgement = acknowledgement(of: envelope)
      return .alive(SignOfLife(acknowledgement: acknowledgement, news: .attempt(begin(reference.attempt, work))))
    case .report(let report):
      if let stop = stopAgain(report.token) { return .reply([stop]) }
      var news = begin(report.token, work)
      news.report = report
      return .alive(SignOfLife(news: .attempt(news)))
    case .heartbeat(let heartbeat): return receive(heartbeat, envelope, work)
    case .result(let report): return submit(envelope.id, .result(report), work)
    case .failure(let report): return submit(envelope.id, .failure(report), work)
    case .released(let report): return submit(envelope.id, .released(report), work)
    case .artifactChunk(let chunk): return .store(id: envelope.id, chunk)
    // The decoder lets only a worker's messages through; hello and goodbye were handled before.
    case .hello, .goodbye, .welcome, .refused, .assign, .cancel, .drain, .ack: return .nothing
    }
  }

  private mutating func receive(_ heartbeat: Heartbeat, _ envelope: Envelope, _ work: Work) -> Reception {
    var sign = SignOfLife(acknowledgement: acknowledgement(of: envelope), device: heartbeat.device)
    if let token = heartbeat.attempt {
      if let stop = stopAgain(token) { return .reply([sign.acknowledgement, stop].compactMap { $0 }) }
      var news = heartbeat.phase == .running ? begin(token, work) : hold(token, work)
      news.progress = heartbeat.progress
      sign.news = .attempt(news)
    } else if heartbeat.phase == .idle {
      sign.news = becomeIdle(work)
    }
    if let drainRequest, heartbeat.phase != .draining { sign.drain = self.envelope(.drain(drainRequest)) }
    return .alive(sign)
  }

  private mutating func acknowledgement(of envelope: Envelope) -> Envelope {
    self.envelope(.ack(Acknowledgement(of: envelope.id, verdict: .accepted)))
  }

  private mutating func becomeIdle(_ work: Work) -> News {
    guard case .busy(let token) = work, drainRequest == nil else { return .none }
    set(.idle(token))
    return .idle
  }

  /// The worker has an attempt, as far as this message knows.
  ///
  /// It may be an old message of a worker that is idle by now. So its next request for a trial counts as news again;
  /// otherwise nobody would ever give it one.
  private mutating func hold(_ token: AttemptToken, _ work: Work) -> AttemptNews {
    switch work {
    case .assigned(let assigned) where assigned.attempt != token: break
    case .assigned, .busy, .idle: set(.busy(work.attempt))
    }
    return AttemptNews(attempt: token)
  }

  private mutating func begin(_ token: AttemptToken, _ work: Work) -> AttemptNews {
    var news = hold(token, work)
    news.hasBegun = startedAttempt != token
    startedAttempt = token
    return news
  }

  /// The order to stop an attempt, once more; nil where it was not given before.
  private mutating func stopAgain(_ token: AttemptToken) -> Envelope? {
    guard let reason = stopped[token] else { return nil }
    return envelope(.cancel(Cancellation(attempt: token, reason: reason)))
  }

  private mutating func submit(_ id: Int64, _ submission: Submission, _ work: Work) -> Reception {
    let token = submission.attempt
    stopped.remove(token)
    switch work {
    case .assigned(let assigned) where assigned.attempt == token: set(.busy(nil))
    case .busy(token): set(.busy(nil))
    case .idle(token): set(.idle(nil))
    case .assigned, .busy, .idle: break
    }
    return .submit(id: id, submission)
  }
}

/// Frames that could not be read.
extension CoordinatorSession {
  /// A frame has arrived that could not be read.
  package mutating func receive(_ error: WireError, now: Duration) -> FrameRefusal {
    if case .closed = state { return .nothing }
    heard = now
    let subject = ownSubject(of: error)
    // A worker whose own program printed too much does not attack the protocol.
    if subject == nil { violations += 1 }
    let code: Refusal.Code = error.code == .unsupportedVersion ? .protocolVersion : .malformed
    let message = envelope(.refused(Refusal(code, error.description.clipped(toBytes: 2000))))
    if let subject {
      return subject.type == .report
        ? .refusedReport(message, subject.attempt, reason: error.description)
        : .refusedOutcome(message, id: subject.id, subject.attempt, reason: error.description)
    }
    let text = "refused a frame: \(error)"
    guard violations >= settings.violationLimit else { return .refused(message, log: text) }
    close()
    return .closed(message, log: text, .violations)
  }

  /// What the frame is, where it is an outcome or a report of the worker's own attempt that breaks a limit.
  private func ownSubject(of error: WireError) -> WireError.Subject? {
    guard let work, let subject = error.subject, subject.attempt == work.attempt || subject.attempt == newestAttempt
    else { return nil }
    return switch subject.type {
    case .result, .failure, .released, .report: subject
    default: nil
    }
  }
}

extension String {
  /// The text in quotes, cut short, for messages.
  var quoted: String { "\"\(clipped(toBytes: 100))\"" }
}
