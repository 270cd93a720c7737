import ModelFiles

/// Turns ids into text one by one; never gives half a character, and the pieces together equal the whole decoding.
///
/// Where the file's decoder looks at several tokens at once, all text comes at the end.
public struct StreamingDecoder: Sendable {
  private let decoder: TokenDecoder
  private let skipSpecialTokens: Bool
  /// Bytes that are not text yet: the start of a character, or a run of byte tokens.
  private var pending: [UInt8] = []
  /// Characters that the start of the text may still lose.
  private var strippable: Int
  private var isFirst = true
  /// Tokens that wait for the end, where the decoder needs all of them.
  private var waiting: [String] = []

  init(_ decoder: TokenDecoder, skipSpecialTokens: Bool) {
    self.decoder = decoder
    self.skipSpecialTokens = skipSpecialTokens
    strippable = decoder.stripStart
  }

  /// The text that becomes certain with `id`; often empty in the middle of a character.
  ///
  /// Throws `ModelFileError` (`mismatch`) for an id outside the vocabulary.
  public mutating func append(_ id: Int32) throws -> String {
    guard let token = decoder.token(id) else {
      throw ModelFileError(.mismatch, "token id \(id) is outside the vocabulary of \(decoder.count)")
    }
    if skipSpecialTokens, token.isSpecial { return "" }
    if decoder.chain != nil {
      waiting.append(String(decoding: token.bytes, as: UTF8.self))
      return ""
    }
    let bytes = isFirst ? token.firstBytes ?? token.bytes : token.bytes
    isFirst = false
    guard decoder.hasByteFallback else {
      pending += bytes
      return takeCompleteCharacters()
    }
    if let byte = token.fallbackByte {
      pending.append(byte)
      return ""
    }
    return strip(takeByteRun() + String(decoding: bytes, as: UTF8.self))
  }

  /// The rest, incomplete characters as U+FFFD; the decoder starts anew.
  public mutating func finish() -> String {
    let text: String
    if let chain = decoder.chain {
      text = chain.text(of: waiting)
      waiting.removeAll(keepingCapacity: true)
    } else if decoder.hasByteFallback {
      text = strip(takeByteRun())
    } else {
      text = String(decoding: pending, as: UTF8.self)
      pending.removeAll(keepingCapacity: true)
    }
    strippable = decoder.stripStart
    isFirst = true
    return text
  }

  /// A run of byte tokens is text if it is UTF-8 as a whole, else one U+FFFD per byte.
  private mutating func takeByteRun() -> String {
    guard !pending.isEmpty else { return "" }
    defer { pending.removeAll(keepingCapacity: true) }
    return String(validating: pending, as: UTF8.self) ?? String(repeating: "\u{FFFD}", count: pending.count)
  }

  private mutating func takeCompleteCharacters() -> String {
    let hold = Self.incompleteSuffix(pending)
    guard hold < pending.count else { return "" }
    let text = String(decoding: pending[..<(pending.count - hold)], as: UTF8.self)
    pending.removeFirst(pending.count - hold)
    return text
  }

  private mutating func strip(_ text: String) -> String {
    guard strippable > 0, !text.isEmpty else { return text }
    var scalars = text.unicodeScalars[...]
    while strippable > 0, let first = scalars.first {
      guard first == decoder.stripScalar else {
        strippable = 0
        break
      }
      scalars.removeFirst()
      strippable -= 1
    }
    return String(scalars)
  }

  /// How many bytes at the end may be the start of a character that goes on (0 to 3).
  private static func incompleteSuffix(_ bytes: [UInt8]) -> Int {
    var back = 1
    while back <= min(3, bytes.count) {
      let byte = bytes[bytes.count - back]
      if byte & 0xC0 == 0x80 {
        back += 1
        continue
      }
      let length: Int
      switch byte {
      case 0xC2...0xDF: length = 2
      case 0xE0...0xEF: length = 3
      case 0xF0...0xF4: length = 4
      default: return 0
      }
      guard length > back else { return 0 }
      // A second byte that cannot follow makes the sequence ill-formed at once.
      if back >= 2 {
        let second = bytes[bytes.count - back + 1]
        switch byte {
        case 0xE0 where second < 0xA0, 0xED where second > 0x9F, 0xF0 where second < 0x90, 0xF4 where second > 0x8F:
          return 0
        default: break
        }
      }
      return back
    }
    return 0
  }
}
