import Foundation
import RandomStreams
import TestSupport
import Testing

/// R21: exactly the budget is finished, for one to 64 workers, while coordinator and workers are killed.
@Suite("Exact budget", .bounded) struct ExactBudgetTests {
  @Test("R21: exactly N trials are finished") func budget() async {
    let outcome = await FaultRun.perform("R21") { run in
      let counts = FaultForm.isFull ? [1, 2, 3, 5, 8, 13, 16, 24, 32, 48, 64] : [1, 7, 64]
      for workers in counts { try Self.study(run, workers: workers) }
      run.outcome.count = counts.count
      run.outcome.what = "studies with \(counts.map(String.init).joined(separator: ", ")) workers"
    }
    #expect(outcome.problems == [])
  }

  private static func study(_ run: FaultRun, workers: Int) throws {
    var random = RandomStream(seed: run.seed, purpose: "faults/R21", index: UInt64(workers))
    var options = FaultStudy.Options()
    options.seed = run.seed
    options.budget = 20 + 2 * workers
    let study = try FaultStudy("budget", options)
    let host = SessionHost(SessionHost.Options(study, trialSeconds: 0.08, seed: run.seed), count: workers)
    defer { host.stop() }
    // Killed where a slip would cost or add a trial: around proposals and outcomes, early and near the end.
    for point in ["proposal.after", "outcome.before", "outcome.after", "lease.after"] {
      let pass = 1 + random.integer(below: 4 + workers / 3)
      let coordinator = try study.coordinator(["ENGRAM_FAILPOINT": "\(point):\(pass)"])
      for _ in 0..<3 {
        usleep(useconds_t(150_000 * random.uniform()))
        host.kill(random.integer(below: workers))
        run.fire("worker killed")
      }
      if coordinator.wait(4) == 137 { run.fire(point) }
      coordinator.destroy()
    }
    let last = try study.coordinator()
    defer { last.destroy() }
    run.check(last.wait(90) == 0, "\(workers) workers: the study did not end: \(last.output.suffix(300))")
    let log = host.stop()
    run.check(log.failure == nil, "workers: \(log.failure ?? "")")
    let problems = try study.problems(acknowledged: log.acknowledged)
    run.check(problems.isEmpty, "\(workers) workers: \(problems.prefix(5))")
    let finished = study.finished
    run.check(finished == options.budget, "\(workers) workers: \(finished) finished of \(options.budget)")
  }
}
