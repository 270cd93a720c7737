import Foundation
import Study
import TestSupport
import Testing
import WireProtocol

@testable import Worker

@Suite("Uploads", .ownThread, .bounded) struct UploadQueueTests {
  @Test("an upload whose beginning the coordinator lost starts again, a bounded number of times") func restarts() throws
  {
    let folder = try TemporaryFolder()
    let file = folder.url.appendingPathComponent("a")
    try Data(repeating: 7, count: UploadQueue.chunkBytes + 10).write(to: file)
    let artifact = try LocalArtifact(name: "a", url: file)
    var queue = UploadQueue(file: folder.url.appendingPathComponent("uploads.json"))
    try queue.add([artifact])
    let sha = artifact.reference.sha256
    var refused = 0
    for round in 0...UploadQueue.maxRestarts {
      let first = try #require(try queue.due(now: .seconds(100 * round)))
      #expect(first.offset == 0)
      #expect(try queue.acknowledged(sha256: sha, offset: 0, .accepted)?.isRefused == nil)
      let second = try #require(try queue.due(now: .seconds(100 * round + 50)))
      #expect(second.offset == UploadQueue.chunkBytes)
      if let done = try queue.acknowledged(sha256: sha, offset: second.offset, .conflict) {
        #expect(round == UploadQueue.maxRestarts && done.isRefused)
        refused += 1
      }
    }
    #expect(refused == 1 && queue.isEmpty)
  }

  @Test("an artifact that is refused at once is not sent again") func refused() throws {
    let folder = try TemporaryFolder()
    let file = folder.url.appendingPathComponent("a")
    try Data("abc".utf8).write(to: file)
    let artifact = try LocalArtifact(name: "a", url: file)
    var queue = UploadQueue(file: folder.url.appendingPathComponent("uploads.json"))
    try queue.add([artifact])
    #expect(try queue.due(now: .zero) != nil)
    #expect(try queue.acknowledged(sha256: artifact.reference.sha256, offset: 0, .conflict)?.isRefused == true)
  }
}
