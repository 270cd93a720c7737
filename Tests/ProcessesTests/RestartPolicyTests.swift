import TestSupport
import Testing

@testable import Processes

@Suite("Restarts of supervised processes", .bounded) struct RestartPolicyTests {
  @Test func whoeverDiesIsStartedAgainLaterAndLater() {
    var policy = RestartPolicy.fleet
    let killed = ProcessEnd(word: 9)
    let waits = (0..<8).map { _ in policy.ended(killed, lived: 3, isStopping: false) }
    #expect(waits == [1, 2, 4, 8, 16, 32, 60, 60].map { .restart(after: $0) })
    #expect(policy.ended(killed, lived: 3600, isStopping: false) == .restart(after: 1))
    #expect(policy.ended(killed, lived: 3, isStopping: true) == .left(status: 75))
  }

  @Test("a search gives up a worker that dies six times, each time within a minute") func diesTooOften() {
    var policy = RestartPolicy.search
    let killed = ProcessEnd(word: 9)
    let waits = (0..<5).map { _ in policy.ended(killed, lived: 59, isStopping: false) }
    #expect(waits == [1, 2, 4, 8, 16].map { .restart(after: $0) })
    var another = policy
    #expect(policy.ended(killed, lived: 59, isStopping: false) == .diedTooOften(6))
    #expect(another.ended(killed, lived: 60, isStopping: false) == .restart(after: 1))
  }

  @Test func whoeverLeavesOrCannotWorkIsNotStartedAgain() {
    var policy = RestartPolicy.fleet
    func exited(_ status: Int32) -> ProcessEnd { ProcessEnd(word: status << 8) }
    #expect(policy.ended(exited(0), lived: 1, isStopping: false) == .left(status: 0))
    #expect(policy.ended(exited(75), lived: 1, isStopping: false) == .left(status: 75))
    for status: Int32 in [1, 2, 3, 4, 6] {
      #expect(policy.ended(exited(status), lived: 1, isStopping: false) == .cannotWork(status: status))
    }
    #expect(RestartPolicy.status([1, 0], isStopping: false) == 0)
    #expect(RestartPolicy.status([6, 6], isStopping: false) == 6)
    #expect(RestartPolicy.status([75, 75], isStopping: false) == 75)
    #expect(RestartPolicy.status([75, 1], isStopping: false) == 1)
    #expect(RestartPolicy.status([0, 6], isStopping: true) == 75)
  }

  @Test("exit statuses mean the same to a search and to a fleet") func exitStatuses() {
    for status in [0, 75, 130] { #expect(WorkerExit(ProcessEnd(status: status)) == .left(status: Int32(status))) }
    for status in 1...6 { #expect(WorkerExit(ProcessEnd(status: status)) == .cannotWork(status: Int32(status))) }
    for status in [7, 78, 127, 255] { #expect(WorkerExit(ProcessEnd(status: status)) == .died) }
    #expect(WorkerExit(ProcessEnd(signal: 9)) == .died)
    let ends = (0...255).map { ProcessEnd(status: $0) } + (1...31).map { ProcessEnd(signal: $0) }
    for end in ends {
      for isStopping in [false, true] {
        var (search, fleet) = (RestartPolicy.search, RestartPolicy.fleet)
        let decision = search.ended(end, lived: 1, isStopping: isStopping)
        #expect(decision == fleet.ended(end, lived: 1, isStopping: isStopping), "\(end)")
        if case .cannotWork(let status) = decision { #expect(!isStopping && (1...6).contains(status), "\(end)") }
      }
    }
  }
}
