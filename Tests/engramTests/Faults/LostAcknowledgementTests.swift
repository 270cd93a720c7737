import Foundation
import Study
import TestSupport
import Testing

/// R8: 30 % of the coordinator's replies are lost after their deed is done; the study completes, nothing doubles.
@Suite("Lost acknowledgements", .bounded) struct LostAcknowledgementTests {
  private static func study(_ run: FaultRun, rate: Double, budget: Int) throws -> (log: SessionHost.Log, lost: Int) {
    var options = FaultStudy.Options()
    options.seed = run.seed
    options.budget = budget
    options.lease = 5
    let study = try FaultStudy("replies", options)
    let host = SessionHost(SessionHost.Options(study, trialSeconds: 0.1, seed: run.seed), count: 8)
    defer { host.stop() }
    let coordinator = try study.coordinator(["ENGRAM_TRANSPORT_FAULT": "drop-replies:\(rate):\(run.seed)"])
    defer { coordinator.destroy() }
    run.check(coordinator.wait(240) == 0, "the study did not end: \(coordinator.output.suffix(300))")
    let log = host.stop()
    let problems = try study.problems(acknowledged: log.acknowledged)
    run.check(problems.isEmpty, "\(problems.prefix(5))")
    let words = coordinator.output.split(separator: "\n").last { $0.contains("replies were dropped") }?
      .split(separator: " ")
    return (log, words.flatMap { Int($0.dropFirst().first ?? "") } ?? -1)
  }

  @Test("R8: the study completes with at most twice the messages") func lost() async {
    let outcome = await FaultRun.perform("R8") { run in
      let budget = FaultForm.count(short: 32, full: 1000)
      let plain = try Self.study(run, rate: 0, budget: budget)
      let faulty = try Self.study(run, rate: 0.3, budget: budget)
      run.check(plain.lost == 0, "the fault fired without being asked for: \(plain.lost)")
      run.fire("reply dropped", max(0, faulty.lost))
      let ratio = Double(faulty.log.requests) / Double(max(1, plain.log.requests))
      run.check(ratio <= 2, "\(faulty.log.requests) messages instead of \(plain.log.requests)")
      let again = faulty.log.verdicts[.duplicate, default: 0]
      run.check(again > 0, "no outcome came twice: nothing was tested")
      run.note("\(again) outcomes sent again and recognised; \(String(format: "%.2f", ratio)) x the messages")
      run.outcome.count = budget
      run.outcome.what = "\(budget) trials, 8 workers, 30 % of the replies dropped after the commit"
    }
    #expect(outcome.problems == [])
  }
}
