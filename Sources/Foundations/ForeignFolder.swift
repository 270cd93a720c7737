import Foundation

/// A folder that somebody else may have made, read without following a link anywhere in it.
///
/// Every entry is opened relative to its folder, never waited for (a FIFO), and must be what is expected.
package final class ForeignFolder: Sendable {
  /// Where it is, for messages.
  package let path: String
  private let descriptor: Int32

  /// Opens the folder that the user named; links on the way to it are the user's choice.
  ///
  /// - Throws: ``FileError``.
  package init(_ url: URL) throws {
    path = url.path
    descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileError("cannot open the folder", path) }
  }

  private init(descriptor: Int32, path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  deinit { close(descriptor) }

  /// What an entry is.
  package enum Kind: Sendable, Hashable {
    case file(bytes: Int)
    case folder
    /// A link, FIFO, socket or device, in words.
    case other(String)
  }

  /// What `name` is; nil where there is no such entry.
  package func kind(_ name: String) throws -> Kind? {
    var status = stat()
    guard fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
      if errno == ENOENT { return nil }
      throw FileError("cannot look at", place(name))
    }
    return Self.kind(status)
  }

  /// The folder `name` in it; nil where there is none.
  ///
  /// - Throws: ``FileError``, also where it is anything else, such as a link.
  package func folder(_ name: String) throws -> ForeignFolder? {
    guard let kind = try kind(name) else { return nil }
    guard case .folder = kind else { throw refusal(name, kind, "a folder") }
    let found = openat(descriptor, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard found >= 0 else { throw FileError("cannot open the folder", place(name)) }
    return ForeignFolder(descriptor: found, path: place(name))
  }

  /// Names of its entries, sorted.
  package func names() throws -> [String] {
    let copy = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard copy >= 0, let stream = fdopendir(copy) else { throw FileError("cannot list", path) }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Throws unless `name` is a regular file or not there.
  package func requireFile(_ name: String) throws {
    guard let kind = try kind(name) else { return }
    guard case .file = kind else { throw refusal(name, kind, "a regular file") }
  }

  /// Copies the regular file `name` to `target`, which becomes private; nothing is left behind on an error.
  ///
  /// - Parameters:
  ///   - limit: the largest number of bytes that is copied; a longer file is refused.
  ///   - check: sees every piece as it is copied.
  /// - Returns: the bytes copied; nil where there is no such file.
  /// - Throws: ``FileError``, and what `check` throws.
  @discardableResult
  package func copy(
    _ name: String, to target: URL, limit: Int, check: (UnsafeRawBufferPointer) throws -> Void = { _ in }
  ) throws -> Int? {
    // Without waiting: a FIFO would hold the opening until somebody writes into it.
    let source = openat(descriptor, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard source >= 0 else {
      let error = FileError("cannot open", place(name))
      if error.errorNumber == ENOENT { return nil }
      if let kind = try kind(name), case .other = kind { throw refusal(name, kind, "a regular file") }
      throw error
    }
    defer { close(source) }
    var status = stat()
    guard fstat(source, &status) == 0 else { throw FileError("cannot look at", place(name)) }
    guard case .file = Self.kind(status) else { throw refusal(name, Self.kind(status), "a regular file") }
    var total = 0
    try AtomicFile.write(target) { file in
      var buffer = [UInt8](repeating: 0, count: 1 << 20)
      while true {
        let count = read(source, &buffer, buffer.count)
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else { throw FileError("cannot read", place(name)) }
        if count == 0 { break }
        total += count
        guard total <= limit else {
          throw FileError("cannot take", place(name), reason: "it has more than the \(limit) bytes that are allowed")
        }
        try buffer.withUnsafeBytes { bytes in
          let piece = UnsafeRawBufferPointer(rebasing: bytes.prefix(count))
          try check(piece)
          try file.write(piece)
        }
      }
    }
    return total
  }

  private func place(_ name: String) -> String { "\(path)/\(name)" }

  private func refusal(_ name: String, _ kind: Kind, _ expected: String) -> FileError {
    let found =
      switch kind {
      case .file: "a regular file"
      case .folder: "a folder"
      case .other(let words): words
      }
    return FileError("cannot take", place(name), reason: "it is \(found), not \(expected)")
  }

  private static func kind(_ status: stat) -> Kind {
    switch status.st_mode & S_IFMT {
    case S_IFREG: .file(bytes: Int(status.st_size))
    case S_IFDIR: .folder
    case S_IFLNK: .other("a link")
    case S_IFIFO: .other("a FIFO")
    case S_IFSOCK: .other("a socket")
    default: .other("a device")
    }
  }
}
