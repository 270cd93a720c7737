import Foundation
import RandomStreams
import Study
import TestSupport
import Testing

/// R6: trials of killed, crashed and terminated workers and trainers run again, soon and not for ever.
@Suite("Workers and trainers killed", .bounded) struct KilledWorkerTests {
  private static let signals: [(number: Int32, name: String)] = [
    (SIGKILL, "SIGKILL"), (SIGSEGV, "SIGSEGV"), (SIGTERM, "SIGTERM"),
  ]
  private static let poison = 5

  @Test("R6: trials run again within lease + 5 s, at most three times") func killed() async {
    let outcome = await FaultRun.perform("R6") { run in
      let kills = FaultForm.count(short: 9, full: 200)
      var options = FaultStudy.Options()
      options.seed = run.seed
      options.budget = 1_000_000
      options.seconds = 0.5
      let study = try FaultStudy("workers", options)
      let coordinator = try study.coordinator()
      defer { coordinator.destroy() }
      var crew = try Crew(study, run: run)
      defer { crew.end() }
      try Patience.require("four trials finished") { study.finished >= 4 }
      for _ in 0..<kills { try crew.strike() }
      let last = try study.record().trials.count
      try Patience.require("every trial up to the last blow has ended") {
        (try? study.record().trials.prefix(last).allSatisfy(\.state.isTerminal)) ?? false
      }
      coordinator.kill(SIGINT)
      run.check(coordinator.wait(60) == 130, "the coordinator did not stop: \(coordinator.output.suffix(300))")
      let problems = try study.problems(expectsEnd: false)
      run.check(problems.isEmpty, "\(problems.prefix(5))")
      try crew.check(study)
      try study.checkWorkerLogs(run, (0..<4).map { "w\($0)" })
      try checkPoison(study, run)
      run.outcome.count = kills
      run.outcome.what =
        "\(kills) signals to real workers and trainers (4 workers), and a trial that crashes every trainer"
    }
    #expect(outcome.problems == [])
  }

  private func checkPoison(_ study: FaultStudy, _ run: FaultRun) throws {
    let trials = try study.record().trials
    guard trials.indices.contains(Self.poison) else { throw FaultTestError("the poison trial never came") }
    let trial = trials[Self.poison]
    let crashes = trial.attempts.count { $0.failure?.signal == Int(SIGSEGV) }
    run.check(trial.state == .failed, "the poison trial is \(trial.state.rawValue)")
    run.check(trial.countedAttempts == 3, "the poison trial was counted \(trial.countedAttempts) times")
    run.check(crashes >= 1, "no attempt of the poison trial shows a segmentation fault")
    let evidence = trial.failure
    run.check(
      evidence?.logLines.contains { $0.contains("fault: crash at trial \(Self.poison)") } ?? false
        && evidence?.nextStep != nil && evidence?.host != nil,
      "the poison trial's failure lacks evidence: \(String(describing: evidence))")
    run.fire("poison trial", crashes)
  }

  /// Four real workers, each with its trainer.
  private struct Crew {
    struct Loss {
      var token: AttemptToken
      var time: Double
    }

    let study: FaultStudy
    let faults: FaultRun
    var random: RandomStream
    var workers: [FaultProcess] = []
    var losses: [Loss] = []

    init(_ study: FaultStudy, run: FaultRun) throws {
      self.study = study
      faults = run
      random = RandomStream(seed: run.seed, purpose: "faults/R6")
      workers = try (0..<4).map { try Self.start(study, $0) }
    }

    static func start(_ study: FaultStudy, _ index: Int) throws -> FaultProcess {
      // Without Swift's own handler, which makes a backtrace of a signal that somebody sent and goes on.
      try study.worker("w\(index)", ["ENGRAM_TRAINER_FAULT": "crash:\(poison)", "SWIFT_BACKTRACE": "enable=no"])
    }

    /// Kills a worker or a trainer; a dead worker is started again, sometimes only after its lease has run out.
    mutating func strike() throws {
      let index = random.integer(below: workers.count)
      let signal = signals[random.integer(below: signals.count)]
      usleep(useconds_t(random.uniform() * 400_000))
      let worker = workers[index]
      let trainers = FaultProcess.allChildren(of: worker.pid)
      let held = try study.record().trials.compactMap(\.liveAttempt).first { $0.worker.name == "w\(index)" }
      if random.integer(below: 2) == 0, let trainer = trainers.first {
        kill(trainer, signal.number)
        faults.fire("trainer \(signal.name)")
        if let held { losses.append(Loss(token: held.token, time: Date().timeIntervalSince1970)) }
        return
      }
      worker.kill(signal.number)
      if let held { losses.append(Loss(token: held.token, time: Date().timeIntervalSince1970)) }
      guard worker.wait(30) != nil else { throw FaultTestError("worker w\(index) survived \(signal.name)") }
      faults.fire("worker \(signal.name)")
      if random.integer(below: 3) == 0 { usleep(useconds_t(study.options.lease * 1.2e6)) }
      workers[index] = try Self.start(study, index)
    }

    /// Every trial that was lost was leased again in time, or its attempt had ended by itself before the blow.
    func check(_ study: FaultStudy) throws {
      let record = try study.record()
      var slowest = 0.0
      var again = 0
      for loss in losses {
        guard let trial = record.trials.first(where: { $0.attempts.contains { $0.token == loss.token } }) else {
          faults.check(false, "attempt \(loss.token) has disappeared")
          continue
        }
        faults.check(trial.countedAttempts <= 3, "trial \(trial.number) was counted \(trial.countedAttempts) times")
        guard let index = trial.attempts.firstIndex(where: { $0.token == loss.token }),
          trial.attempts.indices.contains(index + 1)
        else { continue }
        again += 1
        slowest = max(slowest, trial.attempts[index + 1].leasedTime - loss.time)
      }
      faults.check(again >= min(3, losses.count), "only \(again) of \(losses.count) blows cost an attempt")
      faults.check(
        slowest <= study.options.lease + 5, "a trial was leased again only after \(slowest) s")
      faults.note(
        String(
          format: "%d trials leased again, the slowest after %.1f s (lease %.0f s)", again, slowest, study.options.lease
        ))
    }

    func end() { for worker in workers { worker.destroy() } }
  }
}
