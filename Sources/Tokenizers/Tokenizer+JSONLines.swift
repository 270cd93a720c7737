import Foundation
import ModelFiles
import StrictJSON

extension Tokenizer {
  /// Appends the ids of the text in `line`, a JSON string, as a JSON array to `output`.
  ///
  /// The same ids as those of ``encode(_:addSpecialTokens:)``, without a Swift string on the way: reading and writing JSON
  /// would otherwise take several times as long as the tokens. Throws `ModelFileError` (`malformed`) where the line holds
  /// anything but one JSON string.
  package func encode(
    jsonString line: UnsafeBufferPointer<UInt8>, addSpecialTokens: Bool = true, into output: inout [UInt8]
  ) throws {
    var cache = pipeline.caches.take()
    defer { pipeline.caches.put(cache) }
    if let text = Self.plainText(line) {
      pipeline.encode(text, &cache)
    } else {
      let value = try naming(nil) { try JSONParser.parse(line) }
      guard case .string(var text) = value else {
        throw ModelFileError(.malformed, "expected a JSON string, found \(value.kind)")
      }
      text.withUTF8 { pipeline.encode($0, &cache) }
    }
    output.append(UInt8(ascii: "["))
    if addSpecialTokens { leadingSpecials.withUnsafeBufferPointer { Self.append($0, to: &output) } }
    Self.append(cache.output.elements, to: &output)
    if addSpecialTokens { trailingSpecials.withUnsafeBufferPointer { Self.append($0, to: &output) } }
    if output.last == UInt8(ascii: ",") { output.removeLast() }
    output.append(UInt8(ascii: "]"))
  }

  /// The text of the ids in `line`, a JSON array.
  ///
  /// Throws `ModelFileError`: `malformed` where the line holds anything but integers, `mismatch` for an id outside the
  /// vocabulary.
  package func decode(jsonIDs line: UnsafeBufferPointer<UInt8>, skipSpecialTokens: Bool = false) throws -> String {
    let value = try naming(nil) { try JSONParser.parse(line) }
    guard case .array(let items) = value else {
      throw ModelFileError(.malformed, "expected an array of token ids such as [15496, 995], found \(value.kind)")
    }
    let ids = try items.enumerated().map { index, item -> Int32 in
      guard let id = item.integerValue else {
        throw ModelFileError(.malformed, "item \(index) is \(item.shortText), not a token id")
      }
      guard let id = Int32(exactly: id) else {
        throw ModelFileError(.mismatch, "token id \(id) is outside the vocabulary of \(vocabularySize)")
      }
      return id
    }
    return try decode(ids, skipSpecialTokens: skipSpecialTokens)
  }

  /// The bytes between the quotes of a JSON string that needs no rewriting; nil where the full parser has to look.
  private static func plainText(_ line: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8>? {
    var end = line.count
    while end > 0, line[end - 1] == 0x20 || line[end - 1] == 0x0D || line[end - 1] == 0x09 { end -= 1 }
    guard end >= 2, line[0] == UInt8(ascii: "\""), line[end - 1] == UInt8(ascii: "\"") else { return nil }
    let text = UnsafeBufferPointer(rebasing: line[1..<(end - 1)])
    var isWide = false
    for byte in text {
      if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { return nil }
      if byte >= 0x80 { isWide = true }
    }
    if isWide, String(validating: text, as: UTF8.self) == nil { return nil }
    return text
  }

  /// Every id followed by a comma.
  private static func append(_ ids: UnsafeBufferPointer<Int32>, to output: inout [UInt8]) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 12 * ids.count + 1) { digits in
      var written = 0
      for id in ids {
        var value = UInt32(bitPattern: id)
        var divisor: UInt32 = 1
        while value / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
          digits[written] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / divisor)
          value %= divisor
          divisor /= 10
          written += 1
        }
        digits[written] = UInt8(ascii: ",")
        written += 1
      }
      output.append(contentsOf: UnsafeBufferPointer(rebasing: digits[0..<written]))
    }
  }
}
