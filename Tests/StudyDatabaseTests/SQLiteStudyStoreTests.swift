import BayesianOptimization
import Foundation
import Study
import StudyTesting
import TestSupport
import Testing

@testable import StudyDatabase

@Suite(.ownThread, .bounded) struct SQLiteStudyStoreTests {
  private static func make(_ folder: TemporaryFolder, budget: Int = 10) throws -> SQLiteStudyStore {
    try SQLiteStudyStore(StudyFolder(folder.url), beginning: (StudyStoreContract.definition, budget))
  }

  @Test(arguments: StudyStoreContract.checks.indices)
  func theContractHolds(_ index: Int) throws {
    let folder = try TemporaryFolder()
    // The store must be gone before it is opened again: the lock goes with it.
    var store: SQLiteStudyStore? = try Self.make(folder)
    let check = StudyStoreContract.checks[index]
    guard let first = store else { return }
    nonisolated(unsafe) var reopened: SQLiteStudyStore?
    try StudyStoreContract.run(check, on: first) { _ in
      try first.close()
      let copy = try Self.copy(folder)
      reopened = try SQLiteStudyStore(StudyFolder(copy.url))
      return KeptStore(base: try #require(reopened), folder: copy)
    }
    store = nil
  }

  private static func copy(_ folder: TemporaryFolder) throws -> TemporaryFolder {
    let copy = try TemporaryFolder()
    try FileManager.default.copyItem(
      at: StudyFolder(folder.url).database, to: StudyFolder(copy.url).database)
    return copy
  }

  @Test func durabilityIsSetOnPurpose() throws {
    let folder = try TemporaryFolder()
    let store = try Self.make(folder)
    #expect(try store.setting("synchronous") == "2")
    #expect(try store.setting("journal_mode") == "wal")
    #expect(try store.setting("user_version") == "\(Schema.current)")
    #expect(try store.setting("busy_timeout") == "5000")
  }

  @Test func aSecondCoordinatorIsRefusedAndTheLockGoesWithTheOwner() throws {
    let folder = try TemporaryFolder()
    var store: SQLiteStudyStore? = try Self.make(folder)
    #expect(store != nil)
    #expect {
      _ = try Self.make(folder)
    } throws: { error in
      (error as? StudyError)?.code == .locked && "\(error)".contains("process")
    }
    store = nil
    _ = try Self.make(folder)
  }

  @Test func observersReadWhileTheWriterWrites() throws {
    let folder = try TemporaryFolder()
    let store = try Self.make(folder)
    let observer = try StudyObserver(StudyFolder(folder.url))
    var state = StudyState(record: try store.load())
    let step = state.create(base: nil, time: 1)
    try store.commit(step)
    state.apply(step)
    #expect(try observer.load().header == state.header)
    #expect(try observer.events(after: 0, limit: 10) == step.events)
    let file = folder.url.appendingPathComponent("copy.sqlite")
    try observer.backup(to: file)
    let copy = try TemporaryFolder()
    try FileManager.default.copyItem(at: file, to: StudyFolder(copy.url).database)
    #expect(try StudyObserver(StudyFolder(copy.url)).load() == observer.load())
  }

  @Test func nothingThereIsSaid() throws {
    let folder = try TemporaryFolder()
    #expect { try StudyObserver(StudyFolder(folder.url)) } throws: { ($0 as? StudyError)?.code == .notFound }
    #expect { try SQLiteStudyStore(StudyFolder(folder.url)) } throws: { ($0 as? StudyError)?.code == .notFound }
  }

  @Test func foreignAndDamagedFilesAreRefusedUntouched() throws {
    let folder = try TemporaryFolder()
    let file = StudyFolder(folder.url).database
    try Data("this is not a database, it only has its name".utf8).write(to: file)
    let before = try Data(contentsOf: file)
    #expect { _ = try Self.make(folder) } throws: { ($0 as? StudyError)?.code == .corrupt }
    #expect(try Data(contentsOf: file) == before)
  }

  @Test func networkFileSystemsAreRecognised() {
    let mounts = """
      /dev/sda1 / ext4 rw 0 0
      server:/home /home nfs4 rw 0 0
      tmpfs /home/me/local tmpfs rw 0 0
      me@host:/x /mnt/my\\040data fuse.sshfs rw 0 0
      """
    #expect(StudyFolder.fileSystem(of: "/home/me/runs", mounts: mounts) == "nfs4")
    #expect(StudyFolder.fileSystem(of: "/home/me/local/runs", mounts: mounts) == "tmpfs")
    #expect(StudyFolder.fileSystem(of: "/homestead", mounts: mounts) == "ext4")
    #expect(StudyFolder.fileSystem(of: "/mnt/my data/x", mounts: mounts) == "fuse.sshfs")
  }
}

/// A store that keeps its temporary folder alive.
private struct KeptStore: StudyStore {
  let base: SQLiteStudyStore
  let folder: TemporaryFolder
  func commit(_ transitions: [Transition]) throws { try base.commit(transitions) }
  func load() throws -> StudyRecord { try base.load() }
  func lastEventNumber() throws -> Int { try base.lastEventNumber() }
  func events(after number: Int, limit: Int) throws -> [StudyEvent] { try base.events(after: number, limit: limit) }
  func reports(trial: Int) throws -> [IntermediateReport] { try base.reports(trial: trial) }
  func warmStart(trial: Int) throws -> Data? { try base.warmStart(trial: trial) }
}
