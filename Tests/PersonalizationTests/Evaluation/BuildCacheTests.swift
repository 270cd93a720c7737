import Foundation
import TestSupport
import Testing

@testable import Personalization

@Suite(.bounded) struct BuildCacheTests {
  let folder: TemporaryFolder
  var cache: BuildCache { BuildCache(root: folder.url.appendingPathComponent("cache")) }
  init() throws { folder = try TemporaryFolder() }

  struct Broken: Error {}

  @Test func makesOnceAndWhole() throws {
    var made = 0
    for _ in 0..<3 {
      let url = try cache.folder(kind: "bases", key: "k") { partial in
        made += 1
        try Data("x".utf8).write(to: partial.appendingPathComponent("file"))
        #expect(!cache.contains(kind: "bases", key: "k"))
      }
      #expect(try String(contentsOf: url.appendingPathComponent("file"), encoding: .utf8) == "x")
    }
    #expect(made == 1)
  }

  @Test("a disk without room, and a folder that cannot be made, are found before the work, with their own advice")
  func roomIsAskedFirst() throws {
    func message(_ cache: BuildCache, _ bytes: Int) -> String {
      do {
        _ = try cache.folder(kind: "bases", key: "k", bytes: bytes) { _ in Issue.record("the work was begun") }
        return "made"
      } catch {
        return "\(error)"
      }
    }
    let full = message(cache, 1 << 60)
    #expect(full.contains("No space left") && full.contains("free some space"), "\(full)")
    #expect(!cache.contains(kind: "bases", key: "k"))
    let file = folder.url.appendingPathComponent("file")
    try Data().write(to: file)
    let blocked = message(BuildCache(root: file), 1)
    #expect(!blocked.contains("free some space") && !blocked.contains("NSCocoaErrorDomain"), "\(blocked)")
    _ = try cache.folder(kind: "bases", key: "k", bytes: 1 << 20) { partial in
      let names = try FileManager.default.contentsOfDirectory(atPath: partial.path)
      #expect(names.isEmpty)
    }
  }

  @Test func failuresLeaveNothing() throws {
    #expect(throws: Broken.self) {
      try cache.folder(kind: "bases", key: "k") { partial in
        try Data("x".utf8).write(to: partial.appendingPathComponent("file"))
        throw Broken()
      }
    }
    #expect(!cache.contains(kind: "bases", key: "k"))
    // What a killed process left half-made is not taken for the whole.
    let rubbish = cache.url(kind: "bases", key: "k.partial")
    try FileManager.default.createDirectory(at: rubbish, withIntermediateDirectories: true)
    try Data("old".utf8).write(to: rubbish.appendingPathComponent("old"))
    let url = try cache.folder(kind: "bases", key: "k") { _ in }
    #expect(try FileManager.default.contentsOfDirectory(atPath: url.path).isEmpty)
  }

  @Test func secondComerWaitsOrGivesUp() throws {
    _ = try cache.folder(kind: "bases", key: "other") { _ in }
    let lock = try FileLock(
      cache.url(kind: "bases", key: "k.lock"), waiting: {}, isCancelled: { false })
    var waited = false
    #expect(throws: TrialCancelled.self) {
      try cache.folder(kind: "bases", key: "k", waiting: { waited = true }, isCancelled: { waited }) { _ in
        Issue.record("made while another process held the lock")
      }
    }
    #expect(waited)
    lock.release()
    _ = try cache.folder(kind: "bases", key: "k") { _ in }
    #expect(cache.contains(kind: "bases", key: "k"))
  }

  @Test func followsTheEnvironment() {
    #expect(BuildCache.standard(environment: ["XDG_CACHE_HOME": "/x"]).root.path == "/x/engram")
    #expect(BuildCache.standard(environment: ["HOME": "/h"]).root.path == "/h/.cache/engram")
    // The specification says that relative paths are to be ignored.
    #expect(BuildCache.standard(environment: ["HOME": "/h", "XDG_CACHE_HOME": "x"]).root.path == "/h/.cache/engram")
  }
}
