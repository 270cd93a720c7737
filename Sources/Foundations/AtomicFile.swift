import Foundation

/// A file that appears under its name only when it is complete: written beside it, synced, renamed, folder synced.
///
/// For its owner only unless asked otherwise: most of what is written here is about people.
package struct AtomicFile {
  /// Permissions of files and folders that hold personal data, whatever the umask.
  package static let privateMode: mode_t = 0o600

  private let target: URL
  private let temporary: String
  private let isDurable: Bool
  private let descriptor: Int32

  /// Starts a new file that will replace `target`.
  ///
  /// - Parameters:
  ///   - mode: permissions of the file, whatever the umask; nil leaves them to the umask, as for files that are meant for
  ///     others. Default: its owner may read and write it.
  ///   - isDurable: whether the file must outlive a loss of power. Default true; false for what can be made again.
  /// - Throws: ``FileError``.
  package init(_ target: URL, mode: mode_t? = Self.privateMode, isDurable: Bool = true) throws {
    self.target = target
    self.isDurable = isDurable
    temporary = "\(target.path).\(String(UInt64.random(in: 0...UInt64.max), radix: 36))"
    descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode ?? 0o666)
    guard descriptor >= 0 else { throw FileError("cannot create", target.path) }
    if let mode { fchmod(descriptor, mode) }
  }

  /// Appends bytes.
  package func write(_ bytes: UnsafeRawBufferPointer) throws {
    try writeAll(bytes, to: descriptor, path: target.path)
  }

  /// Appends data.
  package func write(_ data: Data) throws { try data.withUnsafeBytes { try write($0) } }

  /// Makes the file durable and gives it its name; on an error nothing is left behind.
  ///
  /// - Throws: ``FileError``. An error after the renaming (the folder cannot be synced) leaves the new file in place.
  package func commit() throws {
    guard !isDurable || fsync(descriptor) == 0 else {
      let error = FileError("cannot sync", target.path)
      discard()
      throw error
    }
    close(descriptor)
    guard rename(temporary, target.path) == 0 else {
      let error = FileError("cannot rename to", target.path)
      unlink(temporary)
      throw error
    }
    if isDurable { try syncFolder(target.deletingLastPathComponent()) }
  }

  /// Removes what was written so far.
  package func discard() {
    close(descriptor)
    unlink(temporary)
  }

  /// Writes a whole file through `body`; on an error nothing is left behind.
  package static func write(
    _ target: URL, mode: mode_t? = Self.privateMode, isDurable: Bool = true, _ body: (AtomicFile) throws -> Void
  ) throws {
    let file = try AtomicFile(target, mode: mode, isDurable: isDurable)
    do { try body(file) } catch {
      file.discard()
      throw error
    }
    try file.commit()
  }

  /// Writes a text file.
  package static func write(
    _ text: String, to target: URL, mode: mode_t? = Self.privateMode, isDurable: Bool = true
  ) throws {
    var text = text
    try write(target, mode: mode, isDurable: isDurable) { file in
      try text.withUTF8 { try file.write(UnsafeRawBufferPointer($0)) }
    }
  }

  /// Writes a file of bytes.
  package static func write(
    _ data: Data, to target: URL, mode: mode_t? = Self.privateMode, isDurable: Bool = true
  ) throws {
    try write(target, mode: mode, isDurable: isDurable) { try $0.write(data) }
  }
}

/// Makes names in a folder durable: a rename is lost with the power until its folder is synced.
///
/// A file system that cannot sync folders is no error; one that fails to is.
///
/// - Throws: ``FileError``.
package func syncFolder(_ folder: URL) throws {
  let descriptor = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  // A folder that may be written but not read can still be renamed in.
  guard descriptor >= 0 else { return }
  defer { close(descriptor) }
  if fsync(descriptor) != 0, errno != EINVAL, errno != EROFS { throw FileError("cannot sync", folder.path) }
}

/// Writes all bytes, however many calls that takes.
///
/// - Throws: ``FileError``.
package func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, path: String) throws {
  var rest = bytes[...]
  while !rest.isEmpty {
    let piece = UnsafeRawBufferPointer(rebasing: rest)
    let written = write(descriptor, piece.baseAddress, min(piece.count, 1 << 30))
    if written < 0 {
      if errno == EINTR { continue }
      throw FileError("cannot write", path)
    }
    rest = rest.dropFirst(written)
  }
}
