import CZeroMQ

/// A CURVE key as text: 40 characters of Z85 for 32 bytes.
package struct PublicKey: Hashable, Sendable, CustomStringConvertible {
  /// The 40 characters.
  package let text: String

  /// - Throws: ``TransportError`` `badKey`.
  package init(_ text: String) throws {
    let trimmed = text.filter { !$0.isWhitespace }
    guard CurveKey.bytes(trimmed) != nil else {
      throw TransportError(.badKey, "not a CURVE public key: expected 40 characters of Z85")
    }
    self.text = trimmed
  }

  /// The key with these 32 bytes.
  init?(bytes: [UInt8]) {
    guard let text = CurveKey.text(bytes) else { return nil }
    self.text = text
  }

  /// A short name for logs: the first 10 characters.
  package var fingerprint: String { String(text.prefix(10)) }
  package var description: String { text }
}

/// A CURVE key pair.
///
/// The secret never appears in descriptions.
package struct KeyPair: Sendable, CustomStringConvertible {
  package let publicKey: PublicKey
  /// The secret key in Z85.
  package let secret: String

  init(publicKey: PublicKey, secret: String) throws {
    guard CurveKey.bytes(secret) != nil else {
      throw TransportError(.badKey, "not a CURVE secret key: expected 40 characters of Z85")
    }
    self.publicKey = publicKey
    self.secret = secret
  }

  /// A new pair from the system's randomness.
  package static func generate() throws -> KeyPair {
    var publicText = [CChar](repeating: 0, count: 41)
    var secretText = [CChar](repeating: 0, count: 41)
    guard zmq_curve_keypair(&publicText, &secretText) == 0 else {
      throw TransportError(.libraryTooOld, "this libzmq was built without CURVE; install libzmq5 with libsodium")
    }
    return try KeyPair(publicKey: PublicKey(CurveKey.string(publicText)), secret: CurveKey.string(secretText))
  }

  /// The pair of a secret key; the public half is computed.
  static func from(secret: String) throws -> KeyPair {
    let trimmed = secret.filter { !$0.isWhitespace }
    var publicText = [CChar](repeating: 0, count: 41)
    guard CurveKey.bytes(trimmed) != nil, zmq_curve_public(&publicText, trimmed) == 0 else {
      throw TransportError(.badKey, "not a CURVE secret key: expected 40 characters of Z85")
    }
    return try KeyPair(publicKey: PublicKey(CurveKey.string(publicText)), secret: trimmed)
  }

  package var description: String { "key pair \(publicKey.fingerprint)…" }
}

/// Z85 to bytes and back.
package enum CurveKey {
  package static func bytes(_ text: String) -> [UInt8]? {
    guard text.utf8.count == 40 else { return nil }
    var bytes = [UInt8](repeating: 0, count: 32)
    return zmq_z85_decode(&bytes, text) == nil ? nil : bytes
  }

  static func text(_ bytes: [UInt8]) -> String? {
    guard bytes.count == 32 else { return nil }
    var text = [CChar](repeating: 0, count: 41)
    return zmq_z85_encode(&text, bytes, bytes.count) == nil ? nil : string(text)
  }

  static func string(_ characters: [CChar]) -> String {
    String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
