import Study
import Transport
import WireProtocol

/// Workers that get no trial for a while: those that only fail, and those that give every trial back at once.
extension CoordinatorCore {
  /// Why a worker rests, and until when.
  struct Rest {
    enum Reason { case failures, releases }
    var reason: Reason
    var until: Duration
  }

  /// How long a worker rests after its `count`-th failure or release in a row: not at all up to two, then doubling.
  static func rest(_ count: Int, first: Duration, most: Duration) -> Duration {
    guard count > 2 else { return .zero }
    return min(most, first * (1 << min(count - 3, 20)))
  }

  /// Whether a worker gets no trial at the moment.
  func isResting(_ name: String) -> Bool {
    guard let rest = rests[name], rest.until > now else { return false }
    return rest.reason == .releases || hasBetter(than: name)
  }

  /// Whether another worker is here that does not only fail: else it is not the machine, and nobody waits.
  private func hasBetter(than name: String) -> Bool {
    workers.values.contains { worker in
      let other = worker.identity.name
      return other != name && !state.header.quarantined.contains(other) && (state.failureStreaks[other]?.count ?? 0) < 3
    }
  }

  /// After a failure: the worker rests if it has failed several times in a row.
  mutating func restAfterFailure(_ name: String) {
    let count = state.failureStreaks[name]?.count ?? 0
    let pause = Self.rest(count, first: settings.failureRest, most: settings.failureRestMaximum)
    guard pause > .zero else { return }
    rests[name] = Rest(reason: .failures, until: now + pause)
    guard isResting(name), !state.header.quarantined.contains(name) else { return }
    log(.warning, "worker \(name) has failed \(count) times in a row; the others go first for \(pause)")
  }

  /// A worker gave a trial back that it had hardly begun; whether that was its own wish is seen when it asks for another.
  mutating func recordRelease(_ token: AttemptToken, trial: Int, _ reason: ReleaseReport.Reason, by name: String) {
    // One that began under an earlier coordinator has run for an unknown time.
    let hasStarted = state.attempt(token)?.attempt.startedTime != nil
    let ran = begun[token].map { now - $0 } ?? (hasStarted ? settings.quickRelease : .zero)
    guard reason == .preempted || reason == .busy || reason == .restarted else { return }
    if ran < settings.quickRelease {
      workers[name]?.released = trial
    } else {
      releases[trial] = nil
      releasesOfWorker[name] = nil
    }
  }

  /// A worker that stays after it has given a trial back asks for the next one: counted, and it waits if it goes on so.
  mutating func countRelease(by name: String) {
    guard let trial = workers[name]?.released else { return }
    workers[name]?.released = nil
    releases[trial, default: 0] += 1
    releasesOfWorker[name, default: 0] += 1
    let count = releasesOfWorker[name] ?? 0
    let pause = Self.rest(count, first: settings.releaseRest, most: settings.releaseRestMaximum)
    guard pause > .zero else { return }
    rests[name] = Rest(reason: .releases, until: now + pause)
    log(
      count == 3 ? .warning : .info,
      "worker \(name) has given back \(count) trials in a row as soon as it had them (does its program end with 75?); it "
        + "gets the next one in \(pause)")
  }

  /// What ends a trial that was given back too often in a row without getting on; nil while it may run again.
  func endlessRelease(_ trial: Int) -> FailureRecord? {
    let count = (releases[trial] ?? 0) + 1
    guard count >= settings.releaseLimit else { return nil }
    return FailureRecord(
      failureClass: .bug,
      message: "given back \(count) times in a row, each time within \(settings.quickRelease)",
      nextStep: "exit status 75 means that the machine is wanted elsewhere; let the program end with another one when "
        + "it fails, then: engram trial retry")
  }

  /// A trial has got on, or ended: its releases and those of its worker are forgotten.
  mutating func forgetReleases(of trial: Int, by name: String) {
    releases[trial] = nil
    releasesOfWorker[name] = nil
    if rests[name]?.reason == .releases { rests[name] = nil }
  }

  /// Says that a worker is taken out of service, with its last words.
  mutating func announceQuarantine(_ events: [StudyEvent], _ failure: FailureRecord) {
    for event in events {
      guard case .workerQuarantined(let worker, let failures) = event.kind else { continue }
      let words = failure.logLines.suffix(2).joined(separator: " | ")
      log(
        .warning,
        "worker \(worker) is out of service after \(failures) failures in a row; its last words: \(failure.message)"
          + (words.isEmpty ? "" : " (\(words))") + ". After repair: engram worker reinstate \(worker)")
    }
  }

  /// Says once that nobody is left to take the trials that wait.
  mutating func noteQuarantine() {
    let names = workers.keys.sorted()
    let nobody =
      !names.isEmpty && !state.queued.isEmpty && state.header.stopReason == nil
      && names.allSatisfy { state.header.quarantined.contains($0) }
    if nobody && !saidNobody {
      log(
        .warning,
        "every connected worker is out of service (\(names.joined(separator: ", "))); \(state.queued.count) trial(s) wait. "
          + "After repair: engram worker reinstate NAME")
    }
    saidNobody = nobody
  }
}
