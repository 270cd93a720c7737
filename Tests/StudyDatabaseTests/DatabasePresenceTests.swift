import Foundation
import GRDB
import Study
import StudyTesting
import TestSupport
import Testing

@testable import StudyDatabase

/// Files that are taken away from under a coordinator, and who may read them.
@Suite("Presence and privacy of the database", .ownThread, .bounded) struct DatabasePresenceTests {
  @Test(
    "a database that is removed, moved or replaced is noticed before the next acknowledgement",
    arguments: ["database", "log", "replaced", "folder", "renamed", "folder replaced"])
  func vanished(_ what: String) throws {
    let parent = try TemporaryFolder("engram-vanish")
    let study = StudyFolder(parent.url.appendingPathComponent("s", isDirectory: true))
    let store = try SQLiteStudyStore(study, beginning: (StudyStoreContract.definition, 4))
    var state = StudyState(record: try store.load())
    let first = state.create(base: nil, time: 1)
    try store.commit(first)
    state.apply(first)
    try store.checkPresence()
    let files = FileManager.default
    switch what {
    case "database": try files.removeItem(at: study.database)
    case "log": try files.removeItem(atPath: study.database.path + "-wal")
    case "replaced":
      let copy = parent.url.appendingPathComponent("copy")
      try files.copyItem(at: study.database, to: copy)
      #expect(rename(copy.path, study.database.path) == 0)
    case "renamed": try files.moveItem(at: study.url, to: parent.url.appendingPathComponent("moved"))
    default:
      try files.removeItem(at: study.url)
      if what == "folder replaced" {
        try SQLiteStudyStore(study, beginning: (StudyStoreContract.definition, 4)).close()
      }
    }
    for _ in 0..<2 {
      #expect { try store.commit(state.open(budget: 4, time: 2)) } throws: { error in
        (error as? StudyError)?.code == .vanished && "\(error)".contains("was copied to")
      }
      #expect { try store.lastEventNumber() } throws: { ($0 as? StudyError)?.code == .vanished }
      #expect { try store.checkPresence() } throws: { ($0 as? StudyError)?.code == .vanished }
    }
    #expect(!StudyError.Code.vanished.isTemporary)
    // Once, with everything that was committed, and nothing that was refused.
    let rescued = try files.contentsOfDirectory(atPath: parent.url.path).filter { $0.hasPrefix("s.rescued-") }
    #expect(rescued.count == 1)
    let saved = StudyFolder(parent.url.appendingPathComponent(try #require(rescued.first)))
    #expect(try StudyObserver(saved).load().header == state.header)
    #expect(try StudyObserver(saved).alterations() == [])
  }

  @Test("after a clean end the file alone is the whole study, also while somebody looks on") func wholeFile() throws {
    let folder = try DamagedStudyTests.study()
    let study = StudyFolder(folder.url)
    let store = try SQLiteStudyStore(study)
    let observer = try StudyObserver(study)
    try store.commit(StudyState(record: try store.load()).open(budget: 9, time: 8))
    let expected = try observer.load()
    try store.close()
    let copy = try TemporaryFolder()
    try FileManager.default.copyItem(at: study.database, to: StudyFolder(copy.url).database)
    #expect(try StudyObserver(StudyFolder(copy.url)).load() == expected)
  }

  @Test("a database with two names, or reached by a link, is refused") func links() throws {
    let folder = try DamagedStudyTests.study()
    let study = StudyFolder(folder.url)
    let other = try TemporaryFolder()
    #expect(link(study.database.path, StudyFolder(other.url).database.path) == 0)
    for place in [study, StudyFolder(other.url)] {
      #expect { _ = try SQLiteStudyStore(place) } throws: { "\($0)".contains("hard links") }
    }
    unlink(StudyFolder(other.url).database.path)
    #expect(symlink(study.database.path, StudyFolder(other.url).database.path) == 0)
    #expect { _ = try SQLiteStudyStore(StudyFolder(other.url)) } throws: { "\($0)".contains("is a link to") }
    // Looking does no harm.
    #expect(try StudyObserver(StudyFolder(other.url)).load().trials.count == 3)
    try SQLiteStudyStore(study).close()
  }

  @Test("everything that holds results is for its owner only") func modes() throws {
    let parent = try TemporaryFolder("engram-modes")
    chmod(parent.url.path, 0o755)
    let study = StudyFolder(parent.url.appendingPathComponent("s", isDirectory: true))
    // Whatever the umask: it is the process's, so it is not touched here.
    // The lock goes with the store.
    var store: SQLiteStudyStore? = try SQLiteStudyStore(study, beginning: (StudyStoreContract.definition, 4))
    try store?.backup(to: study.url.appendingPathComponent("copy.sqlite"))
    func mode(_ path: String) throws -> Int {
      try #require(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
    }
    #expect(try mode(study.url.path) == 0o700)
    for name in ["study.sqlite", "study.sqlite-wal", "study.sqlite-shm", "study.lock", "copy.sqlite"] {
      #expect(try mode(study.url.appendingPathComponent(name).path) == 0o600, "\(name)")
    }
    #expect(study.looseness == nil)
    try store?.close()
    store = nil
    chmod(study.url.path, 0o755)
    chmod(study.database.path, 0o644)
    #expect(study.looseness?.contains("study.sqlite") == true)
    // An old lock file that anybody could lock is closed to them.
    chmod(study.lock.path, 0o644)
    try SQLiteStudyStore(study).close()
    #expect(try mode(study.lock.path) == 0o600)
  }

  @Test("a damaged study can be moved out of the way, a running one not") func moveAside() throws {
    let folder = try DamagedStudyTests.study()
    let study = StudyFolder(folder.url)
    let store = try SQLiteStudyStore(study)
    #expect { try SQLiteStudyStore.whileNobodyRuns(study) {} } throws: { ($0 as? StudyError)?.code == .locked }
    try store.close()
    withExtendedLifetime(store) {}
  }

  @Test("a definition is replaced only by the same study's") func redefine() throws {
    let folder = try DamagedStudyTests.study()
    let store = try SQLiteStudyStore(StudyFolder(folder.url))
    var definition = try store.load().definition
    definition.configurationText = "{}"
    try store.redefine(definition)
    #expect(try store.load().definition == definition)
    #expect(try StudyObserver(StudyFolder(folder.url)).alterations() == [])
    definition.identifier = "another"
    #expect { try store.redefine(definition) } throws: { ($0 as? StudyError)?.code == .wrongStudy }
  }
}
