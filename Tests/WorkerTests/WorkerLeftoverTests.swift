import BayesianOptimization
import Foundation
import Glibc
import LanguageModel
import Study
import TestSupport
import Testing
import Transport
import WireProtocol

@testable import Processes
@testable import Worker

enum FileProblemTests {
  static func storage(_ error: any Error) -> String? { FileProblem.storage(error) }
}

/// What a killed worker has left behind, and what grows without end.
@Suite("Leftovers of workers", .serialized, .timeLimit(.minutes(3)), .bounded) struct WorkerLeftoverTests {
  private func result(_ token: Int, _ file: LocalArtifact?) -> Submission {
    .result(
      ResultReport(
        attempt: AttemptToken(token),
        result: TrialResult(objectives: ["loss": 1], artifacts: file.map { [$0.reference] })))
  }

  private func artifact(_ scratch: ScratchFolders, _ trial: Int, _ text: String) throws -> LocalArtifact {
    let url = scratch.url(trial).appendingPathComponent("adapter.bin")
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: url)
    return try LocalArtifact(name: "adapter.bin", url: url)
  }

  @Test("files of a result that was not acknowledged when the worker died follow it, and the folder goes")
  func filesFollow() async throws {
    let fixture = try Fixture()
    let folder = fixture.settings.stateFolder
    let scratch = ScratchFolders(stateFolder: folder)
    // As a killed worker leaves it: one result unacknowledged, one acknowledged with its files not yet on their way.
    do {
      let file = try OutcomeFile(folder: folder)
      let first = try artifact(scratch, 3, "first")
      let second = try artifact(scratch, 4, "second")
      try file.setStudy("id")
      try file.keep(result(7, first))
      var open = OpenResults(file: folder.appendingPathComponent("results.json"))
      try open.add(AttemptToken(7), OpenResults.Entry(trial: 3, files: [first]))
      try open.add(AttemptToken(8), OpenResults.Entry(trial: 4, files: [second]))
    }
    let end = try await fixture.run { coordinator in
      try await coordinator.waitUntil { $0.chunks.count == 2 }
      #expect(Set(await coordinator.chunks.map(\.bytes)) == [Array("first".utf8), Array("second".utf8)])
    }
    #expect(end == .drained("done"))
    for trial in [3, 4] { #expect(!FileManager.default.fileExists(atPath: scratch.url(trial).path), "\(trial)") }
    #expect(OpenResults(file: folder.appendingPathComponent("results.json")).entries.isEmpty)
  }

  @Test("whoever owns the study finds what a gone worker could not send, but not while one is there")
  func forTheOwner() throws {
    let folder = try TemporaryFolder()
    #expect(WorkerLeftovers(stateFolder: folder.url) == nil)
    let scratch = ScratchFolders(stateFolder: folder.url)
    let (sent, held) = (try artifact(scratch, 1, "sent"), try artifact(scratch, 2, "held"))
    do {
      let file = try OutcomeFile(folder: folder.url)
      #expect(WorkerLeftovers(stateFolder: folder.url) == nil)
      withExtendedLifetime(file) {}
    }
    var uploads = UploadQueue(file: folder.url.appendingPathComponent("uploads.json"))
    try uploads.add([sent])
    try uploads.add([sent])
    #expect(uploads.files == [sent])
    var open = OpenResults(file: folder.url.appendingPathComponent("results.json"))
    try open.add(AttemptToken(3), OpenResults.Entry(trial: 2, files: [held]))
    let left = try #require(WorkerLeftovers(stateFolder: folder.url))
    #expect(left.artifacts == [sent, held])
    #expect(left.removeFolders(of: [2, 5]) == 1)
    #expect(FileManager.default.fileExists(atPath: scratch.url(1).path))
    #expect(!FileManager.default.fileExists(atPath: scratch.url(2).path))
    left.release()
    _ = try OutcomeFile(folder: folder.url)
  }

  @Test("old scratch folders are removed at the start; young ones may hold a checkpoint") func oldFolders() async throws
  {
    let fixture = try Fixture()
    let scratch = ScratchFolders(stateFolder: fixture.settings.stateFolder)
    for trial in [1, 2] { _ = try artifact(scratch, trial, "x") }
    let old = Date().addingTimeInterval(-8 * 86_400)
    for url in [scratch.url(1), scratch.url(1).appendingPathComponent("adapter.bin")] {
      try FileManager.default.setAttributes([.modificationDate: old], ofItemAtPath: url.path)
    }
    _ = try await fixture.run { coordinator in
      try await coordinator.waitUntil { !$0.hellos.isEmpty }
      #expect(!FileManager.default.fileExists(atPath: scratch.url(1).path))
      #expect(FileManager.default.fileExists(atPath: scratch.url(2).path))
    }
  }

  @Test("folders of another study are removed when the worker learns of the new one") func otherStudy() async throws {
    let fixture = try Fixture()
    let scratch = ScratchFolders(stateFolder: fixture.settings.stateFolder)
    do { try OutcomeFile(folder: fixture.settings.stateFolder).setStudy("an older one") }
    _ = try artifact(scratch, 0, "stale")
    _ = try await fixture.run { coordinator in
      let path = scratch.root.path
      try await coordinator.waitUntil { _ in !FileManager.default.fileExists(atPath: path) }
    }
  }

  @Test("processes that a killed worker has left behind are ended at the next start") func orphans() async throws {
    let fixture = try Fixture()
    do { _ = try OutcomeFile(folder: fixture.settings.stateFolder) }
    let mark = ProcessMark.worker(stateFolder: fixture.settings.stateFolder)
    let orphan = Process()
    orphan.executableURL = URL(fileURLWithPath: "/bin/sh")
    orphan.arguments = ["-c", "trap '' TERM; sleep 1000 & wait; wait"]
    orphan.environment = [mark.name: mark.value, "PATH": "/usr/bin:/bin"]
    try orphan.start()
    #expect(orphan.isRunning)
    let end = try await fixture.run { coordinator in
      try await coordinator.waitUntil { _ in !orphan.isRunning }
      try await coordinator.waitUntil { !$0.hellos.isEmpty }
    }
    #expect(end == .drained("done"))
    #expect(ProcessFamily(mark: mark).members() == [])
  }

  @Test("an outcome beyond the protocol's limits becomes a failure of its attempt and is not sent for ever")
  func tooLarge() async throws {
    // A trainer whose result has more metrics than the wire carries.
    let metrics = (0..<300).map { "\"m\($0)\":1" }.joined(separator: ",")
    let report = (0..<70).map { "\"v\($0)\":1" }.joined(separator: ",")
    let fixture = try Fixture(
      script: """
        echo '{"type":"ready","memoryBytes":1}'
        while read -r line; do
          case "$line" in *evaluate*) ;; *exit*) exit 0 ;; *) continue ;; esac
          echo '{"type":"started"}'
          echo '{"type":"report","step":1,"values":{\(report)}}'
          echo '{"type":"result","objectives":{"loss":1},"standardErrors":{},"metrics":{\(metrics)},"artifacts":[],"memoryBytes":1}'
        done
        """)
    let end = try await fixture.run(trials: 1) { coordinator in
      let outcomes = try await coordinator.outcomes(1)
      guard case .failure(let failure) = outcomes[0] else {
        Issue.record("\(outcomes[0])")
        return
      }
      #expect(
        failure.record.message.contains("cannot be sent") && failure.record.message.contains("256"), "\(failure.record)"
      )
      #expect(await coordinator.reports.isEmpty)
    }
    #expect(end == .drained("done"))
  }

  @Test("a program that goes away in mid-study ends the worker, and its trial is given back") func programGone()
    async throws
  {
    let fixture = try Fixture(
      script: #"""
        echo '{"type":"ready","memoryBytes":1}'
        read -r line; echo '{"type":"started"}'
        echo '{"type":"unavailable","message":"the program x is gone","nextStep":"put it back"}'; exit 78
        """#)
    let (coordinator, server, serving) = fixture.coordinator(trials: 1, firstTrial: 0)
    let worker = try fixture.worker()
    #expect(await worker.value == .unavailable("the program x is gone; put it back"))
    let submissions = await coordinator.submissions
    #expect(submissions == [.released(ReleaseReport(attempt: AttemptToken(1), reason: .preempted))])
    server.close()
    await serving.value
  }

  @Test("a result follows the last of its reports, however many there are") func manyReports() async throws {
    let fixture = try Fixture(
      script: """
        echo '{"type":"ready","memoryBytes":1}'
        while read -r line; do
          case "$line" in *evaluate*) ;; *exit*) exit 0 ;; *) continue ;; esac
          echo '{"type":"started"}'
          i=0; while [ $i -lt 150 ]; do echo '{"type":"report","step":'$i',"values":{"l":1}}'; i=$((i+1)); done
          echo '{"type":"result","objectives":{"loss":1},"standardErrors":{},"metrics":{},"artifacts":[],"memoryBytes":1,"notes":["cut"]}'
        done
        """)
    _ = try await fixture.run(trials: 1) { coordinator in
      _ = try await coordinator.outcomes(1)
      #expect(await coordinator.reports.map(\.step) == Array(0..<150))
    }
  }

  @Test("the trainer's log begins anew at half its size, and says once that it cannot be written") func log() throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appendingPathComponent("trainer.log")
    let log = TrainerLog(url, bytes: 2000)
    for index in 0..<500 { #expect(log.write("line \(index)") == nil) }
    let sizes = [url, url.appendingPathExtension("1")].map { (try? Data(contentsOf: $0).count) ?? -1 }
    #expect(sizes.allSatisfy { $0 > 0 && $0 <= 1000 }, "\(sizes)")
    #expect(try String(contentsOf: url, encoding: .utf8).hasSuffix("line 499\n"))
    #expect(try FileManager.default.attributesOfItem(atPath: url.path)[.posixPermissions] as? Int == 0o600)
    let lost = TrainerLog(folder.url.appendingPathComponent("no/such/trainer.log"), bytes: 2000)
    #expect(lost.write("a")?.contains("cannot be written") == true)
    #expect(lost.write("b") == nil)
  }
}
