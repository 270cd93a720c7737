import Foundation
import TestSupport
import Testing

@testable import Personalization

struct BuildCacheTests {
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
