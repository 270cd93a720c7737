import BayesianOptimization

/// Where the search for the next configuration stands: one question is open at a time.
enum ProposalPhase {
  /// Nothing is asked, because nothing is needed.
  case idle
  /// An earlier process had asked this when it ended: it is asked again, as it was, before anything else.
  case interrupted(InterruptedProposal)
  /// The sampler is at work.
  case computing
  /// The sampler has answered, and the answer could not be stored so far: the clock tries it again. Answers to later
  /// questions must not take its place.
  case held(ProposalTask, ProposalOutcome)
  /// Every configuration of the space is known or under way.
  case exhausted

  /// Whether a question is open.
  var isOpen: Bool {
    switch self {
    case .computing, .held: true
    case .idle, .interrupted, .exhausted: false
    }
  }
}
