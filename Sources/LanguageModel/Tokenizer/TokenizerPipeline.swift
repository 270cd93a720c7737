/// The steps from text to ids: added tokens, normalizer, pre-tokenizer, BPE with a cache of words.
struct TokenizerPipeline: Sendable {
  /// How text outside added tokens is cut into words.
  enum Splitting: Hashable, Sendable {
    /// GPT-2's byte-level pre-tokenizer.
    case byteLevel(addPrefixSpace: Bool, usesPattern: Bool)
    /// Words begin at `marker`; whole pieces are one word unless merges never cross a word start.
    case characters
  }

  /// Where the marker that stands for a space is put in front of a piece.
  enum Prefix: Hashable, Sendable {
    case never
    /// Normalizer `Prepend`: every non-empty piece.
    case always
    /// `Metaspace` with scheme `always`: pieces that do not begin with it.
    case unlessPresent
    /// `Metaspace` with scheme `first`: the piece at the start of the text, unless it begins with it.
    case firstUnlessPresent
  }

  var ids: [ByteKey: Int32]
  var decoder: TokenDecoder
  var model: BytePairModel
  var splitting: Splitting
  /// Replacements of the normalizer, in order.
  var replacements: [(from: [UInt8], to: [UInt8])]
  var prefix: Prefix
  /// What `prefix` puts in front.
  var prefixBytes: [UInt8]
  var rawTokens: AddedTokenMatcher
  var normalizedTokens: AddedTokenMatcher
  /// Ids of tokens that are one character, by scalar.
  var characterIDs: CharacterIDs
  /// Ids of single bytes (byte-level, or `<0x..>` with byte fallback); -1 where the vocabulary has none.
  var byteIDs: [Int32]
  var hasByteFallback: Bool
  var unknownID: Int32?
  var fusesUnknown: Bool
  var ignoresMerges: Bool
  /// The UTF-8 of the character at which words may be cut, empty where merges cross word starts.
  var wordStart: [UInt8]
  let caches = WordCachePool()
}

/// Bytes of the UTF-8 sequence that starts with `lead` (valid text).
@inline(__always)
func utf8Length(_ lead: UInt8) -> Int { lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4 }
