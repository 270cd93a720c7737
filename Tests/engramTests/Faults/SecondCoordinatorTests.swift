import Foundation
import Foundations
import TestSupport
import Testing

/// R23: one coordinator per study; a killed owner leaves nothing to clean up.
@Suite("One coordinator", .bounded) struct SecondCoordinatorTests {
  @Test("R23: a second one is refused, a killed one leaves no lock") func second() async {
    let outcome = await FaultRun.perform("R23") { run in
      var options = FaultStudy.Options()
      options.seed = run.seed
      options.budget = 1_000_000
      let study = try FaultStudy("single", options)
      let host = SessionHost(SessionHost.Options(study, trialSeconds: 0.15), count: 2)
      defer { host.stop() }
      let rounds = FaultForm.count(short: 2, full: 20)
      var slowest = 0.0
      for _ in 0..<rounds {
        let owner = try study.coordinator()
        defer { owner.destroy() }
        let before = host.log.welcomes.count
        // No clean-up between the rounds: the lock and the socket of the killed owner are still there.
        try Patience.require("workers are welcomed") { host.log.welcomes.count > before }
        for command in [nil, "search"] {
          let start = ContinuousClock.now
          let second =
            command == nil
            ? try study.coordinator(bind: "ipc://\(study.path("other"))")
            : try FaultProcess(
              ["search", study.file.path, "--runs", study.runs.path],
              log: study.folder.url.appendingPathComponent("second.log"))
          let status = second.wait(30)
          slowest = max(slowest, start.duration(to: .now).seconds)
          run.check(
            status == 4, "the second one ended with \(String(describing: status)): \(second.output.suffix(300))")
          run.check(second.output.contains("\(owner.pid)"), "its message does not name the owner")
          run.fire("second coordinator")
        }
        run.check(owner.isRunning, "the owner is gone: \(owner.output.suffix(300))")
        owner.kill(SIGKILL)
        run.fire("owner killed")
        _ = owner.wait(10)
      }
      run.check(slowest < 10, "refused only after \(slowest) s")
      let last = try study.coordinator()
      defer { last.destroy() }
      let finished = study.finished
      try Patience.require("the study goes on") { study.finished > finished }
      last.kill(SIGINT)
      run.check(last.wait(60) == 130, "the last owner did not stop: \(last.output.suffix(300))")
      let problems = try study.problems(acknowledged: host.stop().acknowledged, expectsEnd: false)
      run.check(problems.isEmpty, "\(problems.prefix(5))")
      run.note(String(format: "refused within %.2f s", slowest))
      run.outcome.count = rounds
      run.outcome.what = "\(rounds) owners, each with a rival coordinator and a rival search, then killed"
    }
    #expect(outcome.problems == [])
  }
}
