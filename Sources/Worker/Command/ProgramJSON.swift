import Foundation
import Foundations
import WireProtocol

/// JSON as programs print it.
///
/// Beside strict JSON it takes what Python's `json.dumps` and others write for numbers that are not finite (`NaN`,
/// `Infinity`, `-Infinity`, `inf`), numbers beyond the range of a double, bytes that are no UTF-8 and half surrogate pairs.
/// The first two are read as null (not finite), the last two as U+FFFD.
enum ProgramJSON {
  /// Why a line cannot be read, in words for people.
  struct Failure: Error { var reason: String }

  /// Reads one JSON text.
  static func parse(_ line: [UInt8]) throws(Failure) -> JSONValue {
    var reader = Rewriter(bytes: Array(String(decoding: line, as: UTF8.self).utf8))
    reader.run()
    if let name = reader.doubledName { throw Failure(reason: "the name \"\(name.printable(limit: 60))\" stands twice") }
    do throws(WireError) {
      return try JSONValue(parsing: reader.result, limits: limits(line.count))
    } catch {
      throw Failure(reason: error.message)
    }
  }

  /// Whether a word stands for a number that is not finite.
  static func isNotFinite(_ word: String) -> Bool {
    let text = word.lowercased()
    let bare = text.first == "-" || text.first == "+" ? String(text.dropFirst()) : text
    return ["nan", "inf", "infinity"].contains(bare)
  }

  /// Far wider than the wire's: only the values that are kept have to fit there.
  private static func limits(_ bytes: Int) -> WireLimits {
    var limits = WireLimits()
    limits.frameBytes = max(CommandOutput.resultBytes, bytes) * 6
    limits.stringBytes = limits.frameBytes
    limits.nameBytes = limits.frameBytes
    limits.elements = 1 << 16
    limits.depth = 64
    return limits
  }

  /// Rewrites a text into strict JSON, as far as it differs in the ways named above.
  private struct Rewriter {
    let bytes: [UInt8]
    var result: [UInt8] = []
    /// A name that stands twice in one object.
    var doubledName: String?
    private var position = 0
    private var names: [Set<String>] = []

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func run() {
      result.reserveCapacity(bytes.count)
      while position < bytes.count {
        let byte = bytes[position]
        switch byte {
        case UInt8(ascii: "\""): string()
        case UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "0")...UInt8(ascii: "9"),
          UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"):
          word()
        default:
          if byte == UInt8(ascii: "{") { names.append([]) }
          if byte == UInt8(ascii: "}"), !names.isEmpty { names.removeLast() }
          result.append(byte)
          position += 1
        }
      }
    }

    /// A number or literal.
    private mutating func word() {
      let start = position
      while position < bytes.count, Self.isWord(bytes[position]) { position += 1 }
      let text = String(decoding: bytes[start..<position], as: UTF8.self)
      let isTooLarge = (bytes[start] < UInt8(ascii: "A")) && Double(text).map { !$0.isFinite } == true
      result += isTooLarge || ProgramJSON.isNotFinite(text) ? Array("null".utf8) : Array(text.utf8)
    }

    private static func isWord(_ byte: UInt8) -> Bool {
      switch byte {
      case UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"):
        true
      default: false
      }
    }

    private mutating func string() {
      let start = result.count
      result.append(bytes[position])
      position += 1
      while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
        if bytes[position] == UInt8(ascii: "\\") {
          escape()
        } else {
          result.append(bytes[position])
          position += 1
        }
      }
      guard position < bytes.count else { return }
      result.append(bytes[position])
      position += 1
      note(name: result[(start + 1)..<(result.count - 1)])
    }

    /// Remembers a string that is a name, since the reader itself does not say which one stands twice.
    private mutating func note(name: ArraySlice<UInt8>) {
      guard let next = bytes[position...].first(where: { $0 > 0x20 }), next == UInt8(ascii: ":"), !names.isEmpty else {
        return
      }
      let text = String(decoding: name, as: UTF8.self)
      if !names[names.count - 1].insert(text).inserted { doubledName = doubledName ?? text }
    }

    private mutating func escape() {
      guard let code = code(at: position) else {
        result += bytes[position..<min(position + 2, bytes.count)]
        position = min(position + 2, bytes.count)
        return
      }
      let isPair =
        (0xD800..<0xDC00).contains(code) && self.code(at: position + 6).map { (0xDC00..<0xE000).contains($0) } == true
      let length = isPair ? 12 : 6
      let isHalf = !isPair && (0xD800..<0xE000).contains(code)
      result += isHalf ? Array("\\ufffd".utf8) : Array(bytes[position..<(position + length)])
      position += length
    }

    /// The code of `\uXXXX` at a position.
    private func code(at index: Int) -> UInt32? {
      guard index + 6 <= bytes.count, bytes[index] == UInt8(ascii: "\\"), bytes[index + 1] == UInt8(ascii: "u") else {
        return nil
      }
      return UInt32(String(decoding: bytes[(index + 2)..<(index + 6)], as: UTF8.self), radix: 16)
    }

  }
}
