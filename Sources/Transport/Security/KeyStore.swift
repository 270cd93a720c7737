import Foundation
import Glibc

/// The keys of this user: a folder that `engram keys` manages and that coordinator and workers read.
///
///     NAME.secret          secret key, mode 0600
///     NAME.public          its public half, to be copied to the other side
///     authorized/NAME.public   public keys of the workers that a coordinator admits
///
/// The coordinator reads `authorized` at every handshake: what `authorize` and `revoke` change takes effect at once.
public struct KeyStore: Sendable {
  /// The folder.
  public let folder: URL
  /// The folder of admitted public keys.
  public var authorizedFolder: URL { folder.appendingPathComponent("authorized") }

  /// - Parameter folder: default `$ENGRAM_KEYS`, else `$XDG_CONFIG_HOME/engram/keys`, else `~/.config/engram/keys`.
  public init(folder: URL? = nil, environment: [String: String] = ProcessInfo.processInfo.environment) {
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
  public struct Entry: Sendable, Equatable {
    public var name: String
    public var publicKey: PublicKey
    /// Whether the secret half is here.
    public var hasSecret: Bool
    /// Whether a coordinator that uses this folder admits it.
    public var isAuthorized: Bool
  }

  /// Makes a new pair under `name` (`server` for the coordinator, anything else for workers).
  @discardableResult
  public func generate(name: String) throws -> KeyPair {
    try check(name)
    let secretFile = file(name, "secret")
    guard !FileManager.default.fileExists(atPath: secretFile.path) else {
      throw TransportError(.keyExists, "there is a key \(name) in \(folder.path) already; revoke or rename it first")
    }
    try makeFolders()
    let pair = try KeyPair.generate()
    try write(pair.secret, to: secretFile, mode: 0o600)
    try write(pair.publicKey.text, to: file(name, "public"), mode: 0o644)
    return pair
  }

  /// The pair `name`; refused when others could read the secret.
  public func pair(name: String) throws -> KeyPair {
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
  public func publicKey(name: String) throws -> PublicKey {
    try check(name)
    let path = file(name, "public").path
    guard FileManager.default.fileExists(atPath: path) else {
      throw TransportError(
        .keyNotFound, "no public key \(name) in \(folder.path); copy \(name).public there from the machine that made it"
      )
    }
    return try PublicKey(read(path))
  }

  /// Admits the worker with this public key under `name`.
  public func authorize(name: String, publicKey: PublicKey) throws {
    try check(name)
    try makeFolders()
    let target = authorizedFolder.appendingPathComponent("\(name).public")
    guard !FileManager.default.fileExists(atPath: target.path) else {
      throw TransportError(.keyExists, "\(name) is authorised already; run: engram keys revoke \(name)")
    }
    try write(publicKey.text, to: target, mode: 0o644)
  }

  /// Stops admitting `name`; open connections are no longer listened to within about a second.
  public func revoke(name: String) throws {
    try check(name)
    do {
      try FileManager.default.removeItem(at: authorizedFolder.appendingPathComponent("\(name).public"))
    } catch {
      throw TransportError(.keyNotFound, "\(name) is not authorised in \(folder.path); see: engram keys list")
    }
  }

  /// All keys of this folder, by name.
  public func list() throws -> [Entry] {
    let authorized = AllowList(folder: authorizedFolder).read()
    var entries: [String: Entry] = [:]
    for (key, name) in authorized {
      entries[name] = Entry(name: name, publicKey: key, hasSecret: false, isAuthorized: true)
    }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    for fileName in names where fileName.hasSuffix(".public") {
      let name = String(fileName.dropLast(7))
      let key = try PublicKey(read(folder.appendingPathComponent(fileName).path))
      let hasSecret = FileManager.default.fileExists(atPath: file(name, "secret").path)
      entries[name] = Entry(name: name, publicKey: key, hasSecret: hasSecret, isAuthorized: authorized[key] != nil)
    }
    return entries.values.sorted { $0.name < $1.name }
  }

  private func file(_ name: String, _ kind: String) -> URL { folder.appendingPathComponent("\(name).\(kind)") }

  private func check(_ name: String) throws {
    let allowed = name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.@".contains($0)) }
    guard !name.isEmpty, name.count <= 100, allowed, !name.hasPrefix(".") else {
      throw TransportError(.badKey, "a key's name has letters, digits, '-', '_', '.' and '@' only: \"\(name)\"")
    }
  }

  private func makeFolders() throws {
    do {
      try FileManager.default.createDirectory(at: authorizedFolder, withIntermediateDirectories: true)
    } catch {
      throw TransportError(.permissionDenied, "cannot make \(authorizedFolder.path): \(error.localizedDescription)")
    }
    chmod(folder.path, 0o700)
  }

  private func read(_ path: String) throws -> String {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
      throw TransportError(.permissionDenied, "cannot read \(path)")
    }
    return text.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// Writes beside the target and renames, so that a reader never sees half a key.
  private func write(_ text: String, to url: URL, mode: mode_t) throws {
    let temporary = url.path + ".\(getpid()).new"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
    guard descriptor >= 0 else {
      throw TransportError(.permissionDenied, "cannot write \(url.path): \(String(cString: strerror(errno)))")
    }
    let bytes = Array((text + "\n").utf8)
    let written = Glibc.write(descriptor, bytes, bytes.count)
    Glibc.close(descriptor)
    guard written == bytes.count, rename(temporary, url.path) == 0 else {
      unlink(temporary)
      throw TransportError(.permissionDenied, "cannot write \(url.path): \(String(cString: strerror(errno)))")
    }
  }
}

/// A folder of `NAME.public` files, read anew whenever it is asked.
struct AllowList: Sendable {
  let folder: URL

  /// Names by key; files that are no keys are left out, since a half-edited file must not open or stop the door.
  func read() -> [PublicKey: String] {
    var keys: [PublicKey: String] = [:]
    for fileName in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    where fileName.hasSuffix(".public") {
      guard
        let text = try? String(contentsOfFile: folder.appendingPathComponent(fileName).path, encoding: .utf8),
        let key = try? PublicKey(text)
      else { continue }
      keys[key] = String(fileName.dropLast(7))
    }
    return keys
  }
}
