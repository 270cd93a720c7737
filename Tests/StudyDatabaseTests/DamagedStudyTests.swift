import BayesianOptimization
import Foundation
import GRDB
import Study
import StudyTesting
import TestSupport
import Testing

@testable import StudyDatabase

/// Studies that were edited, damaged, moved or taken away: each is noticed and named.
@Suite("Damaged and altered studies", .ownThread, .bounded) struct DamagedStudyTests {
  /// A finished study of three trials, closed: its file alone is the whole.
  static func study() throws -> TemporaryFolder {
    let folder = try TemporaryFolder("engram-damage")
    let study = StudyFolder(folder.url)
    let store = try SQLiteStudyStore(study, beginning: (StudyStoreContract.definition, 4))
    var state = StudyState(record: try store.load())
    func take(_ transition: Transition) throws {
      try store.commit(transition)
      state.apply(transition)
    }
    try take(state.create(base: nil, time: 1))
    try take(state.open(budget: 4, time: 1))
    let worker = WorkerIdentity(name: "host/0", incarnation: "1", host: "host", device: "cpu", deviceBytes: 1 << 34)
    for number in 0..<3 {
      try take(
        state.enqueue(
          .search, configuration: .memory(layers: [number], count: 2, rank: 8), key: "k\(number)",
          provenance: Provenance(source: "sobol", proposalIndex: number, eventNumber: 1), warmStart: Data([1]), time: 2)
      )
      try take(state.lease(trial: number, to: worker, leaseSeconds: 60, time: 3))
      try take(state.start(AttemptToken(number + 1), time: 4))
      try store.commit(
        Transition(
          events: [], header: state.header,
          reports: [
            IntermediateReport(token: AttemptToken(number + 1), trial: number, step: 1, values: ["loss": 2])
          ]))
      let result = TrialResult(
        objectives: ["loss": 1.5 + Double(number), "rougeL": 0.25], standardErrors: ["loss": 0.1],
        metrics: ["tokens": 7])
      try take(state.complete(AttemptToken(number + 1), result: result, time: 5).transition)
    }
    try store.close()
    return folder
  }

  static func edit(_ folder: TemporaryFolder, _ sql: String) throws {
    let queue = try DatabaseQueue(path: StudyFolder(folder.url).database.path)
    try queue.write { try $0.execute(sql: sql) }
    try queue.close()
  }

  @Test("a sound study has no alterations, also after an upgrade") func sound() throws {
    let folder = try Self.study()
    let observer = try StudyObserver(StudyFolder(folder.url))
    #expect(try observer.alterations() == [])
    #expect(try HistoryChecker().check(observer) == [])
    let old = try TemporaryFolder()
    try FileManager.default.copyItem(
      at: Fixtures.url("study-databases/v1.sqlite"), to: StudyFolder(old.url).database)
    #expect(try StudyObserver(StudyFolder(old.url)).hasDigests == false)
    #expect(try StudyObserver(StudyFolder(old.url)).load().trials.count == 3)
    try SQLiteStudyStore(StudyFolder(old.url)).close()
    let upgraded = try StudyObserver(StudyFolder(old.url))
    #expect(upgraded.hasDigests)
    #expect(try upgraded.alterations() == [])
  }

  @Test(
    "an edited row is named",
    arguments: [
      ("UPDATE attempts SET result = replace(result, '2.5', '2.75') WHERE token = 2", "attempt 2"),
      ("UPDATE attempts SET result = replace(result, '0.1', '0.2') WHERE token = 1", "attempt 1"),
      ("UPDATE attempts SET result = replace(result, '\"tokens\":7', '\"tokens\":8') WHERE token = 3", "attempt 3"),
      ("UPDATE attempts SET worker = replace(worker, 'host/0', 'host/1') WHERE token = 1", "attempt 1"),
      ("UPDATE attempts SET leased_time = 99 WHERE token = 1", "attempt 1"),
      ("UPDATE trials SET configuration = replace(configuration, '[1]', '[3]') WHERE number = 1", "trial 1"),
      ("UPDATE trials SET key = 'other' WHERE number = 1", "trial 1"),
      ("UPDATE trials SET seed = seed + 1 WHERE number = 2", "trial 2"),
      ("UPDATE trials SET hypervolume = 0.5 WHERE number = 2", "trial 2"),
      ("UPDATE study SET header = replace(header, '\"nextToken\":4', '\"nextToken\":2')", "the study's row"),
      ("UPDATE study SET definition = replace(definition, '\"seed\":', '\"seed\":1')", "the study's row"),
      ("UPDATE events SET time = 7 WHERE number = 3", "event 3"),
      ("UPDATE events SET kind = replace(kind, 'host/0', 'host/9') WHERE number = 4", "event 4"),
      ("UPDATE reports SET objectives = '{\"loss\":1}' WHERE token = 2", "attempt 2"),
      ("UPDATE warm_starts SET data = x'02' WHERE trial = 1", "warm start of trial 1"),
      ("INSERT INTO reports (token, step, trial, objectives) VALUES (1, 9, 0, '{}')", "added by another program"),
      ("CREATE TABLE notes (text)", "table notes"),
      (
        "CREATE TRIGGER better AFTER UPDATE ON attempts BEGIN UPDATE attempts SET result = '{}'; END", "trigger better"
      ),
      ("DROP INDEX reports_by_trial", "no index reports_by_trial"),
    ])
  func edited(_ sql: String, _ named: String) throws {
    let folder = try Self.study()
    let file = StudyFolder(folder.url).database
    let before = try Data(contentsOf: file)
    try Self.edit(folder, sql)
    #expect(try Data(contentsOf: file) != before, "the edit must have changed something")
    let found = try StudyObserver(StudyFolder(folder.url)).alterations()
    #expect(found.contains { $0.contains(named) }, "\(sql): \(found)")
  }

  @Test("the history checker compares rows with events by itself") func rowsAgainstEvents() throws {
    let folder = try Self.study()
    let observer = try StudyObserver(StudyFolder(folder.url))
    let record = try observer.load()
    let events = try observer.events(after: 0, limit: .max)
    var checker = HistoryChecker()
    checker.key = { $0 == record.trials[1].configuration ? "k1" : nil }
    #expect(checker.check(record, events: events) == [])
    func rules(_ change: (inout StudyRecord) -> Void) -> Set<String> {
      var changed = record
      change(&changed)
      return Set(checker.check(changed, events: events).map(\.rule))
    }
    #expect(rules { $0.trials[1].seed += 1 } == ["seeds"])
    #expect(rules { $0.trials[1].configurationKey = "k9" } == ["keys agree"])
    #expect(rules { $0.trials[0].configuration = record.trials[1].configuration } == ["keys agree"])
    #expect(rules { $0.trials[2].hypervolume = 3 } == ["hypervolume"])
    #expect(rules { $0.trials[2].attempts[0].worker.name = "other" } == ["workers agree"])
    #expect(rules { $0.header.nextToken = 3 } == ["header agrees"])
    #expect(rules { $0.header.nextProposal = 1 } == ["header agrees"])
    #expect(rules { $0.header.epoch = 7 } == ["header agrees"])
  }

  @Test("a coordinator refuses a database with a trigger") func trigger() throws {
    let folder = try Self.study()
    try Self.edit(folder, "CREATE TRIGGER t AFTER INSERT ON trials BEGIN DELETE FROM reports; END")
    #expect { _ = try SQLiteStudyStore(StudyFolder(folder.url)) } throws: { error in
      (error as? StudyError)?.code == .corrupt && "\(error)".contains("trigger, t,")
    }
  }

  @Test(
    "numbers that no study can have are errors, not traps",
    arguments: [
      ("UPDATE study SET header = json_set(header, '$.nextToken', 9223372036854775807)", "nextToken"),
      ("UPDATE study SET header = json_set(header, '$.epoch', 9223372036854775807)", "epoch"),
      ("UPDATE study SET header = json_set(header, '$.nextProposal', 9223372036854775807)", "nextProposal"),
      ("UPDATE study SET header = json_set(header, '$.budget', -1)", "budget"),
      ("UPDATE study SET header = json_set(header, '$.nextToken', 2)", "comes next"),
      ("UPDATE trials SET needs_more_than_bytes = 9223372036854775807 WHERE number = 1", "bytes of memory"),
      ("UPDATE trials SET forgiven_attempts = -5 WHERE number = 1", "forgiven"),
      (
        "UPDATE trials SET provenance = replace(provenance, '\"pending\":[]', '\"pending\":[99999]')", "99999"
      ),
    ])
  func implausible(_ sql: String, _ named: String) throws {
    let folder = try Self.study()
    try Self.edit(folder, sql)
    #expect {
      _ = try StudyObserver(StudyFolder(folder.url)).load()
    } throws: { error in
      (error as? StudyError)?.code == .corrupt && "\(error)".contains(named)
    }
    #expect { _ = try SQLiteStudyStore(StudyFolder(folder.url)).load() } throws: {
      ($0 as? StudyError)?.code == .corrupt
    }
  }

  @Test(
    "every kind of damage has its own error",
    arguments: [
      "empty", "text", "zeros", "truncated", "half", "folder", "dangling", "fifo", "other", "newer", "noheader",
      "flipped", "walgarbage", "walfifo", "shmlink",
    ])
  func damaged(_ kind: String) throws {
    let folder = try Self.study()
    let study = StudyFolder(folder.url)
    let expected = try Self.damage(kind, study)
    do {
      let observer = try StudyObserver(study)
      let record = try observer.load()
      #expect(expected == nil && record.trials.count == 3, "\(kind) was read")
    } catch let error as StudyError {
      #expect(error.code == expected, "\(kind): \(error)")
      #expect(error.message.contains(study.url.path), "\(kind): \(error)")
      // A backup is named only where there is one.
      #expect(!error.message.contains(".backup"), "\(kind): \(error)")
    }
  }

  /// Damages a study; gives the error that reading it must have.
  private static func damage(_ kind: String, _ study: StudyFolder) throws -> StudyError.Code? {
    let path = study.database.path
    let file = try FileHandle(forUpdating: study.database)
    defer { try? file.close() }
    switch kind {
    case "empty": try file.truncate(atOffset: 0)
    case "text", "zeros":
      try file.truncate(atOffset: 0)
      try file.write(contentsOf: kind == "text" ? Data("hello".utf8) : Data(count: 8192))
    case "truncated": try file.truncate(atOffset: 20000)
    case "half": try file.truncate(atOffset: 5000)
    case "walgarbage":
      try Data((0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 31) }).write(
        to: URL(fileURLWithPath: path + "-wal"))
    case "walfifo": #expect(mkfifo(path + "-wal", 0o600) == 0)
    case "shmlink": #expect(symlink("/tmp/elsewhere", path + "-shm") == 0)
    case "newer", "noheader", "flipped":
      let queue = try DatabaseQueue(path: path)
      try queue.writeWithoutTransaction { db in
        switch kind {
        case "newer": try db.execute(sql: "PRAGMA user_version = 99")
        case "noheader": try db.execute(sql: "DELETE FROM study")
        default: try db.execute(sql: "UPDATE study SET definition = replace(definition, 'objectives', 'obXectives')")
        }
      }
      try queue.close()
    default:
      unlink(path)
      switch kind {
      case "folder": try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
      case "dangling": #expect(symlink("/nonexistent/x", path) == 0)
      case "fifo": #expect(mkfifo(path, 0o600) == 0)
      default: try DatabaseQueue(path: path).write { try $0.execute(sql: "CREATE TABLE t (a)") }
      }
    }
    switch kind {
    case "empty": return .notFound
    case "other": return .wrongStudy
    case "newer": return .newerSchema
    case "walgarbage": return nil
    default: return .corrupt
    }
  }

  @Test("what can be read of a damaged study is read") func salvage() throws {
    let folder = try Self.study()
    let study = StudyFolder(folder.url)
    try Self.edit(folder, "UPDATE trials SET configuration = 'x' WHERE number = 1")
    try Self.edit(folder, "UPDATE events SET kind = 'y' WHERE number = 2")
    let observer = try StudyObserver(study)
    #expect(throws: StudyError.self) { try observer.load() }
    let salvage = StudySalvage(observer)
    #expect(salvage.trials.map(\.number) == [0, 2])
    #expect(salvage.trials.allSatisfy { $0.result != nil })
    let events = try #require(salvage.header).lastEvent - 1
    #expect(salvage.events.count == events && salvage.definition == StudyStoreContract.definition)
    #expect(salvage.problems.count == 2, "\(salvage.problems)")
    var text = Data()
    try salvage.write { text.append($0) }
    #expect(text.split(separator: UInt8(ascii: "\n")).count == 1 + 2 + events + salvage.reports.count)
    #expect { _ = try StudyArchive(text, name: "s.jsonl") } throws: { error in
      (error as? StudyError)?.code == .corrupt && "\(error)".contains("damaged study")
    }
  }

  @Test("a frozen observer stays at its moment") func frozen() throws {
    let folder = try Self.study()
    let observer = try StudyObserver(StudyFolder(folder.url))
    try observer.freeze()
    let store = try SQLiteStudyStore(StudyFolder(folder.url))
    let before = try observer.load()
    try store.commit(StudyState(record: try store.load()).open(budget: 9, time: 8))
    #expect(try observer.load() == before)
    #expect(try StudyObserver(StudyFolder(folder.url)).load() != before)
  }
}
