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
    let actions = sessions[peer]?.value.handle(event, now: now) ?? []
    for action in actions { perform(action, peer) }
  }

  /// Whether this is a hello that waited in the buffers of a connection which its worker has given up since: it tells
  /// what the worker held then, not what it holds now.
  ///
  /// A worker numbers its messages through all its connections.
  mutating func isOutdated(_ envelope: Envelope) -> Bool {
    guard case .hello(let hello) = envelope.message else { return false }
    helloID = envelope.id
    guard let known = workers[hello.worker], known.identity.incarnation == hello.incarnation else { return false }
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
        .refuse(Refusal(.quarantined, "worker \(hello.worker) failed too often on its own hardware; \(advice)")),
        to: peer)
    }
    if let old = workers[hello.worker], old.peer != peer {
      sessions[old.peer] = nil
      workers[hello.worker] = nil
    }
    let held = Set(hello.retained + (hello.running.map { [$0] } ?? []))
    for attempt in state.liveAttempts(of: hello.worker) where !held.contains(attempt.token) {
      if attempt.worker.incarnation == hello.incarnation {
        giveBack(attempt.token, reason: "the assignment had not reached the worker")
      } else {
        lose(attempt.token, isInherited(attempt.token) ? .coordinatorRestarted : .workerReplaced)
      }
    }
    let identity = WorkerIdentity(
      name: hello.worker, incarnation: hello.incarnation, host: hello.host, device: hello.device,
      deviceBytes: hello.capabilities.memoryBytes)
    let continues = hello.running.map { goesOn($0, identity) } ?? false
    if isDraining {
      // A worker that was away when the study ended hears it now, right behind its welcome.
      let reason = state.header.stopReason.map(Self.farewell) ?? "the coordinator is stopping"
      feed(.drain(Drain(immediately: true, reason: reason)), to: peer)
    }
    feed(.admit(continues: continues), to: peer)
    if let running = hello.running, continues { workers[hello.worker]?.attempt = running }
  }

  private mutating func admit(_ identity: WorkerIdentity, _ peer: Peer) {
    workers[identity.name] = WorkerView(identity: identity, peer: peer, helloID: helloID)
    note(.info, "worker \(identity.name) is here (\(identity.device ?? "unknown device"))")
  }

  private mutating func idle(_ peer: Peer) {
    guard let name = workerName(peer) else { return }
    idleCounter += 1
    workers[name]?.isIdle = true
    workers[name]?.idleSince = idleCounter
    workers[name]?.attempt = nil
  }

  func workerName(_ peer: Peer) -> String? { sessions[peer]?.value.hello?.worker }

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
      if trouble == nil { feed(.cancel(token, .superseded), to: peer) }
      return
    }
    if workers[name]?.attempt != token {
      workers[name]?.attempt = token
      workers[name]?.isIdle = false
    }
    if hasStarted && known.attempt.state == .leased, let step = try? state.start(token, time: time.wall) {
      _ = commit(step)
    }
  }

  private mutating func show(_ token: AttemptToken, _ progress: AttemptProgress, _ peer: Peer) {
    guard let name = workerName(peer), workers[name]?.attempt == token else { return }
    workers[name]?.step = progress.step
    workers[name]?.total = progress.total
    workers[name]?.phase = progress.phase
  }

  private mutating func take(_ report: IntermediateReport, _ peer: Peer) {
    guard let known = state.attempt(report.token), known.attempt.state.isLive,
      known.attempt.worker.name == workerName(peer)
    else { return }
    var report = report
    report.trial = known.trial.number
    let wrong = report.values.filter { !$0.value.isFinite }.map(\.key).sorted()
    if wrong.isEmpty {
      reports.append(report)
      return
    }
    let failure = FailureRecord(
      failureClass: .diverged, message: "not finite at step \(report.step): \(wrong.joined(separator: ", "))",
      host: known.attempt.worker.host, device: known.attempt.worker.device,
      nextStep: "look at the trial's loss curve; a smaller learning rate may help")
    guard let result = try? state.fail(report.token, failure, time: time.wall), commit(result.transition) else {
      return
    }
    deadlines[report.token] = nil
    note(.info, "trial \(report.trial) diverged: \(failure.message)")
    feed(.cancel(report.token, .hopeless), to: peer)
  }

  /// Commits an outcome and lets the session acknowledge it.
  private mutating func take(_ submission: Submission, id: Int64, _ peer: Peer) {
    let token = submission.attempt
    if let owner = state.attempt(token)?.attempt.worker.name, let name = workerName(peer), owner != name {
      note(.warning, "\(name): an outcome of attempt \(token), which belongs to \(owner), was refused")
      return feed(.settled(id: id, .conflict), to: peer)
    }
    let answer: (transition: Transition, verdict: Verdict)
    do throws(StudyError) {
      switch submission {
      case .result(let report): answer = try state.complete(token, result: report.result, time: time.wall)
      case .failure(let report):
        let largest = workers.values.compactMap(\.identity.deviceBytes).max()
        answer = try state.fail(token, report.record, largestDeviceBytes: largest, time: time.wall)
      case .released(let report): answer = try state.release(token, reason: report.reason.rawValue, time: time.wall)
      }
    } catch {
      note(.warning, "\(workerName(peer) ?? "a worker"): \(error.message)")
      return feed(.settled(id: id, .conflict), to: peer)
    }
    guard commit(answer.transition) else { return }
    deadlines[token] = nil
    if let name = workerName(peer), workers[name]?.attempt == token { workers[name]?.attempt = nil }
    announce(token, submission, answer.verdict)
    feed(.settled(id: id, answer.verdict.onTheWire), to: peer)
  }

  private mutating func announce(_ token: AttemptToken, _ submission: Submission, _ verdict: Verdict) {
    guard let trial = state.attempt(token)?.trial else { return }
    switch (submission, verdict) {
    case (_, .refused(let why)): note(.warning, "trial \(trial.number): \(why)")
    case (_, .superseded):
      note(.info, "trial \(trial.number): a late outcome of attempt \(token) is kept for the record")
    case (_, .repeated): break
    case (.result, .accepted): note(.debug, "trial \(trial.number) \(trial.state.rawValue)")
    case (.failure(let report), .accepted):
      let next = trial.state == .queued ? "runs again" : trial.state.rawValue
      note(.warning, "trial \(trial.number) (\(next)), \(report.record.failureClass): \(report.record.message)")
    case (.released(let report), .accepted):
      note(.info, "trial \(trial.number) given back (\(report.reason.rawValue))")
    }
  }

  /// Takes a lease back without counting it.
  mutating func giveBack(_ token: AttemptToken, reason: String) {
    guard let known = state.attempt(token), known.attempt.state.isLive else { return }
    guard let answer = try? state.release(token, reason: reason, time: time.wall), commit(answer.transition) else {
      return
    }
    deadlines[token] = nil
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
      }
    note(.warning, "trial \(known.trial.number): \(why)")
  }

  private mutating func close(_ peer: Peer, _ closure: CoordinatorSession.Closure) {
    if let name = workerName(peer), workers[name]?.peer == peer {
      workers[name] = nil
      switch closure {
      case .goodbye(let reason): note(.info, "worker \(name) left: \(reason)")
      case .silent: note(.warning, "worker \(name) has gone silent")
      case .refused(let code): note(.warning, "worker \(name) was refused: \(code.rawValue)")
      case .violations: note(.warning, "worker \(name) sends what is no message; if it goes on: engram keys revoke")
      }
    }
    guard closure == .violations else {
      sessions[peer] = nil
      return
    }
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
