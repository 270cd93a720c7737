import Foundation

/// A file that a command reads whole: by its path, or - for standard input; pipes and devices are read like files.
package struct InputFile {
  /// As the user wrote it.
  package let path: String
  package let data: Data

  /// Most bytes of such a file, 1 GiB.
  package static let largest = 1 << 30

  /// What messages call it.
  package var place: String { Self.place(path) }

  package static func place(_ path: String) -> String { path == "-" ? "standard input" : path }

  /// - Throws: `CommandError` that names the path and what is wrong with it.
  package init(_ path: String, largest: Int = InputFile.largest) throws {
    self.path = path
    let place = Self.place(path)
    let descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Self.error(place, errno) }
    defer { if path != "-" { close(descriptor) } }
    var bytes = Data()
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = chunk.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
      if count == 0 { break }
      if count < 0 {
        if errno == EINTR { continue }
        throw Self.error(place, errno)
      }
      bytes.append(contentsOf: chunk[..<count])
      guard bytes.count <= largest else {
        throw CommandError(.usage, "\(place): more than \(largest >> 20) MiB. Give a smaller file")
      }
    }
    guard !bytes.starts(with: [0xFF, 0xFE]), !bytes.starts(with: [0xFE, 0xFF]) else {
      throw CommandError(.usage, "\(place): UTF-16 text. Save it as UTF-8")
    }
    data = bytes
  }

  private static func error(_ place: String, _ number: Int32) -> CommandError {
    switch number {
    case ENOENT: CommandError(.notFound, "\(place): no such file. Check the path")
    case EISDIR: CommandError(.usage, "\(place): is a folder. Name a file in it")
    case EACCES: CommandError(.refused, "\(place): permission denied. Check the owner and mode")
    default:
      CommandError(.notFound, "\(place): cannot be read (\(String(cString: strerror(number)))). Check the path")
    }
  }

  /// The lines that are not blank, with their numbers from 1; a byte order mark is left out.
  package var lines: [(number: Int, text: Data)] {
    let content = data.starts(with: [0xEF, 0xBB, 0xBF]) ? data.dropFirst(3) : data[...]
    return content.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated().compactMap {
      index, line in
      line.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D } ? nil : (index + 1, Data(line))
    }
  }

  /// The content as text.
  ///
  /// - Throws: `CommandError` when it is not UTF-8.
  package func text() throws -> String {
    guard let text = String(data: data, encoding: .utf8) else {
      throw CommandError(.usage, "\(place): not UTF-8 text. Save it as UTF-8")
    }
    return text
  }
}
