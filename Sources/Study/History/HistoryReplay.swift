/// The history checker's own model: what the events alone say, with every arrow checked for legality.
struct HistoryReplay {
  struct AttemptModel {
    var trial: Int
    var state: AttemptState
  }

  struct Completion {
    var trial: Int
    var front: [Int]
    var hypervolume: Double?
  }

  var findings: [HistoryChecker.Finding] = []
  var trials: [Int: TrialState] = [:]
  var attempts: [AttemptToken: AttemptModel] = [:]
  var completions: [Completion] = []
  private var attached: Set<Int> = []
  private var last = 0
  private var lastToken = 0

  mutating func note(_ rule: String, _ detail: String) {
    findings.append(HistoryChecker.Finding(rule: rule, detail: detail))
  }

  mutating func take(_ event: StudyEvent) {
    last += 1
    if event.number != last {
      note("events gapless", "event \(event.number) where \(last) was due")
      last = event.number
    }
    switch event.kind {
    case .trialQueued(let trial, let kind, _):
      if trial != trials.count { note("trial numbers gapless", "trial \(trial) queued as number \(trials.count)") }
      trials[trial] = .queued
      if kind == .attached { attached.insert(trial) }
    case .attemptLeased(let trial, let token, _):
      if token.rawValue <= lastToken { note("tokens grow", "token \(token) after \(lastToken)") }
      lastToken = token.rawValue
      expect(trial, [.queued], event)
      trials[trial] = .running
      attempts[token] = AttemptModel(trial: trial, state: .leased)
    case .trialRequeued(let trial):
      expect(trial, [.running, .failed, .diverged, .infeasible, .abandoned], event)
      if attempts.values.contains(where: { $0.trial == trial && $0.state.isLive }) {
        note("one lease", "trial \(trial) requeued with a live attempt (event \(event.number))")
      }
      trials[trial] = .queued
    case .trialEnded(let trial, let state):
      expect(trial, Self.before(state, isAttached: attached.contains(trial)), event)
      trials[trial] = state
    case .trialCompleted(let trial, let token, let front, let hypervolume):
      expect(trial, [.running, .queued], event)
      trials[trial] = .completed
      completions.append(Completion(trial: trial, front: front, hypervolume: hypervolume))
      if let token {
        move(token, of: trial, from: [.leased, .started, .expired, .interrupted, .released], to: .succeeded, event)
      }
    default: takeAttempt(event)
    }
  }

  /// The states from which a trial may end as `state`: one that the user gave may come with its outcome.
  private static func before(_ state: TrialState, isAttached: Bool) -> Set<TrialState> {
    if state == .abandoned { return Set(TrialState.allCases).subtracting([.completed]) }
    let mayComeEnded = isAttached && (state == .diverged || state == .infeasible)
    return mayComeEnded ? [.running, .queued] : [.running]
  }

  private mutating func takeAttempt(_ event: StudyEvent) {
    let live: Set<AttemptState> = [.leased, .started]
    switch event.kind {
    case .attemptStarted(let trial, let token): move(token, of: trial, from: [.leased], to: .started, event)
    case .attemptReleased(let trial, let token, _): move(token, of: trial, from: live, to: .released, event)
    case .attemptExpired(let trial, let token): move(token, of: trial, from: live, to: .expired, event)
    case .attemptInterrupted(let trial, let token): move(token, of: trial, from: live, to: .interrupted, event)
    case .attemptCancelled(let trial, let token): move(token, of: trial, from: live, to: .cancelled, event)
    case .attemptFailed(let trial, let token, _, _): move(token, of: trial, from: live, to: .failed, event)
    case .attemptResumed(let trial, let token):
      expect(trial, [.queued], event)
      trials[trial] = .running
      move(token, of: trial, from: [.expired, .interrupted], to: .started, event)
    case .attemptSuperseded(let trial, let token):
      move(token, of: trial, from: [.expired, .interrupted, .released, .cancelled], to: .superseded, event)
    default: break
    }
  }

  private mutating func expect(_ trial: Int, _ allowed: Set<TrialState>, _ event: StudyEvent) {
    guard let state = trials[trial] else { return note("transitions legal", "event \(event) of an unknown trial") }
    if !allowed.contains(state) { note("transitions legal", "event \(event) while the trial is \(state.rawValue)") }
  }

  private mutating func move(
    _ token: AttemptToken, of trial: Int, from allowed: Set<AttemptState>, to next: AttemptState, _ event: StudyEvent
  ) {
    guard let model = attempts[token], model.trial == trial else {
      return note("transitions legal", "event \(event) of an unknown attempt")
    }
    if !allowed.contains(model.state) {
      note("transitions legal", "event \(event) while the attempt is \(model.state.rawValue)")
    }
    attempts[token]?.state = next
  }
}
