import Study
import Transport
import WireProtocol

/// What sessions want of the coordinator.
extension CoordinatorCore {
  /// Gives an event to the session of a connection and carries out what it asks for.
  mutating func feed(_ event: CoordinatorSession.Event, to peer: Peer) {
    if sessions[peer] == nil {
      switch event {
      case .received, .malformed: sessions[peer] = Boxed(makeSession())
      default: return
      }
    }
    let now = time.now
    if case .received = event, let name = names[peer], workers[name]?.isGone == true { workers[name]?.isGone = false }
    let actions = sessions[peer]?.value.handle(event, now: now) ?? []
    for action in actions { perform(action, peer) }
  }

  /// Whether this is a hello that waited in the buffers of a connection which its worker has given up since: it tells
  /// what the worker held then, not what it holds now.
  ///
  /// A worker numbers its messages through all its connections.
  mutating func isOutdated(_ envelope: Envelope, from peer: Peer) -> Bool {
    guard case .hello(let hello) = envelope.message else { return false }
    helloID = envelope.id
    guard let known = workers[hello.worker], known.identity.incarnation == hello.incarnation,
      known.identity.key == peer.identity?.key
    else { return false }
    return envelope.id <= known.helloID
  }

  private func makeSession() -> CoordinatorSession {
    var sessionSettings = CoordinatorSession.Settings(
      study: state.definition.name, studyIdentifier: state.definition.identifier, session: sessionName,
      build: settings.build, fingerprints: Fingerprints(state.definition.fingerprints))
    sessionSettings.heartbeat = settings.heartbeat
    sessionSettings.lease = settings.lease
    sessionSettings.resend = settings.resend
    return CoordinatorSession(settings: sessionSettings, now: time.now)
  }

  private mutating func perform(_ action: CoordinatorSession.Action, _ peer: Peer) {
    switch action {
    case .send(let envelope): output.append(.send(peer, envelope))
    case .introduced(let hello, let warnings): introduce(hello, warnings: warnings, peer)
    case .admitted(let identity): admit(identity, peer)
    case .idle: idle(peer)
    case .renew(let token): touch(token, peer, hasStarted: false)
    case .started(let token): touch(token, peer, hasStarted: true)
    case .progress(let token, let progress): show(token, progress, peer)
    case .device(let status): if let name = workerName(peer) { workers[name]?.device = status }
    case .report(let report): take(report, peer)
    case .submit(let id, let submission): take(submission, id: id, peer)
    case .store(let id, let chunk): output.append(.store(peer, id: id, chunk))
    case .lost(let token): giveBack(token, reason: "its worker no longer holds it")
    case .refusedOutcome(let id, let token, let reason): refuse(token, id: id, reason, peer)
    case .refusedReport(let token, let reason): leaveOut(token, reason, peer)
    case .closed(let closure): close(peer, closure)
    case .log(let text): note(.info, text)
    }
  }

  /// Decides on a worker that introduced itself.
  private mutating func introduce(_ hello: Hello, warnings: [String], _ peer: Peer) {
    for text in warnings { note(.warning, "\(hello.worker): \(text)") }
    if state.header.quarantined.contains(hello.worker) {
      let advice = "repair it, then let it in again: engram worker reinstate \(hello.worker)"
      return feed(
        .refuse(Refusal(.quarantined, "worker \(hello.worker) has failed too often; \(advice)")),
        to: peer)
    }
    endEarlierName(peer, hello.worker)
    arrive(hello, peer)
  }

  /// Lets a worker in under its name: what the study believes it to hold is compared with what it says.
  mutating func welcome(_ hello: Hello, _ peer: Peer) {
    let identity = identity(hello, peer)
    if let old = workers[hello.worker], old.peer != peer {
      forget(old.peer)
      workers[hello.worker] = nil
      if let key = old.identity.key, let own = identity.key, key != own {
        note(
          .warning, "worker \(hello.worker) has another key now: \(own.prefix(10)), before \(key.prefix(10))")
      }
    }
    let held = Set(hello.retained + (hello.running.map { [$0] } ?? []))
    for attempt in state.liveAttempts(of: hello.worker) where attempt.leaseSeconds > 0 {
      let isSame = attempt.worker.incarnation == hello.incarnation
      if held.contains(attempt.token), attempt.worker.isSameOwner(as: identity) { continue }
      if isSame {
        giveBack(attempt.token, reason: "the assignment had not reached the worker")
      } else {
        lose(attempt.token, isInherited(attempt.token) ? .coordinatorRestarted : .workerReplaced)
      }
    }
    let continues = hello.running.map { goesOn($0, identity) } ?? false
    if isDraining {
      // A worker that was away when the study ended hears it now, right behind its welcome.
      let reason = state.header.stopReason.map(Self.farewell) ?? "the coordinator is stopping"
      feed(.drain(Drain(immediately: true, reason: reason)), to: peer)
    }
    feed(.admit(continues: continues), to: peer)
    if let running = hello.running, continues { workers[hello.worker]?.attempt = running }
  }

  private mutating func admit(_ known: WorkerIdentity, _ peer: Peer) {
    var identity = known
    identity.key = peer.identity?.key
    names[peer] = identity.name
    workers[identity.name] = WorkerView(identity: identity, peer: peer, helloID: helloID)
    note(.info, "worker \(identity.name) is here (\(identity.device ?? "unknown device"))")
  }

  private mutating func idle(_ peer: Peer) {
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
  private mutating func goesOn(_ token: AttemptToken, _ worker: WorkerIdentity) -> Bool {
    guard let step = try? state.readopt(token, worker: worker, time: time.wall) else { return false }
    guard commit(step) else { return false }
    deadlines[token] = time.now + settings.lease
    confirmed.insert(token)
    return true
  }

  /// A sign of life of an attempt: renews its lease, records that it began, or tells the worker to stop.
  private mutating func touch(_ token: AttemptToken, _ peer: Peer, hasStarted: Bool) {
    guard let name = workerName(peer), let worker = workers[name] else { return }
    guard let known = state.attempt(token), goesOn(token, worker.identity) else {
      if trouble == nil, !isBroken { feed(.cancel(token, .superseded), to: peer) }
      return
    }
    if workers[name]?.attempt != token {
      workers[name]?.attempt = token
      workers[name]?.isIdle = false
    }
    if hasStarted && known.attempt.state == .leased, let step = try? state.start(token, time: time.wall), commit(step) {
      begun[token] = time.now
    }
  }

  /// Takes a lease back without counting it.
  mutating func giveBack(_ token: AttemptToken, reason: String) {
    guard let known = state.attempt(token), known.attempt.state.isLive else { return }
    guard let answer = try? state.release(token, reason: reason, time: time.wall), commit(answer.transition) else {
      return
    }
    deadlines[token] = nil
    for worker in workers.values where worker.attempt == token { workers[worker.identity.name]?.attempt = nil }
    note(.info, "trial \(known.trial.number) runs again: \(reason)")
  }

  mutating func lose(_ token: AttemptToken, _ loss: StudyState.Loss) {
    guard let known = state.attempt(token), let step = try? state.lose(token, loss, time: time.wall) else { return }
    guard commit(step) else { return }
    deadlines[token] = nil
    guard !step.isEmpty else { return }
    for worker in workers.values where worker.attempt == token {
      workers[worker.identity.name]?.attempt = nil
      // It is heard but does not hold the attempt: the assignment never arrived. No more copies of it.
      feed(.cancel(token, .superseded), to: worker.peer)
    }
    let why =
      switch loss {
      case .leaseExpired: "worker \(known.attempt.worker.name) was not heard of for \(settings.lease)"
      case .workerReplaced: "worker \(known.attempt.worker.name) was started anew"
      case .coordinatorRestarted: "its worker did not come back after the coordinator's restart"
      case .stalled(let limit):
        "no progress for \(limit), though worker \(known.attempt.worker.name) gives signs of life"
      }
    note(.warning, "trial \(known.trial.number): \(why)")
  }

  private mutating func close(_ peer: Peer, _ closure: CoordinatorSession.Closure) {
    newcomers[peer] = nil
    if let name = workerName(peer), workers[name]?.peer == peer {
      workers[name] = nil
      switch closure {
      case .goodbye(let reason): note(.info, "worker \(name) left: \(reason)")
      case .silent: note(.warning, "worker \(name) has gone silent")
      case .refused(let code): note(.warning, "worker \(name) was refused: \(code.rawValue)")
      case .violations: note(.warning, "worker \(name) sends what is no message; if it goes on: engram keys revoke")
      }
    }
    guard closure == .violations else { return forget(peer) }
    names[peer] = nil
    // Its closed session stays for a while, so that what is still on its way from it is unheard; the clock removes it.
    muted[peer] = time.now + settings.lease
    note(.warning, "connection \(peer) was ended: too many malformed frames")
    output.append(.disconnect(peer))
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
