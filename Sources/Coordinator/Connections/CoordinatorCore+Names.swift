import Study
import Transport
import WireProtocol

/// Whose a worker's name is: one living process at a time bears it, and another key does not get it meanwhile.
extension CoordinatorCore {
  /// A worker that said hello under a name that somebody else bears, or bore a moment ago; it waits until that is clear.
  struct Newcomer {
    var hello: Hello
    var peer: Peer
    /// Number of its hello.
    var helloID: Int64
    /// When it came, on the monotonic clock.
    var since: Duration
    /// When the holder's connection was tried last.
    var probed: Duration?
  }

  /// What becomes of a hello.
  enum NameDecision: Equatable {
    case admit
    case refuse(holder: WorkerIdentity)
    /// Nobody can tell yet whether the holder lives.
    case wait(holder: WorkerIdentity)
  }

  /// Signs of life that a worker may miss before its name is free for another process.
  static let silentHeartbeats = 3

  /// After so long without a word the bearer of a name is taken for gone.
  private var nameGrace: Duration { min(settings.heartbeat * Self.silentHeartbeats, settings.lease) }

  /// Whether a worker may have the name that it gives.
  ///
  /// The same process that connects again always may. Of two processes the one that is there stays, if it is heard half
  /// a heartbeat after the other one came; what arrives earlier may have been under way for a while. The newcomer gets
  /// the name when the other one's connection is closed, or when nothing is heard of it.
  func decideName(_ newcomer: Newcomer) -> NameDecision {
    let own = identity(newcomer.hello, newcomer.peer)
    if let old = workers[own.name], old.peer != newcomer.peer, let session = sessions[old.peer]?.value {
      if old.identity.incarnation == own.incarnation && old.identity.key == own.key { return .admit }
      if old.isGone || now - session.heard > nameGrace { return .admit }
      let proof = newcomer.since + settings.heartbeat / 2
      return session.heard > proof ? .refuse(holder: old.identity) : .wait(holder: old.identity)
    }
    // Nobody is connected under the name; a process may be away in the middle of a trial.
    for attempt in state.liveAttempts(of: own.name) where attempt.leaseSeconds > 0 {
      let holder = attempt.worker
      if holder.incarnation == own.incarnation && holder.isSameOwner(as: own) { continue }
      if Hello.followsInFolder(own.incarnation, holder.incarnation), holder.isSameOwner(as: own) { continue }
      guard let deadline = deadlines[attempt.token] else { continue }
      if now - (deadline - settings.lease) <= nameGrace { return .wait(holder: holder) }
    }
    return .admit
  }

  func identity(_ hello: Hello, _ peer: Peer) -> WorkerIdentity {
    WorkerIdentity(
      name: hello.worker, incarnation: hello.incarnation, host: hello.host, device: hello.device,
      deviceBytes: hello.capabilities.memoryBytes, key: peer.identity?.key)
  }

  /// Lets a worker in, refuses it, or keeps it waiting.
  mutating func consider(_ newcomer: Newcomer) {
    switch decideName(newcomer) {
    case .admit:
      newcomers[newcomer.peer] = nil
      admit(newcomer)
    case .refuse(let holder):
      newcomers[newcomer.peer] = nil
      refuseName(newcomer, holder)
    case .wait(let holder):
      var newcomer = newcomer
      let isDue = newcomer.probed.map { now - $0 >= .seconds(1) } ?? true
      if isDue { newcomer.probed = now }
      newcomers[newcomer.peer] = newcomer
      if isDue, let old = workers[holder.name] { send(sessions[old.peer]?.value.probe(), to: old.peer) }
    }
  }

  /// Decides on a hello; one that is repeated over a new connection keeps its time.
  mutating func decide(on hello: Hello, id: Int64, _ peer: Peer) {
    var since = now
    for (other, known) in newcomers where known.hello.worker == hello.worker {
      guard known.hello.incarnation == hello.incarnation, other.identity == peer.identity else { continue }
      since = min(since, known.since)
      if other != peer {
        newcomers[other] = nil
        sessions[other] = nil
      }
    }
    consider(Newcomer(hello: hello, peer: peer, helloID: id, since: since))
  }

  /// Looks again at those who wait for a name.
  mutating func reconsiderNames() {
    let waiting = newcomers.values.sorted { left, right in
      if left.since != right.since { return left.since < right.since }
      return left.peer.id.lexicographicallyPrecedes(right.peer.id)
    }
    for newcomer in waiting {
      if sessions[newcomer.peer] == nil { newcomers[newcomer.peer] = nil } else { consider(newcomer) }
    }
  }

  private mutating func refuseName(_ newcomer: Newcomer, _ holder: WorkerIdentity) {
    let name = newcomer.hello.worker
    let key = newcomer.peer.identity.map { ", key \($0.fingerprint)" } ?? ""
    let place = holder.host.map { " (on \($0), \(holder.device ?? "unknown device"))" } ?? ""
    log(
      .warning,
      "a second worker calls itself \(name) (host \(newcomer.hello.host), process \(newcomer.hello.pid)\(key)) while the "
        + "first one is at work\(place); the second is refused. Start it with a name of its own: engram worker … --name"
    )
    refuse(
      newcomer.peer,
      Refusal(
        .duplicateName,
        "another worker is at work under the name \(name)\(place). Start this one with a name of its own "
          + "(--name NAME), or end the other first; engram worker list shows who is connected"))
  }

  /// One connection is one worker: under another name it is another worker, and the one before has left.
  mutating func endEarlierName(_ peer: Peer, _ name: String) {
    guard let earlier = names[peer], earlier != name else { return }
    names[peer] = nil
    guard let view = workers[earlier], view.peer == peer else { return }
    workers[earlier] = nil
    log(.warning, "worker \(earlier) calls itself \(name) now: \(earlier) has left")
    releaseAll(of: view.identity, reason: "its worker took another name")
  }

  /// Releases, uncounted, whatever a worker holds.
  mutating func releaseAll(of worker: WorkerIdentity, reason: String) {
    for attempt in state.liveAttempts(of: worker.name)
    where attempt.leaseSeconds > 0 && attempt.worker.incarnation == worker.incarnation {
      release(attempt.token, reason: reason)
    }
  }

  /// A key is no longer admitted: its workers have left, as far as the study is concerned, and their trials run again.
  mutating func revoke(_ key: PeerIdentity) {
    for view in workers.values.sorted(by: { $0.identity.name < $1.identity.name }) where view.peer.identity == key {
      workers[view.identity.name] = nil
      log(.warning, "worker \(view.identity.name) is heard no more: its key is no longer admitted")
      releaseAll(of: view.identity, reason: "the key of its worker is no longer admitted")
    }
    // An attempt whose worker is away at the moment will not be finished either.
    for attempt in state.liveAttempts where attempt.leaseSeconds > 0 && attempt.worker.key == key.key {
      release(attempt.token, reason: "the key of its worker is no longer admitted")
    }
    for peer in sessions.keys where peer.identity == key { forget(peer) }
  }

  /// A message did not reach a connection: it is closed, or nothing is read there.
  mutating func markUnreachable(_ peer: Peer) {
    guard let name = names[peer], workers[name]?.peer == peer else { return }
    workers[name]?.isGone = true
  }

  /// Drops all that is known of a connection.
  mutating func forget(_ peer: Peer) {
    sessions[peer] = nil
    newcomers[peer] = nil
    names[peer] = nil
    muted[peer] = nil
  }

  /// Workers without a connection are none.
  mutating func dropGhosts() {
    for view in workers.values where sessions[view.peer] == nil {
      workers[view.identity.name] = nil
      log(.info, "worker \(view.identity.name) is no longer connected")
    }
    for peer in names.keys where sessions[peer] == nil { names[peer] = nil }
  }
}

extension Hello {
  /// Whether a process is a later one in the same state folder: the folder's lock says that the earlier one is gone.
  ///
  /// An incarnation is `FOLDER.PROCESS` where the worker's folder has an identity of its own.
  static func followsInFolder(_ new: String, _ old: String) -> Bool {
    let parts = (new.split(separator: "."), old.split(separator: "."))
    return parts.0.count == 2 && parts.1.count == 2 && parts.0[0] == parts.1[0] && parts.0[0].count >= 16
      && parts.0[1] != parts.1[1]
  }
}
