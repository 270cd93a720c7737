import FaultInjection
import Foundation
import Foundations
import RandomStreams
import Study
import TestSupport
import Testing

/// R1: `kill -9` of the coordinator at random points loses or doubles nothing.
///
/// Half of the kills are uniform in time (the start included), half sit at a named failpoint: before and after every
/// kind of commit and every kind of reply. Studies of 200 trials with 8 workers, one after the other until there were
/// enough kills.
@Suite("Coordinator killed", .bounded) struct KilledCoordinatorTests {
  @Test("R1: nothing is lost or doubled") func kills() async {
    let outcome = await FaultRun.perform("R1") { run in
      var cluster = KilledCluster(run, kills: FaultForm.count(short: 25, full: 500))
      try cluster.run()
    }
    #expect(outcome.problems == [])
  }
}

private struct KilledCluster {
  let faults: FaultRun
  let target: Int
  private var random: RandomStream
  private var kills = 0
  private var studies = 0
  private var acknowledged = 0
  private var readiness: [Double] = []

  init(_ faults: FaultRun, kills: Int) {
    self.faults = faults
    target = kills
    random = RandomStream(seed: faults.seed, purpose: "faults/R1")
  }

  mutating func run() throws {
    while kills < target { try runStudy() }
    readiness.sort()
    faults.outcome.count = kills
    faults.outcome.what = "\(kills) kills of the coordinator, \(studies) studies of 200 trials, 8 workers"
    let points = faults.outcome.fired.filter { $0.value > 0 && $0.key != "uniform" }.count
    faults.note("\(acknowledged) acknowledged results kept, \(points) failpoints hit")
    if let slowest = readiness.last {
      let median = readiness[readiness.count / 2]
      faults.note(String(format: "serving again after %.2f s (median), %.2f s (slowest)", median, slowest))
    }
    faults.check(kills >= target, "only \(kills) kills")
    faults.check(points >= min(target / 4, 8), "only \(points) failpoints were hit")
  }

  /// One study from its first start to its end.
  private mutating func runStudy() throws {
    studies += 1
    var options = FaultStudy.Options()
    options.seed = random.next() >> 12
    options.budget = 200
    let study = try FaultStudy("killed", options)
    let host = SessionHost(SessionHost.Options(study, trialSeconds: 0.4, seed: faults.seed), count: 8)
    defer { host.stop() }
    while kills < target, study.finished < 190 { try oneLife(study, host) }
    let last = try study.coordinator()
    defer { last.destroy() }
    let status = last.wait(120)
    faults.check(
      status == 0, "the last coordinator ended with \(String(describing: status)): \(last.output.suffix(300))")
    let log = host.stop()
    faults.check(log.failure == nil, "workers: \(log.failure ?? "")")
    acknowledged += log.acknowledged.count
    faults.check(log.acknowledged.count >= 100, "only \(log.acknowledged.count) results were acknowledged")
    let problems = try study.problems(acknowledged: log.acknowledged)
    faults.check(problems.isEmpty, "study \(studies): \(problems.prefix(5))")
    let completed = study.finished
    faults.check(completed == 200, "study \(studies): \(completed) of 200 trials")
  }

  /// Starts a coordinator and lets it die.
  private mutating func oneLife(_ study: FaultStudy, _ host: SessionHost) throws {
    let isAtPoint = kills % 2 == 1
    let name = Failpoint.names[random.integer(below: Failpoint.names.count)]
    let pass = 1 + random.integer(below: 12)
    let delay = 0.05 + 0.75 * random.uniform()
    let welcomes = host.log.welcomes.count
    let start = ContinuousClock.now
    let coordinator = try study.coordinator(isAtPoint ? ["ENGRAM_FAILPOINT": "\(name):\(pass)"] : [:])
    defer { coordinator.destroy() }
    if isAtPoint {
      if coordinator.wait(4) == 137 {
        faults.fire(name)
        kills += 1
      }
    } else {
      usleep(useconds_t(delay * 1e6))
      if coordinator.isRunning {
        coordinator.kill(SIGKILL)
        faults.fire("uniform")
        kills += 1
      }
    }
    let log = host.log
    if log.welcomes.count > welcomes { readiness.append(start.duration(to: log.welcomes[welcomes].at).seconds) }
    let status = coordinator.wait(10)
    let isExpected = status == 137 || status == 0 || coordinator.isRunning
    faults.check(
      isExpected, "a coordinator ended by itself: \(String(describing: status)) \(coordinator.output.suffix(300))")
  }
}
