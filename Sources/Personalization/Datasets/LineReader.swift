import Foundation
import LanguageModel

/// Reads a text file line by line in constant memory.
///
/// Lines end at `\n` (a `\r` before it is dropped); the last one need not be terminated. A byte-order mark at the start
/// is dropped.
struct LineReader {
  /// One line is held in memory; a longer one is refused rather than let grow without bound.
  static let maximumLineLength = 64 << 20
  private static let chunk = 1 << 20

  let path: String
  /// Number of the line that was returned last, counted from 1.
  private(set) var line = 0
  private let handle: FileHandle
  private var buffer = Data()
  private var position = 0
  private var finished = false

  /// Opens `url`; throws `DatasetError.unreadable`.
  init(_ url: URL) throws {
    path = url.path
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw DatasetError(.unreadable, "there is no such file; check the path", path: path)
    }
    guard !isFolder.boolValue else {
      throw DatasetError(.unreadable, "this is a folder; name the JSONL file in it", path: path)
    }
    do {
      handle = try FileHandle(forReadingFrom: url)
    } catch {
      throw DatasetError(.unreadable, "can not be opened (\(FileProblem.reason(error))); check its rights", path: path)
    }
  }

  /// The next line without its end, or nil after the last one.
  mutating func next() throws -> Data? {
    while true {
      if let end = buffer[(buffer.startIndex + position)...].firstIndex(of: UInt8(ascii: "\n")) {
        let start = buffer.startIndex + position
        position = end + 1 - buffer.startIndex
        return take(buffer[start..<end])
      }
      if finished {
        let start = buffer.startIndex + position
        guard start < buffer.endIndex else { return nil }
        position = buffer.count
        return take(buffer[start...])
      }
      try fill()
    }
  }

  private mutating func fill() throws {
    buffer = Data(buffer[(buffer.startIndex + position)...])
    position = 0
    guard buffer.count <= Self.maximumLineLength else {
      throw DatasetError(
        .malformed, "the line is longer than \(Self.maximumLineLength >> 20) MiB; is this a JSONL file?", path: path,
        line: line + 1)
    }
    let more: Data?
    do {
      more = try handle.read(upToCount: Self.chunk)
    } catch {
      throw DatasetError(.unreadable, "reading failed: \(FileProblem.reason(error))", path: path, line: line + 1)
    }
    if let more, !more.isEmpty { buffer.append(more) } else { finished = true }
  }

  private mutating func take(_ slice: Data) -> Data {
    line += 1
    var bytes = slice
    if bytes.last == UInt8(ascii: "\r") { bytes = bytes.dropLast() }
    if line == 1, bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = bytes.dropFirst(3) }
    return Data(bytes)
  }
}
