import Foundation
import Glibc
import LanguageModel

/// Folders that can be made again (a pretrained base), kept under a name that says what they were made from.
///
/// A folder appears whole or not at all; of two processes that want the same one, the second waits for the first.
package struct BuildCache: Sendable {
  package let root: URL

  /// `$XDG_CACHE_HOME/engram`, else `~/.cache/engram`.
  package static func standard(environment: [String: String] = ProcessInfo.processInfo.environment) -> BuildCache {
    if let path = environment["XDG_CACHE_HOME"], path.hasPrefix("/") {
      return BuildCache(root: URL(fileURLWithPath: path).appendingPathComponent("engram"))
    }
    let home = environment["HOME"].map { URL(fileURLWithPath: $0) } ?? FileManager.default.homeDirectoryForCurrentUser
    return BuildCache(root: home.appendingPathComponent(".cache/engram"))
  }

  package init(root: URL) { self.root = root }

  /// Where the folder of `kind` and `key` is or will be.
  package func url(kind: String, key: String) -> URL { root.appendingPathComponent(kind).appendingPathComponent(key) }

  /// Whether the folder is there already.
  package func contains(kind: String, key: String) -> Bool {
    FileManager.default.fileExists(atPath: url(kind: kind, key: key).path)
  }

  /// The folder of `kind` and `key`, made by `make` (given an empty folder) where it is missing.
  ///
  /// - Parameters:
  ///   - bytes: what the folder will take, asked of the disk before `make` begins its work. Default 0: not asked.
  ///   - waiting: called once when another process is making the same folder.
  ///   - isCancelled: asked a few times a second while waiting; true throws `TrialCancelled`.
  /// - Throws: what `make` throws, and `DatasetError.unwritable` where the cache can not be written.
  package func folder(
    kind: String, key: String, bytes: Int = 0, waiting: () -> Void = {}, isCancelled: () -> Bool = { false },
    make: (URL) throws -> Void
  ) throws -> URL {
    let target = url(kind: kind, key: key)
    if contains(kind: kind, key: key) { return target }
    let parent = root.appendingPathComponent(kind)
    try writing(parent) { try FileManager.default.createDirectory(at: parent, withIntermediateDirectories: true) }
    let lock = try FileLock(
      parent.appendingPathComponent(key + ".lock"), waiting: waiting, isCancelled: isCancelled)
    defer { lock.release() }
    if contains(kind: kind, key: key) { return target }
    // Whoever holds the lock is alone: what others left half-made is rubbish.
    let partial = parent.appendingPathComponent(key + ".partial")
    try writing(partial) {
      if FileManager.default.fileExists(atPath: partial.path) { try FileManager.default.removeItem(at: partial) }
      try FileManager.default.createDirectory(at: partial, withIntermediateDirectories: true)
    }
    do {
      try writing(partial) { try Self.reserve(bytes, in: partial) }
      try make(partial)
    } catch {
      try? FileManager.default.removeItem(at: partial)
      throw error
    }
    try writing(target) { try FileManager.default.moveItem(at: partial, to: target) }
    return target
  }

  private func writing(_ url: URL, _ body: () throws -> Void) throws {
    do {
      try body()
    } catch {
      throw DatasetError(
        .unwritable,
        "the cache cannot be written (\(FileProblem.reason(error))); \(FileProblem.remedy(FileProblem.systemCode(error))), or "
          + "set XDG_CACHE_HOME to a folder of yours", path: url.path)
    }
  }

  /// Finds out whether a folder has room for so many bytes, also under a quota: they are taken and given back.
  private static func reserve(_ bytes: Int, in folder: URL) throws {
    guard bytes > 0 else { return }
    var disk = statvfs()
    if statvfs(folder.path, &disk) == 0, UInt64(disk.f_bavail) * UInt64(disk.f_frsize) < UInt64(bytes) {
      throw POSIXError(.ENOSPC)
    }
    let path = folder.appendingPathComponent(".room").path
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    guard descriptor >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    defer {
      close(descriptor)
      unlink(path)
    }
    // Where the file system cannot reserve, writing itself will tell.
    let code = posix_fallocate(descriptor, 0, off_t(bytes))
    guard code == 0 || code == EOPNOTSUPP || code == EINVAL else {
      throw POSIXError(POSIXErrorCode(rawValue: code) ?? .EIO)
    }
  }
}

/// An advisory lock on a file, given up with the process that holds it.
struct FileLock {
  private let descriptor: Int32

  init(_ url: URL, waiting: () -> Void, isCancelled: () -> Bool) throws {
    descriptor = open(url.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw DatasetError(
        .unwritable, "can not be opened (\(String(cString: strerror(errno)))); set XDG_CACHE_HOME to a folder of yours",
        path: url.path)
    }
    var told = false
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      guard errno == EWOULDBLOCK || errno == EINTR else {
        let reason = String(cString: strerror(errno))
        close(descriptor)
        throw DatasetError(.unwritable, "can not be locked (\(reason))", path: url.path)
      }
      if !told {
        waiting()
        told = true
      }
      if isCancelled() {
        close(descriptor)
        throw TrialCancelled()
      }
      // `flock` can wait by itself, but not be cancelled, and nothing tells when a lock becomes free.
      usleep(100_000)
    }
  }

  func release() { close(descriptor) }
}
