import BayesianOptimization
import Study
import Transport
import WireProtocol

extension CoordinatorCore {
  /// What happens to the coordinator.
  package enum Event: Sendable {
    /// A decoded message of a connection.
    case received(Peer, Envelope)
    /// A frame of a connection that could not be decoded.
    case malformed(Peer, WireError)
    /// Time has passed; at least once per second.
    case clock
    /// The sampler has answered.
    case proposed(ProposalTask, ProposalOutcome)
    /// A message to a connection could not be delivered: it is closed, or nothing is read there.
    case undeliverable(Peer)
    /// A key is no longer admitted: nothing of its connections follows.
    case revoked(PeerIdentity)
    /// An artifact chunk was stored (or not).
    case stored(Peer, id: Int64, Acknowledgement.Verdict)
    /// Ask all workers to leave: now, giving their trials back, or after their present trial.
    case drain(immediately: Bool, reason: String)
  }

  /// What the caller has to do, in order.
  package enum Action: Sendable {
    /// Send to a connection.
    case send(Peer, Envelope)
    /// End a connection that sends garbage.
    case disconnect(Peer)
    /// Compute a proposal in the background and answer with `proposed`.
    case propose(ProposalTask)
    /// Write a piece of an artifact and answer with `stored`.
    case store(Peer, id: Int64, ArtifactChunk)
    /// Something happened that the operator wants to see.
    case note(Note)
    /// The study has ended and nothing runs any more.
    case finished(StopReason)
    /// The store is beyond use: stop and tell the operator.
    case fatal(StudyError)
  }

  /// A line for the log or the screen.
  package struct Note: Sendable, Hashable {
    package enum Level: Sendable, Hashable { case debug, info, warning }
    package var level: Level
    package var text: String
  }

  /// What a coordinator found when it opened the study.
  package struct Found: Sendable, Hashable {
    package var isNew: Bool
    /// Finished search trials that are kept.
    package var finished: Int
    /// Trials that were under way and run again (or go on with their workers).
    package var interrupted: Int
    package var queued: Int
  }
}
