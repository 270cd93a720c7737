import Foundation
import Glibc

/// The admitted keys in memory: a lookup takes the same time for one key and for a thousand.
///
/// The folder is read when it has changed. Where it cannot be read, the last list stays in force and that is said: a
/// full table of descriptors or a file server that is away must not turn every worker out.
final class AdmittedKeys {
  /// What became of a key or of the folder since the last look.
  enum Change: Equatable {
    case revoked(PublicKey, names: [String])
    case notice(ServerNotice)
  }

  /// Between two looks at the folder without a handshake.
  static let interval = Duration.milliseconds(100)
  /// A file that was written over in its place does not change its folder: all are looked at after this time.
  static let sweep = Duration.seconds(5)
  /// A folder that changed so shortly before it was read may have changed once more within one tick of its clock.
  static let clockTick = 0.1
  /// A key file is 41 bytes.
  static let largestFile = 4096

  private struct Stamp: Equatable {
    var device: UInt64
    var inode: UInt64
    var size: Int64
    var modified: Double
    var changed: Double

    init(_ info: stat) {
      device = UInt64(info.st_dev)
      inode = UInt64(info.st_ino)
      size = Int64(info.st_size)
      modified = Double(info.st_mtim.tv_sec) + Double(info.st_mtim.tv_nsec) * 1e-9
      changed = Double(info.st_ctim.tv_sec) + Double(info.st_ctim.tv_nsec) * 1e-9
    }

    /// Whether another change might carry the same time.
    func isFresh(_ now: Double) -> Bool { abs(now - max(modified, changed)) < AdmittedKeys.clockTick }
  }

  private struct File {
    var stamp: Stamp
    /// Nil for a file that is no key.
    var key: PublicKey?
  }

  private let folder: URL
  private var files: [String: File] = [:]
  private(set) var names: [PublicKey: [String]] = [:]
  private var stamp: Stamp?
  private var isFresh = false
  private var isLost = false
  private var lastLook: ContinuousClock.Instant?
  private var lastRead: ContinuousClock.Instant?
  /// How often the folder was read; for tests.
  private(set) var reads = 0

  init(folder: URL) { self.folder = folder }

  func admits(_ key: PublicKey) -> Bool { names[key] != nil }

  /// Looks whether the folder has changed, and reads it if so.
  ///
  /// - Parameter isHandshake: at once, so that a key that was admitted a moment ago gets in.
  func look(now: ContinuousClock.Instant, isHandshake: Bool = false) -> [Change] {
    if !isHandshake, let last = lastLook, now - last < Self.interval { return [] }
    lastLook = now
    var info = stat()
    guard stat(folder.path, &info) == 0 else {
      // Before the first key is admitted there is no folder, and nobody gets in.
      if stamp == nil && errno == ENOENT { return [] }
      return keep(String(cString: strerror(errno)))
    }
    let age = lastRead.map { now - $0 } ?? .seconds(86_400)
    let isDue = stamp != Stamp(info) || isLost || age > Self.sweep || (isFresh && age > .seconds(Self.clockTick))
    guard isDue, age > .milliseconds(10) else { return [] }
    return read(Stamp(info), now: now)
  }

  private func keep(_ error: String) -> [Change] {
    defer { isLost = true }
    return isLost ? [] : [.notice(.allowListKept(folder: folder.path, error: error, keys: names.count))]
  }

  private func read(_ newStamp: Stamp, now: ContinuousClock.Instant) -> [Change] {
    lastRead = now
    reads += 1
    let entries: [String]
    do {
      entries = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    } catch {
      return keep((error as NSError).localizedDescription)
    }
    let time = Date().timeIntervalSince1970
    var changes: [Change] = []
    var found: [String: File] = [:]
    isFresh = newStamp.isFresh(time)
    for name in entries where name.hasSuffix(".public") {
      let (file, change) = look(atFile: name)
      found[name] = file
      if let change { changes.append(change) }
      if let file, file.stamp.isFresh(time) { isFresh = true }
    }
    let before = names
    files = found
    names = Self.names(of: found)
    stamp = newStamp
    if isLost {
      isLost = false
      changes.append(.notice(.allowListBack(folder: folder.path, keys: names.count)))
    }
    for (key, old) in before where names[key] == nil { changes.append(.revoked(key, names: old)) }
    return changes
  }

  /// What stands in one file; a file that cannot be read keeps the key that it had.
  private func look(atFile name: String) -> (File?, Change?) {
    let path = folder.appendingPathComponent(name).path
    let old = files[name]
    var info = stat()
    guard stat(path, &info) == 0 else {
      if errno == ENOENT { return (nil, nil) }
      return (old, .notice(.notAKey(file: path, why: String(cString: strerror(errno)))))
    }
    let stamp = Stamp(info)
    if let old, old.stamp == stamp, !stamp.isFresh(Date().timeIntervalSince1970) { return (old, nil) }
    // A pipe or a device must not hold up the socket's thread.
    guard info.st_mode & S_IFMT == S_IFREG, info.st_size <= Self.largestFile else {
      return (File(stamp: stamp), .notice(.notAKey(file: path, why: "it is no file of a key")))
    }
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
      let why = "it cannot be read" + (old?.key == nil ? "" : "; the key that it had stays admitted")
      return (old, old?.stamp == stamp ? nil : .notice(.notAKey(file: path, why: why)))
    }
    // A half-edited file must neither open nor stop the door.
    guard let key = try? PublicKey(text) else {
      let isKnown = old?.stamp == stamp
      return (File(stamp: stamp), isKnown ? nil : .notice(.notAKey(file: path, why: "it holds no CURVE public key")))
    }
    return (File(stamp: stamp, key: key), nil)
  }

  private static func names(of files: [String: File]) -> [PublicKey: [String]] {
    var names: [PublicKey: [String]] = [:]
    for (name, file) in files { if let key = file.key { names[key, default: []].append(String(name.dropLast(7))) } }
    return names.mapValues { $0.sorted() }
  }
}
