import BayesianOptimization
import Foundation
import GRDB
import Study
import StudyTesting
import TestSupport
import Testing

@testable import StudyDatabase

@Suite(.ownThread, .bounded) struct SchemaTests {
  /// The fixture of every released version, made by `writesTheFixture`.
  private static func fixture(_ version: Int) -> URL { Fixtures.url("study-databases/v\(version).sqlite") }

  /// A copy of a fixture in a folder of its own.
  private static func folder(_ version: Int) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try FileManager.default.copyItem(at: fixture(version), to: StudyFolder(folder.url).database)
    return folder
  }

  @Test(arguments: 1...Schema.current)
  func everyReleasedVersionIsReadAndGoesOn(_ version: Int) throws {
    let folder = try Self.folder(version)
    let store = try SQLiteStudyStore(StudyFolder(folder.url))
    let record = try store.load()
    #expect(record.definition == StudyStoreContract.definition)
    #expect(record.trials.map(\.state) == [.completed, .running, .infeasible])
    #expect(try HistoryChecker().check(store) == [])
    let state = StudyState(record: record)
    try store.commit(state.open(budget: 12, time: 0))
    #expect(try store.load().header.epoch == 1)
  }

  @Test func aNewerVersionIsRefusedUntouched() throws {
    let folder = try Self.folder(Schema.current)
    let file = StudyFolder(folder.url).database
    do {
      let queue = try DatabaseQueue(path: file.path)
      try queue.write { try $0.execute(sql: "PRAGMA user_version = 99") }
      try queue.close()
    }
    let before = try Data(contentsOf: file)
    #expect {
      _ = try SQLiteStudyStore(StudyFolder(folder.url))
    } throws: { error in
      let text = "\(error)"
      return (error as? StudyError)?.code == .newerSchema && text.contains("99") && text.contains("\(Schema.current)")
        && text.contains(file.path)
    }
    #expect { _ = try StudyObserver(StudyFolder(folder.url)) } throws: { ($0 as? StudyError)?.code == .newerSchema }
    #expect(try Data(contentsOf: file) == before)
  }

  @Test func anUpgradeBacksUpAndIsAllOrNothing() throws {
    let folder = try Self.folder(Schema.current)
    let file = StudyFolder(folder.url).database
    let failing: Schema.Step = { db in
      try db.execute(sql: "CREATE TABLE half (x INTEGER)")
      throw DatabaseError(resultCode: .SQLITE_FULL)
    }
    #expect {
      _ = try SQLiteStudyStore(StudyFolder(folder.url), beginning: nil, steps: Schema.steps + [failing])
    } throws: { ($0 as? StudyError)?.code == .diskFull }
    #expect(FileManager.default.fileExists(atPath: "\(file.path).v\(Schema.current).backup"))
    let old = try SQLiteStudyStore(StudyFolder(folder.url))
    #expect(try old.setting("user_version") == "\(Schema.current)")
    try old.close()

    let other = try Self.folder(Schema.current)
    let step: Schema.Step = { try $0.execute(sql: "CREATE TABLE whole (x INTEGER)") }
    let new = try SQLiteStudyStore(StudyFolder(other.url), beginning: nil, steps: Schema.steps + [step])
    #expect(try new.setting("user_version") == "\(Schema.current + 1)")
    #expect(try new.load().trials.count == 3)
  }

  /// Writes the fixture of the current version where it is missing: run once when a version is released.
  @Test(.enabled(if: ProcessInfo.processInfo.environment["ENGRAM_WRITE_FIXTURES"] != nil))
  func writesTheFixture() throws {
    let url = Self.fixture(Schema.current)
    guard !FileManager.default.fileExists(atPath: url.path) else { return }
    let folder = try TemporaryFolder()
    let store = try SQLiteStudyStore(StudyFolder(folder.url), beginning: (StudyStoreContract.definition, 10))
    var state = StudyState(record: try store.load())
    func take(_ transition: Transition) throws {
      try store.commit(transition)
      state.apply(transition)
    }
    let worker = WorkerIdentity(name: "host/0", incarnation: "1", host: "host", device: "cpu", deviceBytes: 1 << 34)
    try take(state.create(base: (.memory(layers: [], count: 0, rank: 8), "null"), time: 1))
    for layer in 1...2 {
      try take(
        state.enqueue(
          .search, configuration: .memory(layers: [layer], count: 2, rank: 8), key: "k\(layer)",
          provenance: Provenance(source: "sobol", proposalIndex: layer - 1, eventNumber: 2),
          warmStart: Data([1, 2, 3]),
          time: 2))
    }
    for trial in 0...2 {
      try take(state.lease(trial: trial, to: worker, leaseSeconds: 60, time: 3))
      try take(state.start(AttemptToken(trial + 1), time: 4))
    }
    let result = TrialResult(objectives: ["loss": 1.5, "rougeL": 0.25], standardErrors: ["loss": 0.1])
    try take(state.complete(AttemptToken(1), result: result, time: 5).transition)
    let failure = FailureRecord(failureClass: .outOfMemory, message: "too large", logLines: ["a", "b"])
    try take(state.fail(AttemptToken(3), failure, time: 6).transition)
    try store.commit(
      Transition(
        events: [], header: state.header,
        reports: [IntermediateReport(token: AttemptToken(2), trial: 1, step: 1, values: ["loss": 2])]))
    try store.backup(to: url)
  }
}
