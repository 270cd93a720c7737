import Foundation
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import Transport

@Suite("The folder of keys", .bounded) struct KeyStoreTests {
  private let folder: TemporaryFolder
  private let store: KeyStore

  init() throws {
    folder = try TemporaryFolder("engram-keys")
    store = KeyStore(folder: folder.url.appendingPathComponent("keys"))
  }

  @Test("of many that make one name at once exactly one succeeds") func oneWinner() async throws {
    for round in 0..<20 {
      let successes = await withTaskGroup(of: PublicKey?.self) { group in
        for _ in 0..<6 {
          group.addTask { [store] in
            do {
              return try store.generate(name: "n\(round)").publicKey
            } catch {
              #expect((error as? TransportError)?.code == .keyExists)
              return nil
            }
          }
        }
        return await group.reduce(into: [PublicKey]()) { if let key = $1 { $0.append(key) } }
      }
      #expect(successes.count == 1)
      #expect(try store.pair(name: "n\(round)").publicKey == successes.first)
      #expect(try store.publicKey(name: "n\(round)") == successes.first)
    }
    let leftovers = try FileManager.default.contentsOfDirectory(atPath: store.folder.path).filter {
      $0.contains(".new")
    }
    #expect(leftovers == [])
  }

  @Test("of many that admit one name at once exactly one succeeds") func oneAuthorization() async throws {
    let keys = try (0..<6).map { _ in try KeyPair.generate().publicKey }
    let successes = await withTaskGroup(of: Bool.self) { group in
      for key in keys { group.addTask { [store] in (try? store.authorize(name: "w", publicKey: key)) != nil } }
      return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
    #expect(successes == 1)
  }

  @Test("names that look like options or hidden files are refused") func names() throws {
    let key = try KeyPair.generate().publicKey
    let bad = [
      "", "--help", "-x", "-rf", "-", "--", ".", "..", ".hidden", "_x", "@x", "a/b", "../a", "a b", "a\nb", "ä", "a\0b",
      "*",
      "~", "$HOME", "\u{1b}[2J", String(repeating: "a", count: 101),
    ]
    for name in bad {
      let error = #expect(throws: TransportError.self, "\(name)") { try store.generate(name: name) }
      #expect(error?.code == .badKey && error?.message.contains("\u{1b}") == false)
      #expect(throws: TransportError.self, "\(name)") { try store.authorize(name: name, publicKey: key) }
      #expect(throws: TransportError.self, "\(name)") { try store.revoke(name: name) }
      #expect(throws: TransportError.self, "\(name)") { try store.pair(name: name) }
      #expect(throws: TransportError.self, "\(name)") { try store.publicKey(name: name) }
    }
    #expect(!FileManager.default.fileExists(atPath: store.folder.path))
    for name in ["a", "7", "gpu-node_3.example@site", String(repeating: "a", count: 100)] {
      try store.generate(name: name)
    }
  }

  @Test("a public key copied from elsewhere is not written over") func foreignPublicKey() throws {
    try store.generate(name: "worker")
    let foreign = try KeyPair.generate().publicKey
    try Data(foreign.text.utf8).write(to: store.folder.appendingPathComponent("server.public"))
    let error = #expect(throws: TransportError.self) { try store.generate(name: "server") }
    #expect(error?.code == .keyExists)
    #expect(try store.publicKey(name: "server") == foreign)
    #expect(!FileManager.default.fileExists(atPath: store.folder.appendingPathComponent("server.secret").path))
  }

  @Test("revoking a name revokes its key under every name") func revokedUnderAllNames() throws {
    let key = try KeyPair.generate().publicKey
    let other = try KeyPair.generate().publicKey
    #expect(try store.authorize(name: "a", publicKey: key) == [])
    #expect(try store.authorize(name: "b", publicKey: key) == ["a"])
    #expect(try store.authorize(name: "c", publicKey: other) == [])
    #expect(try store.revoke(name: "a") == ["b"])
    #expect(try store.list().filter(\.isAuthorized).map(\.name) == ["c"])
    let error = #expect(throws: TransportError.self) { try store.revoke(name: "b") }
    #expect(error?.code == .keyNotFound)
    // A file that is no key can be removed by its name.
    try Data("x".utf8).write(to: store.authorizedFolder.appendingPathComponent("junk.public"))
    #expect(try store.revoke(name: "junk") == [])
  }

  @Test("a secret without its public half is listed and used") func secretAlone() throws {
    let pair = try store.generate(name: "w")
    unlink(store.folder.appendingPathComponent("w.public").path)
    #expect(try store.publicKey(name: "w") == pair.publicKey)
    #expect(try store.list().map(\.hasSecret) == [true])
  }

  @Test("a file that is no key is named in the message") func badFiles() throws {
    try store.generate(name: "w")
    try Data("nonsense".utf8).write(to: store.folder.appendingPathComponent("bad.public"))
    let error = #expect(throws: TransportError.self) { try store.list() }
    #expect(error?.message.contains("bad.public") == true)
  }

  @Test("folders are private whatever the umask, a shared folder is refused") func modes() throws {
    try store.generate(name: "w")
    for path in [store.folder.path, store.authorizedFolder.path] {
      #expect((try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int) == 0o700)
    }
    let shared = folder.url.appendingPathComponent("shared").path
    mkdir(shared, 0o777)
    chmod(shared, 0o1777)
    let error = #expect(throws: TransportError.self) {
      try KeyStore(folder: URL(fileURLWithPath: shared)).generate(name: "w")
    }
    #expect(error?.code == .unsafeFolder)
    #expect((try FileManager.default.attributesOfItem(atPath: shared)[.posixPermissions] as? Int) == 0o1777)
    #expect(!FileManager.default.fileExists(atPath: shared + "/w.secret"))
  }
}
