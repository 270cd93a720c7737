import BayesianOptimization
import Study
import WireProtocol

/// How a coordinator runs one study; plain data.
package struct CoordinatorSettings: Sendable {
  /// Version of this program, for hello and for the record.
  package var build: String
  /// Budget of search trials; may be raised from one run to the next.
  package var budget: Int
  /// How often workers send heartbeats.
  ///
  /// Default 5 s.
  package var heartbeat: Duration
  /// How long a lease lasts without a sign of life.
  ///
  /// Default 60 s.
  package var lease: Duration
  /// After how long an unanswered assignment is sent again.
  ///
  /// Default 2 s.
  package var resend: Duration
  /// Proposals to hold ready beyond the idle workers, so that no worker waits for the model.
  ///
  /// Default 1.
  package var lookahead: Int
  /// The study ends after this time of this run; nil (default) for no limit.
  package var timeLimit: Duration?
  /// Whether no worker of an earlier run can still be alive: its attempts are given up at once instead of after a lease.
  package var presumesWorkersGone: Bool
  /// The un-injected base, measured once outside the budget; nil where the space has none.
  package var anchor: Configuration?
  /// How long workers may take to leave at the end.
  ///
  /// Default 5 s.
  package var drainTime: Duration
  /// Longest time between two events of the coordinator (its clock ticks every second) that is not taken for a
  /// standstill of the coordinator itself, which extends all leases.
  ///
  /// Default 2 s.
  package var stall: Duration

  /// A trial that is given back within this time has not got on.
  ///
  /// Default 60 s.
  package var quickRelease: Duration = .seconds(60)
  /// A trial that is given back so often in a row without getting on, by workers that stay, is given up.
  ///
  /// Default 10.
  package var releaseLimit = 10
  /// Rest of a worker that has given back three trials in a row as soon as it had them; doubles with each further one.
  ///
  /// Default 1 s, up to 60 s.
  package var releaseRest: Duration = .seconds(1)
  package var releaseRestMaximum: Duration = .seconds(60)
  /// Rest of a worker that has failed three times in a row while others work; doubles with each further failure.
  ///
  /// Default 5 s, up to 300 s.
  package var failureRest: Duration = .seconds(5)
  package var failureRestMaximum: Duration = .seconds(300)
  /// Takes a trial away that gives signs of life without progress for so long; nil (default) only warns.
  package var progressLimit: Duration?
  /// After so long without progress that is said once.
  ///
  /// Default 1 h.
  package var progressWarning: Duration = .seconds(3600)

  package init(
    build: String, budget: Int, heartbeat: Duration = .seconds(5), lease: Duration = .seconds(60),
    resend: Duration = .seconds(2), lookahead: Int = 1, timeLimit: Duration? = nil, presumesWorkersGone: Bool = false,
    anchor: Configuration? = nil, drainTime: Duration = .seconds(5), stall: Duration = .seconds(2)
  ) {
    self.build = build
    self.budget = budget
    self.heartbeat = heartbeat
    self.lease = lease
    self.resend = resend
    self.lookahead = lookahead
    self.timeLimit = timeLimit
    self.presumesWorkersGone = presumesWorkersGone
    self.anchor = anchor
    self.drainTime = drainTime
    self.stall = stall
  }
}

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

/// What a person (or a program in their name) wants of a running study.
package enum SteeringCommand: Sendable, Hashable, Codable {
  case pause
  case resume
  /// Puts a trial that ended without a result back into the queue.
  case retry(trial: Int)
  /// Takes a trial out of the study.
  case abandon(trial: Int)
  /// Adds a configuration to evaluate.
  case enqueue(configuration: Configuration)
  /// Adds a configuration with its known result.
  case attach(configuration: Configuration, result: TrialResult)
  /// Leases the next trial to somebody who is not connected as a worker.
  case ask(worker: String)
  /// Reports an outcome of a trial leased by `ask`.
  case tell(token: AttemptToken, result: TrialResult)
  case tellFailure(token: AttemptToken, failure: FailureRecord)
  /// Lets a quarantined worker take trials again.
  case reinstate(worker: String)
}

/// The answer to a steering command.
package struct SteeringReply: Sendable, Hashable, Codable {
  /// What was done, in a sentence.
  package var message: String
  /// The trial concerned, with its newest attempt.
  package var trial: Trial?

  package init(message: String, trial: Trial? = nil) {
    self.message = message
    self.trial = trial
  }
}
