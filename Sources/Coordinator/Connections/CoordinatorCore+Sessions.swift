import Study
import Transport
import WireProtocol

/// What arrives over a connection, and what its session makes of it.
extension CoordinatorCore {
  /// A message has arrived.
  mutating func receive(_ envelope: Envelope, from peer: Peer) {
    if isOutdated(envelope, from: peer) { return }
    openSession(peer)
    if let name = names[peer], workers[name]?.isGone == true { workers[name]?.isGone = false }
    switch sessions[peer]?.value.receive(envelope, now: now) ?? .nothing {
    case .nothing: break
    case .reply(let messages): for message in messages { send(message, to: peer) }
    case .introduced(let hello, let warnings): introduce(hello, id: envelope.id, warnings: warnings, peer)
    case .refused(let message, let closure):
      send(message, to: peer)
      close(peer, closure)
    case .alive(let sign): receive(sign, from: peer)
    case .submit(let id, let submission): commitOutcome(submission, id: id, peer)
    case .store(let id, let chunk): emit(.store(peer, id: id, chunk))
    case .left(let lost, let closure):
      if let lost { release(lost, reason: "its worker no longer holds it") }
      close(peer, closure)
    }
  }

  /// A frame has arrived that could not be read.
  mutating func receive(_ error: WireError, from peer: Peer) {
    openSession(peer)
    switch sessions[peer]?.value.receive(error, now: now) ?? .nothing {
    case .nothing: break
    case .refused(let message, let text):
      send(message, to: peer)
      log(.info, text)
    case .closed(let message, let text, let closure):
      send(message, to: peer)
      log(.info, text)
      close(peer, closure)
    case .refusedOutcome(let message, let id, let token, let reason):
      send(message, to: peer)
      refuse(token, id: id, reason, peer)
    case .refusedReport(let message, let token, let reason):
      send(message, to: peer)
      leaveOut(token, reason, peer)
    }
  }

  private mutating func receive(_ sign: CoordinatorSession.SignOfLife, from peer: Peer) {
    send(sign.acknowledgement, to: peer)
    if let device = sign.device, let name = workerName(peer) { workers[name]?.device = device }
    switch sign.news {
    case .none: break
    case .idle: markIdle(peer)
    case .attempt(let news):
      if news.hasBegun { renewLease(of: news.attempt, peer, hasStarted: true) }
      if let report = news.report { record(report, peer) }
      renewLease(of: news.attempt, peer, hasStarted: false)
      if let progress = news.progress { update(news.attempt, progress, peer) }
    }
    send(sign.drain, to: peer)
  }

  /// Time has passed for the session of a connection.
  mutating func tick(_ peer: Peer) {
    switch sessions[peer]?.value.advance(to: now) ?? .nothing {
    case .nothing: break
    case .resend(let assignment): send(assignment, to: peer)
    case .closed(let closure): close(peer, closure)
    }
  }

  // MARK: What sessions are told

  mutating func send(_ message: Envelope?, to peer: Peer) {
    if let message { emit(.send(peer, message)) }
  }

  mutating func acknowledge(_ id: Int64, _ verdict: Acknowledgement.Verdict, to peer: Peer) {
    send(sessions[peer]?.value.acknowledge(id, verdict), to: peer)
  }

  mutating func cancel(_ token: AttemptToken, _ reason: Cancellation.Reason, at peer: Peer) {
    send(sessions[peer]?.value.cancel(token, reason), to: peer)
  }

  mutating func refuse(_ peer: Peer, _ refusal: Refusal) {
    guard let message = sessions[peer]?.value.refuse(refusal) else { return }
    send(message, to: peer)
    close(peer, .refused(refusal.code))
  }

  /// All connections, in an order that does not depend on the process.
  var sortedPeers: [Peer] { sessions.keys.sorted { $0.id.lexicographicallyPrecedes($1.id) } }

  /// Whether this is a hello that waited in the buffers of a connection which its worker has given up since: it tells
  /// what the worker held then, not what it holds now.
  ///
  /// A worker numbers its messages through all its connections.
  private func isOutdated(_ envelope: Envelope, from peer: Peer) -> Bool {
    guard case .hello(let hello) = envelope.message else { return false }
    guard let known = workers[hello.worker], known.identity.incarnation == hello.incarnation,
      known.identity.key == peer.identity?.key
    else { return false }
    return envelope.id <= known.helloID
  }

  private mutating func openSession(_ peer: Peer) {
    guard sessions[peer] == nil else { return }
    var sessionSettings = CoordinatorSession.Settings(
      study: state.definition.name, studyIdentifier: state.definition.identifier, session: sessionName,
      build: settings.build, fingerprints: Fingerprints(state.definition.fingerprints))
    sessionSettings.heartbeat = settings.heartbeat
    sessionSettings.lease = settings.lease
    sessionSettings.resend = settings.resend
    sessions[peer] = CopyOnWriteBox(CoordinatorSession(settings: sessionSettings, now: now))
  }
}

/// Who is let in, and what becomes of the attempts of workers.
extension CoordinatorCore {
  /// Decides on a worker that introduced itself.
  private mutating func introduce(_ hello: Hello, id: Int64, warnings: [String], _ peer: Peer) {
    for text in warnings { log(.warning, "\(hello.worker): \(text)") }
    if state.header.quarantined.contains(hello.worker) {
      let advice = "repair it, then let it in again: engram worker reinstate \(hello.worker)"
      return refuse(peer, Refusal(.quarantined, "worker \(hello.worker) has failed too often; \(advice)"))
    }
    endEarlierName(peer, hello.worker)
    decide(on: hello, id: id, peer)
  }

  /// Lets a worker in under its name: what the study believes it to hold is compared with what it says.
  mutating func admit(_ newcomer: Newcomer) {
    let (hello, peer) = (newcomer.hello, newcomer.peer)
    let identity = identity(hello, peer)
    if let old = workers[hello.worker], old.peer != peer {
      forget(old.peer)
      workers[hello.worker] = nil
      if let key = old.identity.key, let own = identity.key, key != own {
        log(.warning, "worker \(hello.worker) has another key now: \(own.prefix(10)), before \(key.prefix(10))")
      }
    }
    releaseUnheld(by: hello, identity)
    let continues = hello.running.map { readopt($0, identity) } ?? false
    if phase != .serving {
      // A worker that was away when the study ended hears it now, right behind its welcome.
      let reason = state.header.stopReason.map(Self.farewell) ?? "the coordinator is stopping"
      send(sessions[peer]?.value.drain(Drain(immediately: true, reason: reason)), to: peer)
    }
    guard let admission = sessions[peer]?.value.admit(continues: continues) else { return }
    names[peer] = identity.name
    workers[identity.name] = WorkerView(identity: identity, peer: peer, helloID: newcomer.helloID)
    log(.info, "worker \(identity.name) is here (\(identity.device ?? "unknown device"))")
    send(admission.welcome, to: peer)
    switch admission.running {
    case .goesOn(let token): renewLease(of: token, peer, hasStarted: false)
    case .stop(let message): send(message, to: peer)
    case nil: break
    }
    send(admission.drain, to: peer)
    if let running = hello.running, continues { workers[hello.worker]?.attempt = running }
  }

  /// Gives back the attempts that a worker does not hold, though the study believes so.
  private mutating func releaseUnheld(by hello: Hello, _ identity: WorkerIdentity) {
    let held = Set(hello.retained + (hello.running.map { [$0] } ?? []))
    for attempt in state.liveAttempts(of: hello.worker) where attempt.leaseSeconds > 0 {
      if held.contains(attempt.token), attempt.worker.isSameOwner(as: identity) { continue }
      if attempt.worker.incarnation == hello.incarnation {
        release(attempt.token, reason: "the assignment had not reached the worker")
      } else {
        lose(attempt.token, isInherited(attempt.token) ? .coordinatorRestarted : .workerReplaced)
      }
    }
  }

  /// A worker waits for a trial.
  private mutating func markIdle(_ peer: Peer) {
    guard let name = workerName(peer) else { return }
    countRelease(by: name)
    idleCounter += 1
    workers[name]?.isIdle = true
    workers[name]?.idleSince = idleCounter
    workers[name]?.attempt = nil
  }

  func workerName(_ peer: Peer) -> String? { sessions[peer]?.value.hello?.worker }

  /// Whether a connection may speak for an attempt: its worker's name, and its key where that is known.
  func isOwner(_ peer: Peer, of attempt: Attempt) -> Bool {
    guard let name = workerName(peer), let worker = workers[name], worker.peer == peer else { return false }
    return attempt.worker.isSameOwner(as: worker.identity)
  }

  /// Whether an attempt was leased by an earlier coordinator process and not heard of since.
  private func isInherited(_ token: AttemptToken) -> Bool {
    token.rawValue < firstToken && !confirmed.contains(token)
  }

  /// Whether an attempt that a worker says it runs holds its lease, or gets it back.
  private mutating func readopt(_ token: AttemptToken, _ worker: WorkerIdentity) -> Bool {
    guard let step = try? state.readopt(token, worker: worker, time: wallTime) else { return false }
    guard commit(step) else { return false }
    deadlines[token] = now + settings.lease
    confirmed.insert(token)
    return true
  }

  /// A sign of life of an attempt: renews its lease, records that it began, or tells the worker to stop.
  private mutating func renewLease(of token: AttemptToken, _ peer: Peer, hasStarted: Bool) {
    guard let name = workerName(peer), let worker = workers[name] else { return }
    guard let known = state.attempt(token), readopt(token, worker.identity) else {
      if trouble == nil, phase != .broken { cancel(token, .superseded, at: peer) }
      return
    }
    if workers[name]?.attempt != token {
      workers[name]?.attempt = token
      workers[name]?.isIdle = false
    }
    if hasStarted && known.attempt.state == .leased, let step = try? state.start(token, time: wallTime), commit(step) {
      begun[token] = now
    }
  }

  /// Takes a lease back without counting it.
  mutating func release(_ token: AttemptToken, reason: String) {
    guard let known = state.attempt(token), known.attempt.state.isLive else { return }
    guard let answer = try? state.release(token, reason: reason, time: wallTime), commit(answer.transition) else {
      return
    }
    deadlines[token] = nil
    for worker in workers.values where worker.attempt == token { workers[worker.identity.name]?.attempt = nil }
    log(.info, "trial \(known.trial.number) runs again: \(reason)")
  }

  /// Takes a lease back from a worker that was not heard of, was started anew or does not get on.
  mutating func lose(_ token: AttemptToken, _ loss: StudyState.Loss) {
    guard let known = state.attempt(token), let step = try? state.lose(token, loss, time: wallTime) else { return }
    guard commit(step) else { return }
    deadlines[token] = nil
    guard !step.isEmpty else { return }
    for worker in workers.values where worker.attempt == token {
      workers[worker.identity.name]?.attempt = nil
      // It is heard but does not hold the attempt: the assignment never arrived. No more copies of it.
      cancel(token, .superseded, at: worker.peer)
    }
    let why =
      switch loss {
      case .leaseExpired: "worker \(known.attempt.worker.name) was not heard of for \(settings.lease)"
      case .workerReplaced: "worker \(known.attempt.worker.name) was started anew"
      case .coordinatorRestarted: "its worker did not come back after the coordinator's restart"
      case .stalled(let limit):
        "no progress for \(limit), though worker \(known.attempt.worker.name) gives signs of life"
      }
    log(.warning, "trial \(known.trial.number): \(why)")
  }

  private mutating func close(_ peer: Peer, _ closure: CoordinatorSession.Closure) {
    newcomers[peer] = nil
    if let name = workerName(peer), workers[name]?.peer == peer {
      workers[name] = nil
      switch closure {
      case .goodbye(let reason): log(.info, "worker \(name) left: \(reason)")
      case .silent: log(.warning, "worker \(name) has gone silent")
      case .refused(let code): log(.warning, "worker \(name) was refused: \(code.rawValue)")
      case .violations: log(.warning, "worker \(name) sends what is no message; if it goes on: engram keys revoke")
      }
    }
    guard closure == .violations else { return forget(peer) }
    names[peer] = nil
    // Its closed session stays for a while, so that what is still on its way from it is unheard; the clock removes it.
    muted[peer] = now + settings.lease
    log(.warning, "connection \(peer) was ended: too many malformed frames")
    emit(.disconnect(peer))
  }
}

extension Verdict {
  /// The wire's word for it.
  var onTheWire: Acknowledgement.Verdict {
    switch self {
    case .accepted: .accepted
    case .repeated: .duplicate
    case .superseded: .superseded
    case .refused: .conflict
    }
  }
}
