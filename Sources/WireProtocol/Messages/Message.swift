import Study

/// One message of the protocol between a worker and the coordinator.
///
/// The set is fixed; anything else is refused.
package enum Message: Sendable, Equatable {
  // From the worker.
  /// Who the worker is and what it holds; first message of every connection, again after silence.
  case hello(Hello)
  /// The worker is idle and its evaluator is ready for a trial.
  case ready
  /// The assignment arrived and is being prepared; not yet counted as an execution.
  case accepted(AttemptReference)
  /// The trainer has begun to execute the attempt: from here on it counts.
  case start(AttemptReference)
  /// A vector of intermediate values. At most once: a lost report is not sent again.
  case report(IntermediateReport)
  /// The worker lives; renews the lease of the attempt it names.
  case heartbeat(Heartbeat)
  /// The attempt is finished. Kept by the worker until acknowledged.
  case result(ResultReport)
  /// The attempt failed. Kept by the worker until acknowledged.
  case failure(FailureReport)
  /// The attempt ended without an outcome and may run again. Kept by the worker until acknowledged.
  case released(ReleaseReport)
  /// The worker leaves on purpose; nothing is to be acknowledged any more.
  case goodbye(Notice)
  /// A piece of an artifact; its bytes follow in a raw frame.
  case artifactChunk(ArtifactChunk)

  // From the coordinator.
  /// The hello is accepted.
  case welcome(Welcome)
  /// The hello, or a frame, is refused.
  case refused(Refusal)
  /// A trial to execute.
  case assign(Assignment)
  /// Stop executing the attempt.
  case cancel(Cancellation)
  /// Take no more trials, and leave when the present one is over (or at once).
  case drain(Drain)
  /// The message with this id was received and, where it asks for it, committed.
  case ack(Acknowledgement)

  /// The name of the type as it stands in the frame.
  package var type: MessageType {
    switch self {
    case .hello: .hello
    case .ready: .ready
    case .accepted: .accepted
    case .start: .start
    case .report: .report
    case .heartbeat: .heartbeat
    case .result: .result
    case .failure: .failure
    case .released: .released
    case .goodbye: .goodbye
    case .artifactChunk: .artifactChunk
    case .welcome: .welcome
    case .refused: .refused
    case .assign: .assign
    case .cancel: .cancel
    case .drain: .drain
    case .ack: .ack
    }
  }
}

/// The fixed set of message types.
package enum MessageType: String, Sendable, CaseIterable {
  case hello, ready, accepted, start, report, heartbeat, result, failure, released, goodbye, artifactChunk
  case welcome, refused, assign, cancel, drain, ack

  /// Which side may send it.
  package var sender: Side {
    switch self {
    case .hello, .ready, .accepted, .start, .report, .heartbeat, .result, .failure, .released, .goodbye,
      .artifactChunk:
      .worker
    case .welcome, .refused, .assign, .cancel, .drain, .ack: .coordinator
    }
  }
}

/// The two sides of a connection.
package enum Side: String, Sendable { case worker, coordinator }

/// A message with its running number.
///
/// Numbers rise within one session of the sender; acknowledgements refer to them.
package struct Envelope: Sendable, Equatable {
  /// Running number, from 1.
  package var id: Int64
  package var message: Message
  package init(id: Int64, message: Message) {
    self.id = id
    self.message = message
  }
}

/// What travels as one ZeroMQ message behind the routing id: a JSON frame and, with a chunk, one raw frame.
package struct WireFrames: Sendable, Equatable {
  package var json: [UInt8]
  package var attachment: [UInt8]?
  package init(json: [UInt8], attachment: [UInt8]? = nil) {
    self.json = json
    self.attachment = attachment
  }
}
