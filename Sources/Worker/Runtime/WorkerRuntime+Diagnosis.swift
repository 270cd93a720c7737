extension WorkerRuntime {
  /// What may be wrong, since a server that does not admit a key says nothing.
  func diagnosis(everWelcomed: Bool) -> String {
    let place = settings.endpoint
    let advice: String
    switch transport.connectionState {
    case .unreachable:
      advice =
        "nobody listens there: is the coordinator running, are host and port right, does a firewall stand between?"
    case .handshakeFailed:
      advice =
        "it refuses the handshake: is this worker's public key authorised there (engram keys authorize), and is the "
        + "server.public here the coordinator's?"
    case .connected: advice = "the connection stands, but the coordinator is silent: it may be busy or stopped"
    case .connecting: advice = "no connection yet: the coordinator may be down, or this worker's key not authorised"
    }
    var rest = "trying on"
    if session.current != nil { rest += "; the present trial goes on and its outcome is kept" }
    if !session.retained.isEmpty { rest += "; \(session.retained.count) outcome(s) are kept for it" }
    if let limit = settings.giveUpAfter {
      rest += "; giving up when there was no word for \(limit)"
    } else if everWelcomed {
      // Only a coordinator could tell.
      rest += "; if the study has ended meanwhile, stop this worker (Ctrl-C), or start workers with --give-up-after"
    }
    return "no answer from the coordinator at \(place): \(advice); \(rest)"
  }
}
