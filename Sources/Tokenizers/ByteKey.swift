/// A token's UTF-8 bytes as a dictionary key.
///
/// Swift strings compare by canonical equivalence, tokens by bytes.
struct ByteKey: Hashable, Sendable {
  let bytes: [UInt8]

  init(_ bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }

  static func == (left: ByteKey, right: ByteKey) -> Bool { left.bytes == right.bytes }
  func hash(into hasher: inout Hasher) {
    bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
  }
}

/// GPT-2's bijection between bytes and printable characters, in which byte-level vocabularies are written.
enum ByteAlphabet {
  /// The character of each byte.
  static let scalars: [Unicode.Scalar] = {
    var scalars = [Unicode.Scalar](repeating: " ", count: 256)
    var next: UInt32 = 256
    for byte in 0..<256 {
      switch byte {
      case 33...126, 161...172, 174...255: scalars[byte] = Unicode.Scalar(UInt8(byte))
      default:
        scalars[byte] = Unicode.Scalar(next) ?? " "
        next += 1
      }
    }
    return scalars
  }()

  /// The byte of each character below U+0144, or nil.
  static let bytes: [UInt8?] = {
    var bytes = [UInt8?](repeating: nil, count: 324)
    for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar.value)] = UInt8(byte) }
    return bytes
  }()

  /// The byte that a character stands for, or nil.
  static func byte(_ scalar: Unicode.Scalar) -> UInt8? {
    scalar.value < UInt32(bytes.count) ? bytes[Int(scalar.value)] : nil
  }

  /// The bytes that a token stands for, or nil if it is not written in the alphabet.
  static func decode(_ token: String) -> [UInt8]? {
    var result: [UInt8] = []
    result.reserveCapacity(token.utf8.count)
    for scalar in token.unicodeScalars {
      guard let byte = byte(scalar) else { return nil }
      result.append(byte)
    }
    return result
  }

  /// Bytes written in the alphabet.
  static func encode(_ bytes: some Sequence<UInt8>) -> String {
    var text = String.UnicodeScalarView()
    for byte in bytes { text.append(scalars[Int(byte)]) }
    return String(text)
  }
}
