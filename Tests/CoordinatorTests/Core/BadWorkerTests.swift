import BayesianOptimization
import Study
import TestSupport
import Testing
import Transport
import WireProtocol

@testable import Coordinator

/// No bad machine eats a study, and nothing runs for ever without getting on.
@Suite("Bad workers", .ownThread, .bounded) struct BadWorkerTests {
  private let bad = Desk.peer(1)
  private let good = [Desk.peer(2), Desk.peer(3), Desk.peer(4)]

  private func desk(budget: Int, _ policy: StudyPolicy? = nil) throws -> Desk {
    var policy = policy ?? ToyEvaluation.policy
    policy.failingAfter = 10
    return try Desk(Desk.store(budget: budget), budget: budget, policy: policy)
  }

  /// Good workers need 20 s for a trial, the bad one fails at once; to the end of the study, at most `limit` seconds.
  private func run(_ desk: inout Desk, limit: Int) {
    desk.come(Desk.hello("bad"), bad, at: 0)
    for (index, peer) in good.enumerated() { desk.come(Desk.hello("good\(index)"), peer, at: 0) }
    var ends: [Peer: (AttemptToken, Int)] = [:]
    var failed: Set<AttemptToken> = []
    for second in 1...limit where desk.finish == nil {
      let now = Double(second)
      desk.handle(.clock, at: now)
      while let token = desk.assigned(bad), failed.insert(token).inserted {
        desk.receive(.start(AttemptReference(attempt: token)), from: bad, at: now)
        desk.fail(bad, token, at: now)
        desk.receive(.ready, from: bad, at: now)
      }
      desk.receive(.heartbeat(Heartbeat(phase: .idle)), from: bad, at: now)
      for peer in good {
        if let (token, end) = ends[peer], second >= end {
          ends[peer] = nil
          desk.complete(peer, token, at: now)
          desk.receive(.ready, from: peer, at: now)
        } else if let token = desk.assigned(peer), ends[peer] == nil, desk.state(token) == .leased {
          desk.receive(.start(AttemptReference(attempt: token)), from: peer, at: now)
          ends[peer] = (token, second + 20)
        } else {
          desk.receive(.heartbeat(Heartbeat(phase: .running, attempt: ends[peer]?.0)), from: peer, at: now)
        }
      }
    }
  }

  @Test("one machine on which every trial fails costs no trial and does not end the study") func blackHole() throws {
    var desk = try desk(budget: 60)
    run(&desk, limit: 3_000)
    #expect(desk.finish == .budget)
    #expect(desk.core.state.trials.count { $0.state == .completed } == 60)
    let attempts = desk.core.state.trials.flatMap(\.attempts).filter { $0.worker.name == "bad" }
    #expect(attempts.count == 8, "quarantined after eight failures in a row")
    #expect(desk.core.state.header.quarantined == ["bad"])
    #expect(desk.said("worker bad has failed 3 times in a row"))
    let words = desk.notes.first { $0.text.contains("out of service") }
    #expect(words?.text.contains("no module named x (last | words)") == true)
    #expect(words?.level == .warning)
  }

  @Test("a program that fails everywhere ends the study soon, with nobody in quarantine") func brokenProgram() throws {
    var desk = try desk(budget: 60)
    var failed: Set<AttemptToken> = []
    for (index, peer) in good.enumerated() { desk.come(Desk.hello("good\(index)"), peer, at: 0) }
    for second in 1...600 where desk.finish == nil && desk.core.state.header.stopReason == nil {
      desk.handle(.clock, at: Double(second))
      for peer in good {
        guard let token = desk.assigned(peer), failed.insert(token).inserted else { continue }
        desk.receive(.start(AttemptReference(attempt: token)), from: peer, at: Double(second))
        desk.fail(peer, token, at: Double(second))
        desk.receive(.ready, from: peer, at: Double(second))
      }
    }
    #expect(desk.core.state.header.stopReason == .failing)
    #expect(desk.core.state.header.quarantined.isEmpty)
    #expect(failed.count <= 40, "10 trials, 3 attempts each, and a few that were under way")
    // Different workers had a try at every trial.
    for trial in desk.core.state.trials where trial.state == .failed {
      #expect(Set(trial.attempts.map(\.worker.name)).count >= 2)
    }
  }

  @Test("a worker alone tries again itself, and its failures do end the study") func alone() throws {
    var desk = try desk(budget: 60)
    desk.come(Desk.hello("only"), bad, at: 0)
    var failed: Set<AttemptToken> = []
    for second in 1...100 where desk.core.state.header.stopReason == nil {
      desk.handle(.clock, at: Double(second))
      while let token = desk.assigned(bad), failed.insert(token).inserted {
        desk.receive(.start(AttemptReference(attempt: token)), from: bad, at: Double(second))
        desk.fail(bad, token, at: Double(second))
        desk.receive(.ready, from: bad, at: Double(second))
      }
    }
    #expect(desk.core.state.header.stopReason == .failing)
    #expect(failed.count == 30)
  }

  @Test("trials that are always given back are slowed, said, and given up") func alwaysReleased() throws {
    var desk = try desk(budget: 60)
    desk.come(Desk.hello("w"), bad, at: 0)
    var times: [Double] = []
    var released: Set<AttemptToken> = []
    for second in 1...600 {
      desk.handle(.clock, at: Double(second))
      desk.receive(.heartbeat(Heartbeat(phase: .idle)), from: bad, at: Double(second))
      guard let token = desk.assigned(bad), released.insert(token).inserted else { continue }
      times.append(Double(second))
      desk.receive(.start(AttemptReference(attempt: token)), from: bad, at: Double(second))
      desk.receive(
        .released(ReleaseReport(attempt: token, reason: .preempted)), from: bad, at: Double(second))
      desk.receive(.ready, from: bad, at: Double(second))
    }
    #expect(times.count > 8 && times.count < 25, "\(times.count) attempts in ten minutes")
    #expect(desk.said("has given back 3 trials in a row"))
    let first = desk.core.state.trials[0]
    #expect(first.state == .failed)
    #expect(first.attempts.count == 10)
    #expect(first.failure?.message.contains("given back 10 times in a row") == true)
  }

  @Test("real preemption counts for nothing: the worker leaves and comes back") func preemption() throws {
    var desk = try desk(budget: 60)
    for index in 0..<40 {
      let peer = Desk.peer(UInt8(index))
      let now = Double(index * 10)
      desk.come(Desk.hello("w", "\(index)"), peer, at: now)
      let token = try desk.start(peer, at: now)
      desk.receive(.released(ReleaseReport(attempt: token, reason: .preempted)), from: peer, at: now + 1)
      desk.receive(.goodbye(Notice(reason: "SIGTERM")), from: peer, at: now + 1)
    }
    #expect(desk.core.state.trials[0].state == .queued)
    #expect(desk.core.state.trials[0].attempts.count == 40)
    #expect(!desk.said("given back 3 trials"))
  }

  @Test(
    "a trial that lives without progress is spoken of, or taken away after coordinator.stall", arguments: [nil, 100.0])
  func stalled(limit: Double?) throws {
    var desk = try Desk(Desk.store()) { $0.progressLimit = limit.map { .seconds($0) } }
    desk.come(Desk.hello("w"), bad, at: 0)
    let token = try desk.start(bad, at: 0)
    for second in stride(from: 10, through: 4_000, by: 10) {
      // Progress in the first minute only.
      let progress = AttemptProgress(step: min(second, 60), total: 100, phase: "train")
      desk.receive(
        .heartbeat(Heartbeat(phase: .running, attempt: token, progress: progress)), from: bad, at: Double(second))
      desk.handle(.clock, at: Double(second))
      if let limit { #expect((desk.state(token) == .started) == (Double(second) < 60 + limit), "\(second)") }
    }
    if limit == nil {
      #expect(desk.state(token) == .started)
      #expect(desk.notes.count { $0.text.contains("has made no progress for") } == 1)
    } else {
      #expect(desk.state(token) == .expired)
      #expect(desk.said("no progress for"))
    }
  }

  @Test("that every worker is out of service is said once") func nobodyIsLeft() throws {
    var desk = try desk(budget: 60)
    desk.come(Desk.hello("w"), bad, at: 0)
    for second in 1...20 {
      desk.handle(.clock, at: Double(second))
      guard let token = desk.assigned(bad), desk.state(token) == .leased else { continue }
      desk.receive(.start(AttemptReference(attempt: token)), from: bad, at: Double(second))
      desk.fail(bad, token, .hardware, at: Double(second))
      desk.receive(.ready, from: bad, at: Double(second))
    }
    #expect(desk.core.state.header.quarantined == ["w"])
    #expect(desk.notes.count { $0.text.contains("every connected worker is out of service") } == 1)
  }
}
