import Foundation
import Glibc
import TestSupport
import Testing

@testable import Transport

@Suite("The list of admitted keys", .bounded) struct AdmittedKeysTests {
  private let folder: TemporaryFolder
  private let store: KeyStore
  private let a: PublicKey
  private let b: PublicKey
  private let start = ContinuousClock.now

  init() throws {
    folder = try TemporaryFolder("engram-admitted")
    store = KeyStore(folder: folder.url)
    (a, b) = (try KeyPair.generate().publicKey, try KeyPair.generate().publicKey)
  }

  private var path: String { store.authorizedFolder.path }

  /// Files as they are some time after they were written.
  private func age() throws {
    let old: [FileAttributeKey: Any] = [.modificationDate: Date(timeIntervalSinceNow: -3600)]
    for name in try FileManager.default.contentsOfDirectory(atPath: path) {
      try FileManager.default.setAttributes(old, ofItemAtPath: "\(path)/\(name)")
    }
    try FileManager.default.setAttributes(old, ofItemAtPath: path)
  }

  @Test("a key is admitted from its handshake on, and revoked at the next look") func comesAndGoes() throws {
    let keys = AdmittedKeys(folder: store.authorizedFolder)
    #expect(keys.look(now: start, isHandshake: true) == [])
    #expect(!keys.admits(a))
    try store.authorize(name: "a", publicKey: a)
    try store.authorize(name: "b", publicKey: b)
    #expect(keys.look(now: start + .milliseconds(20), isHandshake: true) == [])
    #expect(keys.admits(a) && keys.admits(b))
    try store.revoke(name: "a")
    let soon = start + .milliseconds(30) + AdmittedKeys.interval
    #expect(keys.look(now: soon) == [.revoked(a, names: ["a"])])
    #expect(!keys.admits(a) && keys.admits(b))
  }

  @Test("an unchanged folder is not read again, however many handshakes come") func readOnChange() throws {
    try store.authorize(name: "a", publicKey: a)
    let keys = AdmittedKeys(folder: store.authorizedFolder)
    _ = keys.look(now: start, isHandshake: true)
    // Times of change cannot be set back: past the tick of the file system's clock.
    usleep(150_000)
    _ = keys.look(now: start + .seconds(1), isHandshake: true)
    let before = keys.reads
    for index in 0..<10_000 {
      _ = keys.look(now: start + .seconds(1) + .microseconds(100 * index), isHandshake: true)
    }
    #expect(keys.reads == before)
    // All files are looked at again after a while: one may have been written over in its place.
    try Data("\(b.text)\n".utf8).write(to: store.authorizedFolder.appendingPathComponent("a.public"))
    let later = start + .seconds(2) + AdmittedKeys.sweep
    #expect(keys.look(now: later) == [.revoked(a, names: ["a"])])
    #expect(keys.admits(b))
  }

  @Test("a folder that cannot be read keeps the last list, and that is said once") func keptOnErrors() throws {
    try store.authorize(name: "a", publicKey: a)
    let keys = AdmittedKeys(folder: store.authorizedFolder)
    _ = keys.look(now: start, isHandshake: true)
    try FileManager.default.moveItem(atPath: path, toPath: path + ".away")
    let changes = keys.look(now: start + .seconds(1))
    #expect(changes.count == 1)
    guard case .notice(.allowListKept(path, _, keys: 1))? = changes.first else {
      Issue.record("\(changes)")
      return
    }
    for second in 2..<20 { #expect(keys.look(now: start + .seconds(second), isHandshake: true) == []) }
    #expect(keys.admits(a))
    try FileManager.default.moveItem(atPath: path + ".away", toPath: path)
    #expect(keys.look(now: start + .seconds(30)) == [.notice(.allowListBack(folder: path, keys: 1))])
    // An empty folder is an answer, not an error.
    unlink("\(path)/a.public")
    #expect(keys.look(now: start + .seconds(31)) == [.revoked(a, names: ["a"])])
  }

  @Test("what is no key, a pipe and a giant are left out and named") func noKeys() throws {
    try store.authorize(name: "a", publicKey: a)
    try Data("half".utf8).write(to: store.authorizedFolder.appendingPathComponent("half.public"))
    #expect(mkfifo("\(path)/pipe.public", 0o600) == 0)
    try Data(count: 100_000).write(to: store.authorizedFolder.appendingPathComponent("giant.public"))
    try FileManager.default.createDirectory(atPath: "\(path)/folder.public", withIntermediateDirectories: true)
    let keys = AdmittedKeys(folder: store.authorizedFolder)
    let files = keys.look(now: start, isHandshake: true).compactMap { change -> String? in
      guard case .notice(.notAKey(let file, _)) = change else { return nil }
      return URL(fileURLWithPath: file).lastPathComponent
    }
    #expect(Set(files) == ["half.public", "pipe.public", "giant.public", "folder.public"])
    #expect(keys.admits(a) && keys.names.count == 1)
  }

  @Test("a key under two names goes only with the last of them") func twoNames() throws {
    try store.authorize(name: "one", publicKey: a)
    #expect(try store.authorize(name: "two", publicKey: a) == ["one"])
    let keys = AdmittedKeys(folder: store.authorizedFolder)
    _ = keys.look(now: start, isHandshake: true)
    #expect(keys.names[a] == ["one", "two"])
    unlink("\(path)/one.public")
    #expect(keys.look(now: start + .seconds(1)) == [])
    #expect(keys.admits(a))
  }
}
