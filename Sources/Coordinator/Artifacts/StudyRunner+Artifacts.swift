import Study
import Transport
import WireProtocol

/// What workers send besides results.
extension StudyRunner {
  /// Stores a piece of an artifact that an accepted result names; the answer comes when it is stored.
  func store(_ chunk: ArtifactChunk, id: Int64, _ peer: Peer) {
    guard let artifacts else { return step(.stored(peer, id: id, .conflict)) }
    // Who has left meanwhile sends it again when it is back.
    guard let sender = core.workers.values.first(where: { $0.peer == peer })?.identity.name else { return }
    demand.update(core.state, keepsOnlyFront: keepsOnlyFront)
    switch demand.answer(chunk) {
    case .acknowledge(let verdict): step(.stored(peer, id: id, verdict))
    case .store(let bytes):
      artifacts.enqueue(chunk, from: sender, bytes: bytes) { [weak self] result in
        Task { [weak self] in await self?.answer(result, id: id, peer) }
      }
    }
  }

  private func answer(_ result: ArtifactStore.ChunkResult, id: Int64, _ peer: Peer) {
    switch result {
    case .acknowledged(let verdict): step(.stored(peer, id: id, verdict))
    case .overLimit:
      logger.warning(
        "an artifact was refused: the study's artifacts would take more than artifacts.limit allows; raise it, or keep fewer"
      )
      step(.stored(peer, id: id, .conflict))
    case .failed(let reason):
      // Not acknowledged: the worker keeps it and sends it again. The study itself goes on.
      logger.warning("an artifact could not be stored: \(reason)")
    }
  }

  /// Removes what is left of artifacts that were never sent to their end.
  func sweepArtifacts(keepsWanted: Bool) {
    demand.update(core.state, keepsOnlyFront: keepsOnlyFront)
    artifacts?.sweep(keeping: keepsWanted ? demand.wanted : [])
  }

  /// Removes the artifacts of trials that are no longer on the front.
  func clearArtifacts() {
    lastFront = core.state.front
    guard keepsOnlyFront, let artifacts else { return }
    let open = core.state.running.isEmpty ? [] : core.state.running.flatMap { core.state.trials[$0].attempts }
    let kept = (lastFront.compactMap { core.state.trials[$0].result } + open.compactMap(\.result))
      .flatMap { $0.artifacts ?? [] }.map(\.sha256)
    let known = core.state.trials.flatMap { $0.attempts }.compactMap(\.result).flatMap { $0.artifacts ?? [] }
    artifacts.remove(Set(known.map(\.sha256)).subtracting(kept)) { [logger] problem in
      logger.warning("an old artifact could not be removed: \(problem)")
    }
  }
}
