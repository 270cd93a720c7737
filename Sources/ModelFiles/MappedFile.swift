import Foundation

/// A regular file mapped read-only into memory; unmapped when the last reference goes.
///
/// Pages are read on first use and shared with other processes. The file must not be shortened while it is mapped
/// (replace files by rename, as every writer here does).
package final class MappedFile: @unchecked Sendable {
  // Sendable: the mapping is private, read-only and lives exactly as long as the object.

  /// The file's bytes; valid while this object lives.
  package let bytes: UnsafeRawBufferPointer
  package let url: URL
  /// Size, modification time and inode: changes when the file is replaced or rewritten.
  package let identity: String

  /// Maps the file at `url`.
  ///
  /// Throws ``ModelFileError`` (`unreadable`) unless it is a readable regular file.
  package init(_ url: URL) throws {
    self.url = url
    // Without O_NONBLOCK, opening a named pipe waits for a writer that may never come.
    let descriptor = open(url.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw ModelFileError(.unreadable, "cannot open: \(String(cString: strerror(errno)))", file: url.path)
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw ModelFileError(.unreadable, "cannot look at: \(String(cString: strerror(errno)))", file: url.path)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw ModelFileError(
        .unreadable, "is \(Self.kind(status.st_mode)), expected a regular file", file: url.path)
    }
    let size = Int(status.st_size)
    let time = status.st_mtim
    identity = "\(size)-\(status.st_ino)-\(time.tv_sec).\(time.tv_nsec)"
    guard size > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
      throw ModelFileError(.unreadable, "cannot map: \(String(cString: strerror(errno)))", file: url.path)
    }
    bytes = UnsafeRawBufferPointer(start: start, count: size)
  }

  /// The same for a file of at most `limit` bytes.
  ///
  /// Throws ``ModelFileError`` (`tooLarge`) for a larger one.
  package convenience init(_ url: URL, limit: Int) throws {
    try self.init(url)
    guard bytes.count <= limit else {
      throw ModelFileError(.tooLarge, "the file has \(bytes.count) bytes, the limit is \(limit)", file: url.path)
    }
  }

  private static func kind(_ mode: mode_t) -> String {
    switch mode & S_IFMT {
    case S_IFDIR: "a folder"
    case S_IFIFO: "a named pipe"
    case S_IFSOCK: "a socket"
    case S_IFCHR, S_IFBLK: "a device"
    default: "something else"
    }
  }

  /// A private copy of `data` in memory that behaves like a file without a name.
  package init(copying data: Data) throws {
    url = URL(fileURLWithPath: "/dev/null")
    identity = "memory"
    guard !data.isEmpty else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    let flags = MAP_PRIVATE | MAP_ANONYMOUS
    guard let start = mmap(nil, data.count, PROT_READ | PROT_WRITE, flags, -1, 0), start != MAP_FAILED else {
      throw ModelFileError(.unreadable, "cannot get \(data.count) bytes of memory")
    }
    data.withUnsafeBytes { if let source = $0.baseAddress { start.copyMemory(from: source, byteCount: $0.count) } }
    bytes = UnsafeRawBufferPointer(start: start, count: data.count)
  }

  deinit {
    if let start = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: start), bytes.count) }
  }
}
