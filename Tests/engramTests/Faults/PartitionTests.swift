import Foundation
import Foundations
import Study
import TestSupport
import Testing

/// R7: the network between coordinator and workers is cut, both ways and one way, for longer and shorter than a lease.
///
/// Real processes over TCP with keys, in two network namespaces. Skipped, with the reason, where this machine does not
/// permit them.
@Suite("Partition", .bounded) struct PartitionTests {
  private struct Case {
    var name: String
    var cut: NetworkLab.Cut
    /// Whether a lease outlives the cut.
    var isLeaseLonger: Bool
  }

  private static let cases = [
    Case(name: "both ways, lease longer", cut: .both, isLeaseLonger: true),
    Case(name: "both ways, lease shorter", cut: .both, isLeaseLonger: false),
    Case(name: "to the coordinator only, lease shorter", cut: .toHead, isLeaseLonger: false),
    Case(name: "to the workers only, lease longer", cut: .toNode, isLeaseLonger: true),
  ]

  @Test("R7: leases decide who goes on, and nothing is lost") func partition() async {
    let seconds = Double(FaultForm.count(short: 6, full: 60))
    // All at once: they wait for most of their time.
    let problems = await withTaskGroup(of: [String].self) { group in
      for index in Self.cases.indices {
        group.addTask {
          await FaultRun.perform("R7") { run in
            try Self.partition(run, Self.cases[index], seconds: seconds, index: index)
          }.problems
        }
      }
      return await group.reduce([], +)
    }
    #expect(problems == [])
  }

  private static func partition(_ run: FaultRun, _ item: Case, seconds: Double, index: Int) throws {
    run.outcome.what = "\(Int(seconds)) s, \(item.name), TCP with keys"
    run.outcome.count = 1
    var reason = ""
    guard let lab = NetworkLab(reason: &reason) else {
      run.outcome.skipped = reason
      return
    }
    var options = FaultStudy.Options()
    options.seed = run.seed + UInt64(index)
    options.budget = 16
    options.heartbeat = seconds / 12
    options.lease = item.isLeaseLonger ? seconds * 2.5 : seconds / 3
    // Trials as long as the cut: every worker is busy when it comes, and finishes during or after it.
    options.seconds = seconds * 0.5
    let study = try FaultStudy("partition", options)
    let keys = ["--keys", study.path("keys")]
    for name in ["server", "worker"] { _ = try EngramProcess.run(["keys", "generate", name] + keys) }
    _ = try EngramProcess.run(["keys", "authorize", "worker"] + keys)
    let address = "tcp://\(lab.address(.head)):7077"
    let coordinator = try study.coordinator(bind: address, more: keys, launcher: lab.launcher(.head))
    defer { coordinator.destroy() }
    // On the far side of the cable; and one beside the coordinator, which takes what others lose.
    let workers = try (0..<3).map {
      try study.worker("w\($0)", connect: address, more: keys, launcher: lab.launcher(.node))
    }
    let near = try study.worker("near", connect: address, more: keys, launcher: lab.launcher(.head))
    defer { for worker in workers + [near] { worker.destroy() } }
    try Patience.require("every worker has finished a trial and runs another", seconds * 3 + 60) {
      guard let trials = try? study.record().trials else { return false }
      return trials.count { $0.state == .completed } >= 4 && trials.count { $0.liveAttempt?.state == .started } >= 4
    }
    let running = try study.record().trials.compactMap(\.liveAttempt).filter { $0.worker.name != "near" }
    let last = try study.observer().lastEventNumber()
    run.check(lab.cut(item.cut), "the cable could not be cut")
    Thread.sleep(forTimeInterval: seconds)
    let during = try study.events().filter { $0.number > last }
    lab.heal()
    let healed = ContinuousClock.now
    try checkFault(run, during, workers)
    let isBack = Patience.wait(60) { workers.allSatisfy { isConnected($0) } }
    let back = healed.duration(to: .now).seconds
    run.check(isBack && back <= 10, "not every session was back 10 s after the cut was mended")
    run.check(coordinator.wait(seconds * 6 + 120) == 0, "the study did not end: \(coordinator.output.suffix(400))")
    for (index, worker) in (workers + [near]).enumerated() {
      run.check(worker.wait(30) == 0, "worker \(index) did not leave well: \(worker.output.suffix(300))")
    }
    let problems = try study.problems()
    run.check(problems.isEmpty, "\(problems.prefix(5))")
    try study.checkWorkerLogs(run, ["w0", "w1", "w2", "near"])
    try checkLeases(run, study, item, running)
    run.note(String(format: "all sessions back %.1f s after mending", back))
  }

  /// Whether the worker's last word on its connection is that it stands.
  private static func isConnected(_ worker: FaultProcess) -> Bool {
    let lines = worker.output.split(separator: "\n")
    let last = lines.last { $0.contains("connected to study") || $0.contains("no word from the coordinator") }
    return last?.contains("connected to study") ?? false
  }

  /// The cut was felt: no result arrived while it lasted, and the workers noticed.
  private static func checkFault(_ run: FaultRun, _ during: [StudyEvent], _ workers: [FaultProcess]) throws {
    let far = Set(during.compactMap { if case .attemptLeased(_, _, let worker) = $0.kind { worker } else { nil } })
    run.check(far.isSubset(of: ["near"]), "\(far.sorted()) got trials through the cut")
    let noticed = workers.count { $0.output.contains("no word from the coordinator") }
    run.check(noticed == workers.count, "only \(noticed) of \(workers.count) workers noticed")
    run.fire("worker cut off", noticed)
  }

  private static func checkLeases(_ run: FaultRun, _ study: FaultStudy, _ item: Case, _ running: [Attempt]) throws {
    let record = try study.record()
    var reassigned = 0
    var superseded = 0
    for before in running {
      let trial = record.trials[before.trial]
      guard let attempt = trial.attempts.first(where: { $0.token == before.token }) else { continue }
      if trial.attempts.count > 1 { reassigned += 1 }
      if attempt.state == .superseded { superseded += 1 }
      if item.isLeaseLonger {
        run.check(
          trial.attempts.count == 1 && attempt.state == .succeeded,
          "trial \(trial.number) was taken away although its lease outlived the cut (\(attempt.state.rawValue))")
      } else {
        run.check(trial.attempts.count <= 2, "trial \(trial.number) ran \(trial.attempts.count) times")
        // A worker that hears the coordinator is told to stop when its lease has run out; the others have a result.
        let isTold = item.cut == .toHead && attempt.result == nil
        run.check(
          isTold || attempt.state == .succeeded || attempt.state == .superseded,
          "the result of attempt \(attempt.token) is lost (\(attempt.state.rawValue))")
      }
    }
    let expired = try study.events().count { if case .attemptExpired = $0.kind { true } else { false } }
    run.check(item.isLeaseLonger ? expired == 0 : expired > 0, "\(expired) leases expired")
    run.note("\(expired) leases expired, \(reassigned) trials reassigned, \(superseded) late results kept beside")
  }
}
