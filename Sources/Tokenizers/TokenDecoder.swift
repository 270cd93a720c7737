/// The bytes of every token, prepared by the rules of the file's decoder.
struct TokenDecoder: Sendable {
  struct Token: Sendable {
    /// The token as written in the file.
    var written: String
    /// What it contributes to the text.
    var bytes: [UInt8]
    /// What it contributes as the first token, where that is something else.
    var firstBytes: [UInt8]?
    /// The byte of a `<0x41>` token where the decoder has byte fallback.
    var fallbackByte: UInt8?
    var isSpecial: Bool
  }

  private var tokens: [Token?]
  let hasByteFallback: Bool
  /// Up to this many `stripScalar` at the start of the text are dropped.
  let stripStart: Int
  let stripScalar: Unicode.Scalar

  /// Steps that need all tokens at once; nil where the tokens' bytes follow one another.
  let chain: DecoderChain?

  init(
    tokens: [Token?], hasByteFallback: Bool = false, stripStart: Int = 0, stripScalar: Unicode.Scalar = " ",
    chain: DecoderChain? = nil
  ) {
    self.tokens = tokens
    self.hasByteFallback = hasByteFallback
    self.stripStart = stripStart
    self.stripScalar = stripScalar
    self.chain = chain
  }

  /// The largest id plus one.
  var count: Int { tokens.count }

  /// The same, where some ids do not count.
  func count(without ids: Set<Int32>) -> Int {
    1 + (tokens.indices.last { tokens[$0] != nil && !ids.contains(Int32($0)) } ?? -1)
  }

  func token(_ id: Int32) -> Token? { id >= 0 && Int(id) < tokens.count ? tokens[Int(id)] : nil }
  func written(_ id: Int32) -> String? { token(id)?.written }
  func isSpecial(_ id: Int32) -> Bool { token(id)?.isSpecial ?? false }
}
