import ArgumentParser
import Console
import Foundation
import Report
import Transport

struct KeysCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys", abstract: "CURVE keys: who may talk to a coordinator over TCP.",
    subcommands: [GenerateCommand.self, AuthorizeCommand.self, ListCommand.self, RevokeCommand.self])

  struct KeyOptions: ParsableArguments {
    @Option(name: .customLong("keys"), help: "Folder of keys (default: ~/.config/engram/keys).") var folder: String?

    var store: KeyStore { KeyStore(folder: folder.map { URL(fileURLWithPath: $0, isDirectory: true) }) }
  }

  struct GenerateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "generate", abstract: "Make a key pair: 'server' on the head node, any other name for workers.")
    @Argument(help: "Name of the pair.") var name: String
    @OptionGroup var options: KeyOptions

    func run() throws {
      let pair = try options.store.generate(name: name)
      Terminal.print("\(name): public key \(pair.publicKey.text)\nkept in \(options.store.folder.path)")
    }
  }

  struct AuthorizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "authorize", abstract: "Admit a worker's public key; takes effect without a restart.")
    @Argument(help: "Name of the worker.") var name: String
    @Argument(help: "Its public key (40 characters); left out: the key NAME.public in the folder.") var key: String?
    @OptionGroup var options: KeyOptions

    func run() throws {
      let store = options.store
      let others = try store.authorize(
        name: name, publicKey: key.map { try PublicKey($0) } ?? store.publicKey(name: name))
      let note = others.isEmpty ? "" : " (the same key is admitted as \(others.joined(separator: ", ")) too)"
      Terminal.print("\(name) is admitted\(note)")
    }
  }

  struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "All keys of the folder.")
    @OptionGroup var options: KeyOptions
    @OptionGroup var format: FormatOptions

    struct Row: Encodable {
      var name: String
      var publicKey: String
      var hasSecret: Bool
      var isAuthorized: Bool
    }

    func run() throws {
      let rows = try options.store.list().map {
        Row(
          name: $0.name, publicKey: $0.publicKey.text, hasSecret: $0.hasSecret, isAuthorized: $0.isAuthorized)
      }
      if format.format == .json { return Terminal.print(try JSON.pretty(rows)) }
      var table = TextTable([("name", .left), ("public key", .left), ("secret here", .left), ("admitted", .left)])
      for row in rows {
        table.add([row.name, row.publicKey, row.hasSecret ? "yes" : "no", row.isAuthorized ? "yes" : "no"])
      }
      table.print(as: format.format)
    }
  }

  struct RevokeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "revoke", abstract: "Admit a worker no longer; takes effect without a restart.",
      discussion: """
        Its open connections are closed at once. If the same key is admitted under other names as well, these are revoked \
        with it: left in place, each would keep the door open.
        """)
    @Argument(help: "Name of the worker.") var name: String
    @OptionGroup var options: KeyOptions

    func run() throws {
      let others = try options.store.revoke(name: name)
      guard !others.isEmpty else { return Terminal.print("\(name) is no longer admitted") }
      Terminal.print("\(([name] + others).joined(separator: ", ")): one and the same key, no longer admitted")
    }
  }
}
