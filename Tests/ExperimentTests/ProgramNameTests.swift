import Experiment
import Foundation
import TestSupport
import Testing

@Suite("The program's name in commands to copy", .ownThread, .bounded) struct ProgramNameTests {
  @Test("it is what the shell would find") func shown() throws {
    let folder = try TemporaryFolder("engram-name")
    let root = folder.url.resolvingSymlinksInPath().path
    for place in ["bin", "other", "tree/.build/x86/release"] {
      try FileManager.default.createDirectory(atPath: "\(root)/\(place)", withIntermediateDirectories: true)
      let program = "\(root)/\(place)/engram"
      #expect(FileManager.default.createFile(atPath: program, contents: Data(), attributes: [.posixPermissions: 0o755]))
    }
    try FileManager.default.createSymbolicLink(
      atPath: "\(root)/tree/.build/release", withDestinationPath: "\(root)/tree/.build/x86/release")
    func shown(_ program: String, path: String, from place: String) -> String {
      ProgramName.shown(program: "\(root)/\(program)", path: path, workingDirectory: "\(root)/\(place)")
    }
    #expect(shown("bin/engram", path: "/usr/bin:\(root)/bin", from: "tree") == "engram")
    // Another program of that name comes first.
    #expect(shown("bin/engram", path: "\(root)/other:\(root)/bin", from: "tree") == "\(root)/bin/engram")
    #expect(shown("tree/.build/x86/release/engram", path: "/usr/bin", from: "tree") == ".build/release/engram")
    #expect(shown("bin/engram", path: "", from: "bin") == "./engram")
    #expect(shown("bin/engram", path: "", from: "tree") == "\(root)/bin/engram")
  }
}
