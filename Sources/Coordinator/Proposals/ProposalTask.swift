import BayesianOptimization
import Study

/// A proposal to compute in the background: everything that the answer depends on, and where it was taken from.
package struct ProposalTask: Sendable {
  /// What the sampler gets.
  package var request: ProposalRequest
  /// Number of the last event that is part of `request`.
  package var eventNumber: Int
  /// Numbers of the pending trials, in the order of `request.pending`.
  package var pending: [Int]
  /// Number of the trial whose warm start is in `request`.
  package var warmStartFrom: Int?
  /// Number that the proposed trial will have, unless the user adds one first.
  package var trial: Int
  /// How many proposals in a row are wanted; the first one is enough.
  package var wanted: Int
  /// Whether `pending` counts on the trials of proposals that were made in the same row.
  package private(set) var isFollowing = false

  init(
    request: ProposalRequest, eventNumber: Int, pending: [Int], warmStartFrom: Int?, trial: Int, wanted: Int
  ) {
    self.request = request
    self.eventNumber = eventNumber
    self.pending = pending
    self.warmStartFrom = warmStartFrom
    self.trial = trial
    self.wanted = wanted
  }

  /// The tasks of a row of answers, as the sampler saw them, each with its answer.
  ///
  /// An answer follows the ones before it: its request has them among the pending configurations.
  func answered(by outcomes: [ProposalOutcome]) -> [(task: ProposalTask, outcome: ProposalOutcome)] {
    var task = self
    return outcomes.map { outcome in
      defer { if case .proposal(let proposal) = outcome { task.follow(proposal) } }
      return (task, outcome)
    }
  }

  private mutating func follow(_ proposal: Proposal) {
    request.index += 1
    request.pending.append(proposal.configuration)
    pending.append(trial)
    if let data = proposal.warmStart {
      request.warmStart = data
      warmStartFrom = trial
    }
    trial += 1
    wanted -= 1
    isFollowing = true
  }
}
