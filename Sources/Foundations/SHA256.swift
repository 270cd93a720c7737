import CDigest
import Foundation

/// SHA-256 (FIPS 180-4) of bytes that come in pieces.
package struct SHA256: Sendable {
  private var state = crypto_hash_sha256_state()
  private let isPortable: Bool

  /// A digest of nothing so far.
  ///
  /// - Parameter isPortable: whether to do without the processor's SHA instructions: the reference that tests compare with.
  package init(isPortable: Bool = false) {
    self.isPortable = isPortable
    crypto_hash_sha256_init(&state)
  }

  /// Adds bytes.
  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    guard let start = bytes.baseAddress else { return }
    engram_sha256_update(&state, start.assumingMemoryBound(to: UInt8.self), bytes.count, isPortable ? 1 : 0)
  }

  /// Adds data or an array of bytes.
  package mutating func update(_ bytes: some ContiguousBytes) { bytes.withUnsafeBytes { update($0) } }

  /// Adds a text in UTF-8.
  package mutating func update(_ text: String) {
    var text = text
    text.withUTF8 { update(UnsafeRawBufferPointer($0)) }
  }

  /// The 32 bytes of the digest of all that was added so far; more may be added afterwards.
  package var digest: [UInt8] {
    var state = state
    var digest = [UInt8](repeating: 0, count: 32)
    crypto_hash_sha256_final(&state, &digest)
    return digest
  }

  /// The digest in 64 lower-case hexadecimal digits.
  package var hex: String { digest.hexadecimal }

  /// The digest of `bytes` in 64 lower-case hexadecimal digits.
  package static func hex(of bytes: some ContiguousBytes) -> String {
    var hash = SHA256()
    hash.update(bytes)
    return hash.hex
  }
}

extension Sequence<UInt8> {
  /// Two lower-case hexadecimal digits a byte.
  package var hexadecimal: String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}

extension StringProtocol {
  /// Whether the text is a digest as it is written here: 64 lower-case hexadecimal digits.
  package var isSHA256: Bool {
    utf8.count == 64
      && utf8.allSatisfy { (0x30...0x39).contains($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0) }
  }
}

/// The value of a hexadecimal digit of either case, or nil.
package func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
  switch byte {
  case 0x30...0x39: byte - 0x30
  case 0x41...0x46: byte - 0x41 + 10
  case 0x61...0x66: byte - 0x61 + 10
  default: nil
  }
}
