import Experiment
import Foundation

/// Lines of a file or of standard input as raw bytes, handed on as they come, and answers written in blocks.
package struct ByteLines {
  /// As the user wrote it; - is standard input.
  package let path: String

  package init(path: String) { self.path = path }

  /// What messages call it.
  package var place: String { path == "-" ? "standard input" : path }

  /// Calls `body` for every line that is not blank; what it appends to the output is written when no input is waiting.
  ///
  /// - Parameters:
  ///   - atPause: called when no more input is waiting, for answers to several lines at once.
  ///   - body: the line without its end, its number from 1, the output.
  package func answer(
    atPause: (inout [UInt8]) throws -> Void = { _ in },
    _ body: (UnsafeBufferPointer<UInt8>, Int, inout [UInt8]) throws -> Void
  ) throws {
    let descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY)
    guard descriptor >= 0 else { throw unreadable }
    defer { if path != "-" { close(descriptor) } }
    var output: [UInt8] = []
    // What was answered before an error is printed all the same.
    defer { Self.write(&output) }
    var pending: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 18)
    var number = 0
    while true {
      let count = chunk.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
      if count < 0 {
        if errno == EINTR { continue }
        throw unreadable
      }
      if count == 0 { break }
      try chunk[0..<count].withUnsafeBufferPointer { bytes in
        guard let base = bytes.baseAddress else { return }
        var start = 0
        while start < bytes.count, let found = memchr(base + start, 0x0A, bytes.count - start) {
          let end = UnsafeRawPointer(found) - UnsafeRawPointer(base)
          number += 1
          let line = UnsafeBufferPointer(rebasing: bytes[start..<end])
          if pending.isEmpty {
            try Self.call(line, number, &output, body)
          } else {
            pending += line
            try pending.withUnsafeBufferPointer { try Self.call($0, number, &output, body) }
            pending.removeAll(keepingCapacity: true)
          }
          start = end + 1
        }
        pending += bytes[start...]
      }
      try atPause(&output)
      Self.write(&output)
    }
    guard !pending.isEmpty else { return }
    try pending.withUnsafeBufferPointer { try Self.call($0, number + 1, &output, body) }
    try atPause(&output)
  }

  private var unreadable: CommandError {
    CommandError(.notFound, "\(place): cannot be read. Check the path and its permissions")
  }

  private static func call(
    _ line: UnsafeBufferPointer<UInt8>, _ number: Int, _ output: inout [UInt8],
    _ body: (UnsafeBufferPointer<UInt8>, Int, inout [UInt8]) throws -> Void
  ) throws {
    if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { return }
    try body(line, number, &output)
  }

  private static func write(_ output: inout [UInt8]) {
    Terminal.write(output)
    output.removeAll(keepingCapacity: true)
  }
}
