import Foundations
import Foundation
import TestSupport
import Testing

@Suite("Atomic files", .ownThread, .bounded) struct AtomicFileTests {
  private static func mode(_ url: URL) throws -> Int {
    try #require(try FileManager.default.attributesOfItem(atPath: url.path)[.posixPermissions] as? Int)
  }

  @Test("a file is private, complete and alone") func isPrivate() throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appendingPathComponent("a.json")
    try AtomicFile.write("one", to: url)
    try AtomicFile.write(Data("two".utf8), to: url)
    #expect(try String(contentsOf: url, encoding: .utf8) == "two")
    #expect(try Self.mode(url) == 0o600)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["a.json"])
  }

  @Test("a failed renaming leaves nothing behind") func nothingLeft() throws {
    let folder = try TemporaryFolder()
    // A folder cannot be replaced by a file.
    let url = folder.url.appendingPathComponent("taken", isDirectory: true)
    try FileManager.default.createDirectory(
      at: url.appendingPathComponent("inside"), withIntermediateDirectories: true)
    #expect { try AtomicFile.write("text", to: url) } throws: { ($0 as? FileError)?.action == "cannot rename to" }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["taken"])
  }

  @Test("an error while writing leaves nothing behind") func errorInside() throws {
    struct Stop: Error {}
    let folder = try TemporaryFolder()
    #expect(throws: Stop.self) {
      try AtomicFile.write(folder.url.appendingPathComponent("x")) { _ in throw Stop() }
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
  }

  @Test("a missing folder is an error with its path") func missingFolder() throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appendingPathComponent("no/x")
    #expect { try AtomicFile.write("text", to: url) } throws: { error in
      (error as? FileError)?.isMissing == true && "\(error)".contains(url.path)
    }
  }

  @Test("a private folder is for its owner whatever the umask") func privateFolder() throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appendingPathComponent("a/b", isDirectory: true)
    try PrivateFolder.make(url)
    try PrivateFolder.make(url)
    #expect(try Self.mode(url) == 0o700)
    let file = folder.url.appendingPathComponent("file")
    try AtomicFile.write("", to: file)
    #expect(throws: FileError.self) { try PrivateFolder.make(file) }
  }

  @Test("what killed processes left is swept, what lives is not") func scratch() throws {
    let folder = try TemporaryFolder()
    let left = folder.url.appendingPathComponent(".engram-export-left00", isDirectory: true)
    try FileManager.default.createDirectory(
      at: left.appendingPathComponent("study"), withIntermediateDirectories: true)
    let first = try ScratchFolder(in: folder.url, purpose: "export")
    #expect(!FileManager.default.fileExists(atPath: left.path))
    do {
      let second = try ScratchFolder(in: folder.url, purpose: "export")
      #expect(FileManager.default.fileExists(atPath: first.url.path))
      #expect(try Self.mode(second.url) == 0o700)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == [first.url.lastPathComponent])
  }
}

@Suite("Foreign folders", .ownThread, .bounded) struct ForeignFolderTests {
  @Test("only regular files are copied, and nothing waits", arguments: ["link", "fifo", "folder", "socketless"])
  func onlyFiles(_ kind: String) throws {
    let folder = try TemporaryFolder()
    let place = folder.url.appendingPathComponent("entry")
    switch kind {
    case "link": #expect(symlink("/etc/passwd", place.path) == 0)
    case "fifo": #expect(mkfifo(place.path, 0o600) == 0)
    case "folder": try FileManager.default.createDirectory(at: place, withIntermediateDirectories: false)
    default:
      #expect(try ForeignFolder(folder.url).copy("entry", to: folder.url.appendingPathComponent("c"), limit: 10) == nil)
      return
    }
    let target = folder.url.appendingPathComponent("copy")
    #expect { try ForeignFolder(folder.url).copy("entry", to: target, limit: 1 << 20) } throws: { error in
      "\(error)".contains("not a regular file") && "\(error)".contains(place.path)
    }
    #expect(!FileManager.default.fileExists(atPath: target.path))
  }

  @Test("a folder that is a link is refused, a long file too") func linksAndLimits() throws {
    let folder = try TemporaryFolder()
    #expect(symlink("/", folder.url.appendingPathComponent("artifacts").path) == 0)
    try AtomicFile.write("12345", to: folder.url.appendingPathComponent("five"))
    let foreign = try ForeignFolder(folder.url)
    #expect(throws: FileError.self) { try foreign.folder("artifacts") }
    let target = folder.url.appendingPathComponent("copy")
    #expect(throws: FileError.self) { try foreign.copy("five", to: target, limit: 4) }
    #expect(!FileManager.default.fileExists(atPath: target.path))
    var seen = 0
    #expect(try foreign.copy("five", to: target, limit: 5) { seen += $0.count } == 5)
    #expect(seen == 5)
    #expect(try foreign.names() == ["artifacts", "copy", "five"])
  }
}
