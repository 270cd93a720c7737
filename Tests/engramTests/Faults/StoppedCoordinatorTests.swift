import Foundation
import Study
import TestSupport
import Testing

/// R14: a coordinator that was stopped (SIGSTOP, a suspended virtual machine) blames nobody for its own standstill.
@Suite("Coordinator stopped", .bounded) struct StoppedCoordinatorTests {
  @Test("R14: no trial is given to another worker") func stopped() async {
    let outcome = await FaultRun.perform("R14") { run in
      let seconds = FaultForm.count(short: 10, full: 120)
      var options = FaultStudy.Options()
      options.seed = run.seed
      options.budget = 40
      options.lease = 3
      let study = try FaultStudy("stopped", options)
      let host = SessionHost(SessionHost.Options(study, trialSeconds: 1, seed: run.seed), count: 8)
      defer { host.stop() }
      let coordinator = try study.coordinator()
      defer { coordinator.destroy() }
      try Patience.require("four trials finished") { study.finished >= 4 }
      coordinator.kill(SIGSTOP)
      sleep(UInt32(seconds))
      coordinator.kill(SIGCONT)
      run.fire("SIGSTOP")
      run.check(coordinator.wait(120) == 0, "the study did not end: \(coordinator.output.suffix(300))")
      let log = host.stop()
      let problems = try study.problems(acknowledged: log.acknowledged)
      run.check(problems.isEmpty, "\(problems.prefix(5))")
      run.check(coordinator.output.contains("stood still for"), "the coordinator did not notice its standstill")
      // Nobody lost a lease, and every trial ran once.
      let lost = try study.events().filter {
        switch $0.kind {
        case .attemptExpired, .attemptInterrupted, .attemptSuperseded: true
        default: false
        }
      }
      run.check(lost.isEmpty, "\(lost.count) leases were lost, the first: \(lost.first.map { "\($0)" } ?? "")")
      let repeated = Dictionary(grouping: log.executed.values, by: { $0 }).filter { $0.value.count > 1 }.keys.sorted()
      run.check(repeated.isEmpty, "trials \(repeated) ran more than once")
      run.outcome.count = 1
      run.outcome.what = "SIGSTOP for \(seconds) s with 8 busy workers, lease 3 s"
    }
    #expect(outcome.problems == [])
  }
}
