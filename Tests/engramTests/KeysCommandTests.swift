import Foundation
import TestSupport
import Testing

@Suite("engram keys", .ownThread, .bounded) struct KeysCommandTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder("engram-keys-command") }

  private var keys: String { folder.url.appendingPathComponent("keys").path }

  private func run(_ arguments: String...) throws -> (status: Int32, output: String, errors: String) {
    let result = try EngramProcess.run(["keys", arguments[0], "--keys", keys] + arguments.dropFirst())
    return (result.status, result.output, result.errors)
  }

  @Test("of six processes that make one key at once exactly one succeeds") func oneWinner() throws {
    let processes = try (0..<6).map { _ in try EngramProcess.start(["keys", "generate", "server", "--keys", keys]) }
    let results = processes.map { EngramProcess.finish($0) }
    #expect(results.filter { $0.status == 0 }.count == 1)
    let winner = results.first { $0.status == 0 }
    let text = try String(contentsOfFile: keys + "/server.public", encoding: .utf8)
    #expect(winner?.output.contains(text.trimmingCharacters(in: .whitespacesAndNewlines)) == true)
  }

  @Test("names that look like options are refused, said in one line") func names() throws {
    for name in ["--help", "-x", "-rf"] {
      let result = try EngramProcess.run(["keys", "generate", "--keys", keys, "--", name])
      #expect(result.status != 0 && result.errors.contains("begins with a letter or a digit"), "\(result.errors)")
    }
    #expect(!FileManager.default.fileExists(atPath: keys))
  }

  @Test("a key under two names is said when it is admitted, and goes as a whole") func twoNames() throws {
    #expect(try run("generate", "w").status == 0)
    #expect(try run("authorize", "w").output.contains("w is admitted\n"))
    let key = try String(contentsOfFile: keys + "/w.public", encoding: .utf8).trimmingCharacters(in: .newlines)
    #expect(try run("authorize", "--", "other", key).output.contains("the same key is admitted as w too"))
    let revoked = try run("revoke", "w")
    #expect(revoked.status == 0 && revoked.output.contains("w, other: one and the same key, no longer admitted"))
    let listed = try run("list", "--format", "json").output.filter { !$0.isWhitespace }
    #expect(listed.contains("\"isAuthorized\":false"), "\(listed)")
    #expect(try run("revoke", "other").status == 3)
  }
}
