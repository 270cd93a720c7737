import Foundations

/// The steps of a `decoder` in general: each turns the list of tokens into another one.
struct DecoderChain: Sendable {
  enum Step: Sendable {
    case replace(from: [UInt8], to: [UInt8])
    case replacePattern(TextPattern, to: [UInt8])
    case byteFallback
    case fuse
    case strip(Unicode.Scalar, start: Int, stop: Int)
    case metaspace(marker: Unicode.Scalar, dropsFirst: Bool)
    case byteLevel
    /// The end-of-word mark becomes a space, and nothing in the last token.
    case suffix([UInt8])
    /// What happens without a decoder.
    case spaces
  }

  let steps: [Step]

  func text(of tokens: [String]) -> String {
    steps.reduce(tokens) { Self.apply($1, to: $0) }.joined()
  }

  private static func apply(_ step: Step, to tokens: [String]) -> [String] {
    switch step {
    case .replace(let from, let to):
      return tokens.map { replaced($0, by: to) { TextPattern.ranges(of: from, in: $0) } }
    case .replacePattern(let pattern, let to):
      return tokens.map {
        replaced($0, by: to) { bytes in
          var ranges: [Range<Int>] = []
          bytes.withUnsafeBufferPointer { pattern.matches(in: $0) { ranges.append($0) } }
          return ranges
        }
      }
    case .byteFallback: return byteFallback(tokens)
    case .fuse: return [tokens.joined()]
    case .strip(let scalar, let start, let stop): return tokens.map { strip($0, scalar, start, stop) }
    case .metaspace(let marker, let dropsFirst):
      return tokens.enumerated().map { index, token in
        let drops = index == 0 && dropsFirst
        var text = String.UnicodeScalarView()
        for scalar in token.unicodeScalars {
          if scalar != marker { text.append(scalar) } else if !drops { text.append(" ") }
        }
        return String(text)
      }
    case .byteLevel:
      let bytes = tokens.flatMap { ByteAlphabet.decode($0) ?? Array($0.utf8) }
      return [String(decoding: bytes, as: UTF8.self)]
    case .suffix(let suffix):
      return tokens.enumerated().map { index, token in
        replaced(token, by: index == tokens.count - 1 ? [] : [0x20]) { TextPattern.ranges(of: suffix, in: $0) }
      }
    case .spaces: return [tokens.joined(separator: " ")]
    }
  }

  private static func replaced(_ token: String, by text: [UInt8], _ find: ([UInt8]) -> [Range<Int>]) -> String {
    var piece = TextPiece(token.utf8)
    piece.replace(find(piece.bytes), by: text)
    return String(decoding: piece.bytes, as: UTF8.self)
  }

  /// The byte of a token written `<0x41>`.
  static func fallbackByte(_ bytes: some Collection<UInt8>) -> UInt8? {
    let bytes = Array(bytes)
    guard bytes.count == 6, bytes.starts(with: [0x3C, 0x30, 0x78]), bytes[5] == 0x3E,
      let high = hexadecimalDigit(bytes[3]), let low = hexadecimalDigit(bytes[4])
    else { return nil }
    return high << 4 | low
  }

  /// A run of byte tokens is text if it is UTF-8 as a whole, else one U+FFFD per byte.
  static func text(ofBytes bytes: [UInt8]) -> [String] {
    if bytes.isEmpty { return [] }
    if let text = String(validating: bytes, as: UTF8.self) { return [text] }
    return Array(repeating: "\u{FFFD}", count: bytes.count)
  }

  private static func byteFallback(_ tokens: [String]) -> [String] {
    var result: [String] = []
    var run: [UInt8] = []
    for token in tokens {
      if let byte = fallbackByte(token.utf8) {
        run.append(byte)
        continue
      }
      result += text(ofBytes: run) + [token]
      run = []
    }
    return result + text(ofBytes: run)
  }

  private static func strip(_ token: String, _ scalar: Unicode.Scalar, _ start: Int, _ stop: Int) -> String {
    var scalars = Array(token.unicodeScalars)[...]
    var left = start
    while left > 0, scalars.first == scalar {
      scalars.removeFirst()
      left -= 1
    }
    left = stop
    while left > 0, scalars.last == scalar {
      scalars.removeLast()
      left -= 1
    }
    return String(String.UnicodeScalarView(scalars))
  }
}
