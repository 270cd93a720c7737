import Foundation

/// A file that appears under its name only when it is complete: written beside it, synced, renamed, folder synced.
struct AtomicFile {
  private let target: URL
  private let temporary: URL
  private let descriptor: Int32

  /// Starts a new file that will replace `target`.
  init(_ target: URL) throws {
    self.target = target
    // Six X: the part of the name that mkstemp replaces.
    var template = Array((target.path + ".XXXXXX").utf8CString)
    descriptor = mkstemp(&template)
    guard descriptor >= 0 else { throw Self.failure("cannot create", target) }
    temporary = URL(fileURLWithPath: String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self))
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    fchmod(descriptor, 0o644)
  }

  /// Appends bytes.
  func write(_ bytes: UnsafeRawBufferPointer) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let piece = UnsafeRawBufferPointer(rebasing: rest)
      let written = systemWrite(descriptor, piece.baseAddress, min(piece.count, 1 << 30))
      if written < 0 {
        if errno == EINTR { continue }
        throw Self.failure("cannot write", target)
      }
      rest = rest.dropFirst(written)
    }
  }

  /// Makes the file durable and gives it its name.
  func commit() throws {
    guard fsync(descriptor) == 0 else { throw Self.failure("cannot sync", target) }
    close(descriptor)
    guard rename(temporary.path, target.path) == 0 else { throw Self.failure("cannot rename to", target) }
    let folder = open(target.deletingLastPathComponent().path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if folder >= 0 {
      fsync(folder)
      close(folder)
    }
  }

  /// Removes what was written so far.
  func discard() {
    close(descriptor)
    unlink(temporary.path)
  }

  /// Writes a whole file through `body`; on an error nothing is left behind.
  static func write(_ target: URL, _ body: (AtomicFile) throws -> Void) throws {
    let file = try AtomicFile(target)
    do { try body(file) } catch {
      file.discard()
      throw error
    }
    try file.commit()
  }

  /// Writes a text file.
  static func write(_ text: String, to target: URL) throws {
    var text = text
    try write(target) { file in try text.withUTF8 { try file.write(UnsafeRawBufferPointer($0)) } }
  }

  private static func failure(_ what: String, _ url: URL) -> ModelFileError {
    ModelFileError(.unwritable, "\(what) the file: \(String(cString: strerror(errno)))", file: url.path)
  }
}

/// write(2), out of reach of the type's own `write`.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
  write(descriptor, bytes, count)
}
