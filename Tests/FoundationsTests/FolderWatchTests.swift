import Foundation
import Foundations
import TestSupport
import Testing

@Suite("Folder watch", .ownThread, .bounded) struct FolderWatchTests {
  @Test("every change since the last wait ends the next one; none lets it take its time") func changes() throws {
    let folder = try TemporaryFolder()
    let watch = FolderWatch(folder.url)
    let file = folder.url.appendingPathComponent("a")
    #expect(!watch.wait(0.001))
    try Data("1".utf8).write(to: file)
    #expect(watch.wait(1))
    #expect(!watch.wait(0.001))
    try Data("2".utf8).write(to: file, options: .atomic)
    #expect(watch.wait(1))
    try FileManager.default.removeItem(at: file)
    #expect(watch.wait(1))
  }

  @Test("a folder that is not there only takes time") func missing() {
    #expect(!FolderWatch(URL(fileURLWithPath: "/no/such/folder")).wait(0.001))
  }
}
