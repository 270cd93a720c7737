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
  package var base: Configuration?
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
    base: Configuration? = nil, drainTime: Duration = .seconds(5), stall: Duration = .seconds(2)
  ) {
    self.build = build
    self.budget = budget
    self.heartbeat = heartbeat
    self.lease = lease
    self.resend = resend
    self.lookahead = lookahead
    self.timeLimit = timeLimit
    self.presumesWorkersGone = presumesWorkersGone
    self.base = base
    self.drainTime = drainTime
    self.stall = stall
  }
}
