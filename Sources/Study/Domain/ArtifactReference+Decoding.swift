import Foundations

/// An artifact's digest becomes a file's name, and its name may be shown: what comes from a file or another machine is
/// checked before anything is done with it.
extension ArtifactReference {
  private enum CodingKeys: String, CodingKey { case name, sha256, bytes }

  /// Largest size that a reference may state, in bytes: every program reads it exactly.
  package static let largestBytes: Int64 = 1 << 53

  /// Whether `text` is a SHA-256 as this program writes it: 64 lower-case hexadecimal digits.
  package static func isDigest(_ text: String) -> Bool {
    text.isSHA256
  }

  /// Whether `name` is letters, digits, '.', '_' and '-' only, at most 128 of them, the first no '.'.
  package static func isName(_ name: String) -> Bool {
    (1...128).contains(name.utf8.count) && !name.hasPrefix(".")
      && name.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
          true
        default: false
        }
      }
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    name = try container.decode(String.self, forKey: .name)
    sha256 = try container.decode(String.self, forKey: .sha256)
    bytes = try container.decode(Int64.self, forKey: .bytes)
    guard Self.isDigest(sha256) else {
      throw DecodingError.dataCorruptedError(
        forKey: .sha256, in: container, debugDescription: "an artifact's digest has 64 lower-case hexadecimal digits")
    }
    guard Self.isName(name) else {
      throw DecodingError.dataCorruptedError(
        forKey: .name, in: container,
        debugDescription: "an artifact's name has letters, digits, '.', '_' and '-' only")
    }
    guard (0...Self.largestBytes).contains(bytes) else {
      throw DecodingError.dataCorruptedError(
        forKey: .bytes, in: container, debugDescription: "an artifact has from 0 to \(Self.largestBytes) bytes")
    }
  }
}
