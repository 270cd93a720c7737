/// The bytes of every token, prepared by the rules of the file's decoder.
struct TokenDecoder: Sendable {
  struct Token: Sendable {
    /// The token as written in the file.
    var written: String
    /// What it contributes to the text.
    var bytes: [UInt8]
    /// The byte of a `<0x41>` token where the decoder has byte fallback.
    var fallbackByte: UInt8?
    var isSpecial: Bool
  }

  private var tokens: [Token?]
  let hasByteFallback: Bool
  /// Up to this many `stripScalar` at the start of the text are dropped.
  let stripStart: Int
  let stripScalar: Unicode.Scalar

  init(tokens: [Token?], hasByteFallback: Bool, stripStart: Int, stripScalar: Unicode.Scalar) {
    self.tokens = tokens
    self.hasByteFallback = hasByteFallback
    self.stripStart = stripStart
    self.stripScalar = stripScalar
  }

  /// The largest id plus one.
  var count: Int { tokens.count }

  func token(_ id: Int32) -> Token? { id >= 0 && Int(id) < tokens.count ? tokens[Int(id)] : nil }
  func written(_ id: Int32) -> String? { token(id)?.written }
  func isSpecial(_ id: Int32) -> Bool { token(id)?.isSpecial ?? false }
}
