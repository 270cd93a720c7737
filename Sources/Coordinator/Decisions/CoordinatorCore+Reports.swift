import Study
import Transport
import WireProtocol

/// How many intermediate reports of an attempt are kept: the first ones all, then every second, fourth … one.
struct ReportTally {
  /// Reports after which every second one is left out, again after so many more every second of those.
  ///
  /// Default 2,000.
  static let fullCount = 2_000
  /// Most reports that are kept of an attempt.
  ///
  /// Default 10,000.
  static let countLimit = 10_000
  /// Most bytes of names and numbers that are kept of an attempt.
  ///
  /// Default 4 MiB.
  static let byteLimit = 4 << 20

  private(set) var seen = 0
  private(set) var kept = 0
  private var bytes = 0

  var dropped: Int { seen - kept }

  /// Whether the next report is kept.
  mutating func keeps(_ values: [String: Double]) -> Bool {
    defer { seen += 1 }
    let size = values.keys.reduce(0) { $0 + $1.utf8.count + 24 }
    let stride = 1 << min(kept / Self.fullCount, 16)
    guard seen % stride == 0, kept < Self.countLimit, bytes + size <= Self.byteLimit else { return false }
    kept += 1
    bytes += size
    return true
  }

  /// Counts a report that could not be kept.
  mutating func drop() { seen += 1 }
}

/// What attempts tell of themselves while they run.
extension CoordinatorCore {
  /// How an attempt stands, as far as it was heard.
  struct Sign {
    var step = -1
    var phase = ""
    var since: Duration
    var isSaid = false
  }

  /// How far an attempt has come.
  mutating func update(_ token: AttemptToken, _ progress: AttemptProgress, _ peer: Peer) {
    guard let name = workerName(peer), workers[name]?.attempt == token else { return }
    workers[name]?.step = progress.step
    workers[name]?.total = progress.total
    workers[name]?.phase = progress.phase
    if let sign = signs[token], sign.step == progress.step, sign.phase == progress.phase { return }
    signs[token] = Sign(step: progress.step, phase: progress.phase, since: now)
  }

  /// Keeps a vector of intermediate values until the clock stores it with others.
  mutating func record(_ report: IntermediateReport, _ peer: Peer) {
    guard let known = state.attempt(report.token), known.attempt.state.isLive, isOwner(peer, of: known.attempt) else {
      return
    }
    var report = report
    report.trial = known.trial.number
    signs[report.token, default: Sign(since: now)].since = now
    let wrong = report.values.filter { !$0.value.isFinite }.map(\.key).sorted()
    guard wrong.isEmpty else { return endDiverged(report, known.attempt, wrong, peer) }
    if tallies[report.token, default: ReportTally()].keeps(report.values) {
      reports.append(report)
    } else if tallies[report.token]?.dropped == 1 {
      log(
        .info,
        "trial \(report.trial) reports very often: of more than \(ReportTally.fullCount) reports every second one is kept, "
          + "later fewer")
    }
  }

  private mutating func endDiverged(_ report: IntermediateReport, _ attempt: Attempt, _ wrong: [String], _ peer: Peer) {
    let failure = FailureRecord(
      failureClass: .diverged, message: "not finite at step \(report.step): \(wrong.joined(separator: ", "))",
      host: attempt.worker.host, device: attempt.worker.device,
      nextStep: "look at the trial's loss curve; a smaller learning rate may help")
    guard let result = try? state.fail(report.token, failure, time: wallTime), commit(result.transition) else {
      return
    }
    deadlines[report.token] = nil
    log(.info, "trial \(report.trial) diverged: \(failure.message)")
    cancel(report.token, .hopeless, at: peer)
  }

  /// A report that breaks the protocol's limits is left out, and that is said once.
  mutating func leaveOut(_ token: AttemptToken, _ reason: String, _ peer: Peer) {
    guard let known = state.attempt(token), isOwner(peer, of: known.attempt) else { return }
    let isFirst = (tallies[token]?.dropped ?? 0) == 0
    tallies[token, default: ReportTally()].drop()
    if isFirst {
      log(.warning, "trial \(known.trial.number): an intermediate report was left out, and others like it: \(reason)")
    }
  }

  /// What is kept only while an attempt is live ends with it; what was left out is said.
  mutating func clearTallies() {
    for token in tallies.keys.sorted() where state.attempt(token)?.attempt.state.isLive != true {
      if let tally = tallies.removeValue(forKey: token), tally.dropped > 0, let trial = state.attempt(token)?.trial {
        log(.info, "trial \(trial.number): \(tally.kept) of \(tally.seen) intermediate reports were kept")
      }
    }
    for token in signs.keys where state.attempt(token)?.attempt.state.isLive != true { signs[token] = nil }
    for token in begun.keys where state.attempt(token)?.attempt.state.isLive != true { begun[token] = nil }
  }

  /// Looks for attempts that give signs of life and do not get on.
  mutating func watchProgress() {
    for attempt in state.liveAttempts where attempt.state == .started && attempt.leaseSeconds > 0 {
      let token = attempt.token
      let sign = signs[token] ?? Sign(since: now)
      signs[token] = sign
      let idle = now - sign.since
      if let limit = settings.progressLimit, idle >= limit {
        lose(token, .stalled(limit))
      } else if settings.progressLimit == nil, idle >= settings.progressWarning, !sign.isSaid {
        signs[token]?.isSaid = true
        log(
          .warning,
          "trial \(attempt.trial) on \(attempt.worker.name) has made no progress for \(idle), though its worker is there; "
            + "coordinator.stall sets a limit, engram trial abandon \(attempt.trial) gives it up")
      }
    }
  }
}
