import BayesianOptimization
import Foundation
import Study
import Synchronization
import TestSupport
import Testing
import Transport
import WireProtocol

@testable import Worker

/// A worker with a real child process as its trainer.
@Suite(.serialized, .bounded) struct WorkerRuntimeTests {
  private func metrics(_ submission: Submission) -> [String: Double] {
    if case .result(let report) = submission { report.result.metrics ?? [:] } else { [:] }
  }

  private func failure(_ submission: Submission?) throws -> FailureRecord {
    guard case .failure(let report)? = submission else {
      throw EvaluationError(.unavailable, "no failure but \(String(describing: submission))")
    }
    #expect(report.started)
    return report.record
  }

  /// Runs one trial of that number after another ordinary one, with one ordinary one behind it.
  private func record(_ trial: Int, change: (inout WorkerSettings) -> Void = { _ in }) async throws -> [Submission] {
    var fixture = try Fixture()
    change(&fixture.settings)
    let (coordinator, server, serving) = fixture.coordinator(trials: 2, firstTrial: trial)
    let worker = try fixture.worker()
    let outcomes = try await coordinator.outcomes(2)
    await coordinator.drain()
    #expect(await worker.value == .drained("done"))
    server.close()
    await serving.value
    return outcomes
  }

  @Test func theTrainerStaysBetweenTrialsAndTheWorkerLeavesWhenDrained() async throws {
    let fixture = try Fixture()
    let (coordinator, server, serving) = fixture.coordinator(trials: 4, firstTrial: 0)
    let worker = try fixture.worker()
    let outcomes = try await coordinator.outcomes(4)
    #expect(outcomes.map(\.attempt.rawValue) == [1, 2, 3, 4])
    #expect(Set(outcomes.map { metrics($0)["pid"] }).count == 1, "one process for all trials")
    #expect(await coordinator.started.count == 4)
    let reports = await coordinator.reports
    #expect(reports.count == 4)
    #expect(reports.first?.values["loss"] == 2.5)
    #expect(reports.first?.values["bad"]?.isNaN == true)
    await coordinator.drain()
    #expect(await worker.value == .drained("done"))
    #expect(await coordinator.closures == [.goodbye("done")])
    server.close()
    await serving.value
  }

  @Test func theDeviceIsAskedAgainAndAgain() async throws {
    var fixture = try Fixture()
    let asked = Mutex(0)
    fixture.settings.session.heartbeat = .milliseconds(100)
    fixture.settings.deviceStatus = {
      asked.withLock { count in
        count += 1
        return DeviceStatus(name: "GPU", memoryBytes: 80, utilizationPercent: min(count, 100))
      }
    }
    let (coordinator, server, serving) = fixture.coordinator(trials: 1, firstTrial: 0)
    let worker = try fixture.worker()
    _ = try await coordinator.outcomes(1)
    try await coordinator.waitUntil { Set($0.devices).count > 2 }
    let seen = await coordinator.devices.compactMap(\.utilizationPercent)
    #expect(seen == seen.sorted() && seen.first ?? 0 >= 1)
    await coordinator.drain()
    #expect(await worker.value == .drained("done"))
    server.close()
    await serving.value
  }

  @Test func aCrashBecomesAFailureWithItsEvidenceAndTheNextTrialRuns() async throws {
    let outcomes = try await record(10)
    let record = try failure(outcomes.first)
    #expect(record.failureClass == .bug)
    #expect(record.signal == 11)
    #expect(record.host == "h1")
    #expect(record.device == "cpu")
    #expect(record.logLines.last == "begin 10")
    #expect(record.nextStep != nil)
    // Trial 11 kills itself in a new process.
    #expect(try failure(outcomes.last).signal == 9)
  }

  @Test func aHangIsEndedByTheWatchdog() async throws {
    let outcomes = try await record(12) { $0.hangTimeout = .seconds(4) }
    let record = try failure(outcomes.first)
    #expect(record.failureClass == .bug)
    #expect(record.message.contains("no progress"))
    // Trial 13: out of memory, the trainer stays.
    #expect(try failure(outcomes.last).failureClass == .outOfMemory)
  }

  @Test func afterOutOfMemoryTheTrainerIsReplacedOnlyIfItKeepsTheMemory() async throws {
    let fixture = try Fixture()
    // Trials 13 (memory returned), 14 (memory kept), 15 (exit 75).
    let (coordinator, server, serving) = fixture.coordinator(trials: 3, firstTrial: 13)
    let worker = try fixture.worker()
    let outcomes = try await coordinator.outcomes(3)
    #expect(try failure(outcomes[0]).failureClass == .outOfMemory)
    #expect(try failure(outcomes[1]).failureClass == .outOfMemory)
    #expect(
      outcomes[2] == .released(ReleaseReport(attempt: AttemptToken(3), reason: .preempted, checkpointStep: nil)))
    await coordinator.drain()
    _ = await worker.value
    let log = try String(
      contentsOf: fixture.settings.stateFolder.appendingPathComponent("trainer.log"), encoding: .utf8)
    // First process: 13, 14; second: 15; a third may have begun.
    let parts = log.components(separatedBy: "hello from the trainer\n").dropFirst()
    #expect(parts.first == "begin 13\nbegin 14\n")
    #expect(parts.dropFirst().first == "begin 15\n")
    server.close()
    await serving.value
  }

  /// A GPU's context is lost with its first fault: the next trial gets a new process.
  @Test func afterAHardwareFailureTheTrainerIsReplaced() async throws {
    let fixture = try Fixture()
    let (coordinator, server, serving) = fixture.coordinator(trials: 2, firstTrial: 21)
    let worker = try fixture.worker()
    let outcomes = try await coordinator.outcomes(2)
    #expect(try failure(outcomes[0]).failureClass == .hardware)
    guard case .result = outcomes[1] else {
      Issue.record("\(outcomes[1])")
      return
    }
    await coordinator.drain()
    _ = await worker.value
    let log = try String(
      contentsOf: fixture.settings.stateFolder.appendingPathComponent("trainer.log"), encoding: .utf8)
    let parts = log.components(separatedBy: "hello from the trainer\n").dropFirst()
    #expect(Array(parts.prefix(2)) == ["begin 21\n", "begin 22\n"])
    server.close()
    await serving.value
  }

  @Test func aBrokenProtocolAndAnAllocationFailureAreTold() async throws {
    let outcomes = try await record(16)
    #expect(try failure(outcomes[0]).message.contains("protocol"))
    #expect(try failure(outcomes[1]).failureClass == .outOfMemory)
  }

  @Test func aCancelledTrialEndsWithItsCheckpoint() async throws {
    let fixture = try Fixture()
    let (coordinator, server, serving) = fixture.coordinator(trials: 2, firstTrial: 18)
    let worker = try fixture.worker()
    try await coordinator.waitUntil { $0.started.count == 1 }
    await coordinator.cancelLive()
    let outcomes = try await coordinator.outcomes(2)
    #expect(
      outcomes[0] == .released(ReleaseReport(attempt: AttemptToken(1), reason: .cancelled, checkpointStep: 4)))
    #expect(try failure(outcomes[1]).failureClass == .diverged)
    await coordinator.drain()
    _ = await worker.value
    server.close()
    await serving.value
  }

  @Test func anOutcomeSurvivesTheWorkersDeathAndTheCoordinatorsAbsence() async throws {
    let fixture = try Fixture()
    let (first, firstServer, firstServing) = fixture.coordinator(trials: 1, firstTrial: 0)
    await first.setAcknowledges(false)
    let worker = try fixture.worker()
    let file = fixture.settings.stateFolder.appendingPathComponent("unacknowledged.jsonl")
    try await first.waitUntil { _ in
      (try? String(contentsOf: file, encoding: .utf8))?.contains("\"result\"") == true
    }
    // The coordinator goes; the worker dies (its task is cancelled: nothing is said or sent any more).
    firstServer.close()
    await firstServing.value
    worker.cancel()
    _ = await worker.value
    let (second, server, serving) = fixture.coordinator(trials: 0, firstTrial: 0)
    // The lock of the folder is free as soon as the old worker is gone.
    var again: Task<WorkerEnd, Never>?
    for _ in 0..<100 where again == nil {
      again = try? fixture.worker(identity: "w2")
      if again == nil { try await Task.sleep(for: .milliseconds(20)) }
    }
    let outcomes = try await second.outcomes(1)
    #expect(outcomes.map(\.attempt) == [AttemptToken(1)])
    #expect(await second.hellos.first?.retained == [AttemptToken(1)])
    await second.drain()
    #expect(await again?.value == .drained("done"))
    #expect(try String(contentsOf: file, encoding: .utf8).contains("\"result\"") == false)
    server.close()
    await serving.value
  }

  @Test func aCoordinatorThatIsGoneForGoodIsGivenUpAfterTheTrialAndTheOutcomeIsKept() async throws {
    var fixture = try Fixture()
    fixture.settings.giveUpAfter = .seconds(1)
    // Trial 12 hangs: the watchdog ends it long after the coordinator has been given up.
    fixture.settings.hangTimeout = .seconds(4)
    let (coordinator, server, serving) = fixture.coordinator(trials: 1, firstTrial: 12)
    let worker = try fixture.worker()
    try await coordinator.waitUntil { $0.started.count == 1 }
    server.close()
    await serving.value
    let end = await worker.value
    guard case .gaveUp(let text) = end else {
      Issue.record("\(end)")
      return
    }
    #expect(text.contains("1 outcome(s) are kept") && end.exitStatus == 75)
    let file = fixture.settings.stateFolder.appendingPathComponent("unacknowledged.jsonl")
    #expect(try String(contentsOf: file, encoding: .utf8).contains("no progress"))
  }

  @Test func aCoordinatorThatComesBackInTimeIsNotGivenUp() async throws {
    var fixture = try Fixture()
    fixture.settings.giveUpAfter = .seconds(60)
    let (before, first, firstServing) = fixture.coordinator(trials: 0, firstTrial: 0)
    let worker = try fixture.worker()
    try await before.waitUntil { !$0.hellos.isEmpty }
    first.close()
    await firstServing.value
    let (second, server, serving) = fixture.coordinator(trials: 1, firstTrial: 0)
    _ = try await second.outcomes(1)
    await second.drain()
    #expect(await worker.value == .drained("done"))
    server.close()
    await serving.value
  }

  @Test func artifactsFollowTheirResultAndADrainingWorkerWaitsForThem() async throws {
    var fixture = try Fixture()
    let path = fixture.folder.url.appendingPathComponent("a.bin").path
    fixture.settings.trainer.environment["ENGRAM_TEST_FILE"] = path
    let (coordinator, server, serving) = fixture.coordinator(trials: 1, firstTrial: 20)
    await coordinator.ignoreChunks(1)
    let worker = try fixture.worker()
    let outcomes = try await coordinator.outcomes(1)
    // Asked to leave while the first chunk is unanswered: it stays, sends it again, and leaves then.
    await coordinator.drain()
    #expect(await worker.value == .drained("done"))
    let chunks = await coordinator.chunks
    #expect(chunks.count == 2)
    #expect(chunks.allSatisfy { $0.bytes == Array("0123456789".utf8) && $0.sha256 == $0.chunkSHA256 })
    guard case .result(let report) = outcomes[0] else {
      Issue.record("no result")
      return
    }
    #expect(report.result.artifacts?.map(\.name) == ["a.bin"])
    #expect(!FileManager.default.fileExists(atPath: path))
    server.close()
    await serving.value
  }

  @Test func aTrainerThatCannotWorkEndsTheWorkerWithItsReason() async throws {
    var fixture = try Fixture(
      script: #"echo '{"type":"unavailable","message":"no tokenizer","nextStep":"give one"}'; exit 78"#)
    var (_, server, serving) = fixture.coordinator(trials: 1, firstTrial: 0)
    #expect(try await fixture.worker().value == .unavailable("no tokenizer; give one"))
    server.close()
    await serving.value
    fixture = try Fixture(script: "echo broken >&2; exit 3")
    fixture.settings.prepareAttempts = 2
    (_, server, serving) = fixture.coordinator(trials: 1, firstTrial: 0)
    guard case .unavailable(let text) = try await fixture.worker().value else {
      Issue.record("not unavailable")
      return
    }
    #expect(text.contains("status 3"))
    #expect(text.contains("broken"))
    server.close()
    await serving.value
  }

  @Test func twoWorkersCannotShareAFolder() throws {
    let folder = try TemporaryFolder()
    let first = try OutcomeFile(folder: folder.url)
    #expect(throws: OutcomeFileError.self) { try OutcomeFile(folder: folder.url) }
    withExtendedLifetime(first) {}
  }

  @Test func aDamagedFileIsSetAsideAndReported() throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appendingPathComponent("unacknowledged.jsonl")
    try Data("{\"studyIdentifier\":\"x\"}\n{\"half".utf8).write(to: url)
    let file = try OutcomeFile(folder: folder.url)
    #expect(file.damage != nil)
    #expect(file.retained.isEmpty)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
    #expect(names.contains { $0.contains("damaged") })
  }
}
