/// The steps from text to ids: added tokens, normalizer, pre-tokenizer, BPE with a cache of words.
struct TokenizerPipeline: Sendable {
  /// What the words of BPE are made of.
  enum Words: Hashable, Sendable {
    /// Bytes: GPT-2's byte-level pre-tokenizer is the last step.
    case byteLevel(addPrefixSpace: Bool, usesPattern: Bool)
    /// Characters as written in the vocabulary.
    case characters
  }

  /// How text outside added tokens is cut before `Words`.
  enum Cutting: Sendable {
    /// Not at all.
    case none
    /// `Metaspace` alone; words may be remembered one by one.
    case metaspace(marker: [UInt8], PreTokenizer.PrependScheme)
    /// One pattern whose matches are words, as are the gaps between them.
    case pattern(TextPattern)
    case steps([PreTokenizer.Step])
  }

  /// The normalizer in the forms that matter for speed.
  enum QuickNormalizer: Sendable {
    case none
    /// Puts something in front and replaces one byte (the space).
    case space(prefix: [UInt8], from: UInt8, to: [UInt8])
    case composed
    case steps
  }

  var ids: [ByteKey: Int32]
  /// The model's own vocabulary, without added tokens.
  var modelIDs: [ByteKey: Int32]
  var decoder: TokenDecoder
  var model: BytePairModel
  var normalizer: TextNormalizer
  var quickNormalizer: QuickNormalizer
  var cutting: Cutting
  var words: Words
  /// Whether pieces must know that they come from the start of the text.
  var tracksOrigins: Bool
  var rawTokens: AddedTokenMatcher
  var normalizedTokens: AddedTokenMatcher
  /// Ids of tokens that are one character, by scalar.
  var characterIDs: CharacterIDs
  /// Ids of the characters that stand for bytes (byte-level); -1 where the vocabulary has none.
  var byteIDs: [Int32]
  var hasEveryByte: Bool
  /// Ids of the tokens `<0x..>` of byte fallback; -1 where the vocabulary has none.
  var fallbackIDs: [Int32]
  var hasByteFallback: Bool
  var unknownID: Int32?
  var fusesUnknown: Bool
  var ignoresMerges: Bool
  /// What characters behind the first of a word, and the last one, carry in the vocabulary; nil where nothing.
  var affixes: Affixes?
  /// The UTF-8 of the character at which words may be cut, empty where merges cross word starts.
  var wordStart: [UInt8]
  let caches = WordCachePool()

  struct Affixes: Hashable, Sendable {
    var prefix: [UInt8]
    var suffix: [UInt8]
  }
}

/// Bytes of the UTF-8 sequence that starts with `lead` (valid text).
@inline(__always)
func utf8Length(_ lead: UInt8) -> Int { lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4 }
