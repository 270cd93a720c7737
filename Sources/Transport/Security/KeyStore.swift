import Foundation
import Foundations
import Glibc

/// The keys of this user: a folder that `engram keys` manages and that coordinator and workers read.
///
///     NAME.secret          secret key, mode 0600
///     NAME.public          its public half, to be copied to the other side
///     authorized/NAME.public   public keys of the workers that a coordinator admits
///
/// The coordinator looks at `authorized` at every handshake and ten times a second: what `authorize` and `revoke` change
/// takes effect at once, and the connections of a revoked key are closed.
package struct KeyStore: Sendable {
  /// The folder.
  package let folder: URL
  /// The folder of admitted public keys.
  package var authorizedFolder: URL { folder.appendingPathComponent("authorized") }

  /// - Parameter folder: default `$ENGRAM_KEYS`, else `$XDG_CONFIG_HOME/engram/keys`, else `~/.config/engram/keys`.
  package init(folder: URL? = nil, environment: [String: String] = ProcessInfo.processInfo.environment) {
    if let folder {
      self.folder = folder
    } else if let path = environment["ENGRAM_KEYS"], !path.isEmpty {
      self.folder = URL(fileURLWithPath: path)
    } else if let path = environment["XDG_CONFIG_HOME"], !path.isEmpty {
      self.folder = URL(fileURLWithPath: path).appendingPathComponent("engram/keys")
    } else {
      // $HOME first: containers run as users that no password file knows.
      let home = environment["HOME"].flatMap { $0.isEmpty ? nil : URL(fileURLWithPath: $0) }
      self.folder = (home ?? FileManager.default.homeDirectoryForCurrentUser)
        .appendingPathComponent(".config/engram/keys")
    }
  }

  /// An entry of ``list()``.
  package struct Entry: Sendable, Equatable {
    package var name: String
    package var publicKey: PublicKey
    /// Whether the secret half is here.
    package var hasSecret: Bool
    /// Whether a coordinator that uses this folder admits it.
    package var isAuthorized: Bool
  }

  /// Makes a new pair under `name` (`server` for the coordinator, anything else for workers).
  ///
  /// Of several that try the same name at once exactly one succeeds; nothing that is there is written over.
  @discardableResult
  package func generate(name: String) throws -> KeyPair {
    try check(name)
    let (secretFile, publicFile) = (file(name, "secret"), file(name, "public"))
    let isTaken = TransportError(
      .keyExists, "there is a key \(name) in \(folder.path) already; choose another name, or move its files away first")
    guard !exists(secretFile), !exists(publicFile) else { throw isTaken }
    try makeFolders()
    let pair = try KeyPair.generate()
    guard try write(pair.secret, to: secretFile, mode: 0o600) else { throw isTaken }
    guard try write(pair.publicKey.text, to: publicFile, mode: 0o644) else {
      // A public key of that name was copied here in this moment; the secret made just now is nobody's.
      unlink(secretFile.path)
      throw isTaken
    }
    return pair
  }

  /// The pair `name`; refused when others could read the secret.
  package func pair(name: String) throws -> KeyPair {
    try check(name)
    let path = file(name, "secret").path
    var info = stat()
    guard stat(path, &info) == 0 else {
      throw TransportError(.keyNotFound, "no key \(name) in \(folder.path); run: engram keys generate \(name)")
    }
    guard info.st_mode & 0o077 == 0 else {
      throw TransportError(.unsafeFolder, "\(path) can be read by other users; run: chmod 600 \(path)")
    }
    return try KeyPair.from(secret: read(path))
  }

  /// The public key `name`, of this folder's own pairs or copied here from the other side.
  package func publicKey(name: String) throws -> PublicKey {
    try check(name)
    let path = file(name, "public").path
    guard FileManager.default.fileExists(atPath: path) else {
      // Its public half may be missing, after a crash or because only the secret was copied: it can be computed.
      if exists(file(name, "secret")) { return try pair(name: name).publicKey }
      throw TransportError(
        .keyNotFound, "no public key \(name) in \(folder.path); copy \(name).public there from the machine that made it"
      )
    }
    return try readKey(path)
  }

  /// Admits the worker with this public key under `name`.
  ///
  /// - Returns: other names under which the same key is admitted already.
  @discardableResult
  package func authorize(name: String, publicKey: PublicKey) throws -> [String] {
    try check(name)
    try makeFolders()
    guard try write(publicKey.text, to: authorizedFile(name), mode: 0o644) else {
      throw TransportError(.keyExists, "\(name) is authorised already; run: engram keys revoke \(name)")
    }
    return try admitted().filter { $0.key == publicKey && $0.name != name }.map(\.name).sorted()
  }

  /// Stops admitting the key `name`, under every name that it has; its open connections are closed at once.
  ///
  /// - Returns: the other names of the same key, which are revoked as well: left in place, each would keep the door open.
  @discardableResult
  package func revoke(name: String) throws -> [String] {
    try check(name)
    // A file that is no key admits nobody; it can still be removed by its name.
    let key = try? readKey(authorizedFile(name).path)
    try removeAuthorized(name)
    guard let key else { return [] }
    let others = try admitted().filter { $0.key == key && $0.name != name }.map(\.name).sorted()
    for other in others { try removeAuthorized(other) }
    return others
  }

  private func removeAuthorized(_ name: String) throws {
    let target = authorizedFile(name)
    guard unlink(target.path) != 0 else { return try syncFolder(authorizedFolder) }
    guard errno == ENOENT || errno == ENOTDIR else {
      throw TransportError(
        .permissionDenied, "cannot remove \(target.path): \(String(cString: strerror(errno))); \(name) stays admitted")
    }
    throw TransportError(.keyNotFound, "\(name) is not authorised in \(folder.path); see: engram keys list")
  }

  /// The files of the folder of admitted keys; those that hold no key are left out, as the coordinator does.
  private func admitted() throws -> [(name: String, key: PublicKey)] {
    try Self.names(in: authorizedFolder, ending: ".public").compactMap { name in
      // Says nothing here: the coordinator's log names such files.
      (try? readKey(authorizedFile(name).path)).map { (name, $0) }
    }
  }

  /// All keys of this folder, by name.
  package func list() throws -> [Entry] {
    let admitted = try admitted()
    let keys = Set(admitted.map(\.key))
    var entries: [String: Entry] = [:]
    for (name, key) in admitted {
      entries[name] = Entry(name: name, publicKey: key, hasSecret: false, isAuthorized: true)
    }
    let secrets = Set(try Self.names(in: folder, ending: ".secret"))
    for name in Set(try Self.names(in: folder, ending: ".public")).union(secrets) {
      let path = file(name, "public").path
      let hasPublic = FileManager.default.fileExists(atPath: path)
      let key = try hasPublic ? readKey(path) : pair(name: name).publicKey
      entries[name] = Entry(
        name: name, publicKey: key, hasSecret: secrets.contains(name), isAuthorized: keys.contains(key))
    }
    return entries.values.sorted { $0.name < $1.name }
  }

  private static func names(in folder: URL, ending: String) throws -> [String] {
    guard FileManager.default.fileExists(atPath: folder.path) else { return [] }
    do {
      return try FileManager.default.contentsOfDirectory(atPath: folder.path)
        .filter { $0.hasSuffix(ending) && !$0.hasPrefix(".") }.map { String($0.dropLast(ending.count)) }
    } catch {
      throw TransportError(.permissionDenied, "cannot read the folder \(folder.path): \(error.localizedDescription)")
    }
  }

  private func authorizedFile(_ name: String) -> URL { authorizedFolder.appendingPathComponent("\(name).public") }

  /// Whether a file, a link or anything else is there.
  private func exists(_ url: URL) -> Bool {
    var info = stat()
    return lstat(url.path, &info) == 0
  }

  private func file(_ name: String, _ kind: String) -> URL { folder.appendingPathComponent("\(name).\(kind)") }

  /// The most bytes of a key's name.
  static let longestName = 100

  private func check(_ name: String) throws {
    let allowed = name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.@".contains($0)) }
    guard !name.isEmpty, allowed else {
      throw TransportError(
        .badKey, "a key's name has letters, digits, '-', '_', '.' and '@' only: \(name.debugDescription)")
    }
    guard name.count <= Self.longestName else {
      throw TransportError(.badKey, "a key's name has at most \(Self.longestName) characters, this one \(name.count)")
    }
    // Such a name would be taken for an option, or be a hidden file.
    guard let first = name.first, first.isLetter || first.isNumber else {
      throw TransportError(.badKey, "a key's name begins with a letter or a digit: \(name.debugDescription)")
    }
  }

  private func makeFolders() throws {
    do {
      try FileManager.default.createDirectory(
        at: authorizedFolder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw TransportError(.permissionDenied, "cannot make \(authorizedFolder.path): \(error.localizedDescription)")
    }
    var info = stat()
    guard stat(folder.path, &info) != 0 || info.st_mode & 0o077 != 0 else { return }
    // A folder such as /tmp or a shared one is not ours to lock; whoever can write there can admit keys.
    guard info.st_uid == getuid(), info.st_mode & S_ISVTX == 0, chmod(folder.path, 0o700) == 0 else {
      throw TransportError(
        .unsafeFolder, "\(folder.path) is open to other users; keep keys in a folder of your own with mode 700")
    }
  }

  private func read(_ path: String) throws -> String {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
      throw TransportError(.permissionDenied, "cannot read \(path)")
    }
    return text.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  private func readKey(_ path: String) throws -> PublicKey {
    let text = try read(path)
    do {
      return try PublicKey(text)
    } catch let error as TransportError {
      throw TransportError(error.code, "\(path): \(error.message)")
    }
  }

  /// Writes beside the target and links it there: a reader never sees half a key, and nothing is written over.
  ///
  /// The file and its folder are on the disk when this returns.
  ///
  /// - Returns: whether the name was free.
  private func write(_ text: String, to url: URL, mode: mode_t) throws -> Bool {
    let parent = url.deletingLastPathComponent()
    let temporary = parent.appendingPathComponent(".\(UUID().uuidString).new").path
    do {
      try Self.writeNew(text, temporary, mode)
      defer { unlink(temporary) }
      if link(temporary, url.path) != 0 {
        let error = FileError("cannot write", url.path)
        guard [EPERM, ENOTSUP, ENOSYS].contains(error.errorNumber) else { throw error }
        // A file system without links: made in its place, still only where nothing is.
        try Self.writeNew(text, url.path, mode)
      }
      try syncFolder(parent)
      return true
    } catch let error as FileError {
      if error.errorNumber == EEXIST { return false }
      throw Self.failure(error, url)
    }
  }

  /// Makes a file that is not there yet and puts it on the disk.
  private static func writeNew(_ text: String, _ path: String, _ mode: mode_t) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
    guard descriptor >= 0 else { throw FileError("cannot write", path) }
    defer { Glibc.close(descriptor) }
    do {
      try Array((text + "\n").utf8).withUnsafeBytes { try writeAll($0, to: descriptor, path: path) }
      guard fsync(descriptor) == 0 else { throw FileError("cannot sync", path) }
    } catch {
      unlink(path)
      throw error
    }
  }

  private static func failure(_ error: FileError, _ url: URL) -> TransportError {
    TransportError(.permissionDenied, "cannot write \(url.path): \(error.reason)")
  }
}
