import Foundation

/// Folders of personal data: for their owner only, whatever the umask.
package enum PrivateFolder {
  /// Makes the folder where it is missing; one that is there keeps its permissions.
  ///
  /// Folders above it are made as usual.
  ///
  /// - Throws: ``FileError``.
  package static func make(_ url: URL) throws {
    let path = url.path
    if mkdir(path, 0o700) == 0 { return }
    switch errno {
    case EEXIST:
      var isFolder: ObjCBool = false
      guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else {
        throw FileError("cannot make the folder", path, reason: "something else has that name")
      }
    case ENOENT:
      let parent = url.deletingLastPathComponent()
      guard parent.path != path else { throw FileError("cannot make the folder", path) }
      do {
        try FileManager.default.createDirectory(at: parent, withIntermediateDirectories: true)
      } catch {
        throw FileError("cannot make the folder", parent.path, reason: error.localizedDescription)
      }
      guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw FileError("cannot make the folder", path) }
    default: throw FileError("cannot make the folder", path)
    }
  }
}

/// A folder for work in progress beside where its result belongs: private, and removed with its owner.
///
/// It is locked while its owner lives. The kernel releases the lock with the process, so that what a killed process left
/// is known as such, and removed when the next one of the same purpose begins.
package final class ScratchFolder: Sendable {
  /// The folder: `.engram-PURPOSE-…` in the parent.
  package let url: URL
  private let descriptor: Int32

  /// Makes a new folder in `parent`, which is made where missing, and removes what killed processes left there.
  ///
  /// - Throws: ``FileError``.
  package init(in parent: URL, purpose: String) throws {
    do {
      try FileManager.default.createDirectory(at: parent, withIntermediateDirectories: true)
    } catch {
      throw FileError("cannot make the folder", parent.path, reason: error.localizedDescription)
    }
    Self.sweep(parent, purpose: purpose)
    // Between making and locking, somebody's sweep may take it for left over: then once more.
    for _ in 0..<5 {
      var template = Array(parent.appendingPathComponent(Self.prefix(purpose) + "XXXXXX").path.utf8CString)
      guard mkdtemp(&template) != nil else { throw FileError("cannot make a folder in", parent.path) }
      let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
      let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      guard descriptor >= 0 else { continue }
      var status = stat()
      if flock(descriptor, LOCK_EX | LOCK_NB) == 0, fstat(descriptor, &status) == 0, status.st_nlink > 0 {
        self.descriptor = descriptor
        url = URL(fileURLWithPath: path, isDirectory: true)
        return
      }
      close(descriptor)
    }
    throw FileError("cannot make a folder in", parent.path, reason: "another process removes it each time")
  }

  deinit {
    // What stays behind is removed by the next one.
    try? FileManager.default.removeItem(at: url)
    close(descriptor)
  }

  private static func prefix(_ purpose: String) -> String { ".engram-\(purpose)-" }

  /// Removes folders whose owners are gone; other users' are left alone.
  private static func sweep(_ parent: URL, purpose: String) {
    // A folder that cannot be listed has nothing to remove.
    for name in (try? FileManager.default.contentsOfDirectory(atPath: parent.path)) ?? []
    where name.hasPrefix(prefix(purpose)) {
      let path = parent.appendingPathComponent(name).path
      let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      guard descriptor >= 0 else { continue }
      defer { close(descriptor) }
      var status = stat()
      guard fstat(descriptor, &status) == 0, status.st_uid == geteuid(), flock(descriptor, LOCK_EX | LOCK_NB) == 0
      else { continue }
      // Left for the next sweep where it cannot be removed now.
      try? FileManager.default.removeItem(atPath: path)
    }
  }
}
