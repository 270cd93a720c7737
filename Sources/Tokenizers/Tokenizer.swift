import Foundation
import ModelFiles

/// A text tokenizer read from `tokenizer.json`: BPE on bytes (GPT-2, Llama 3, Qwen) or characters (Llama 2, Gemma).
///
/// Token ids equal those of the reference: `AutoTokenizer` of Transformers 5 for a folder, `tokenizers` for a file alone.
/// Components that are not implemented are refused by name when the file is read. Safe to use from several threads at once.
public struct Tokenizer: Sendable {
  /// Ids with a role.
  ///
  /// Where several files disagree, `special_tokens_map.json` and `tokenizer_config.json` name the token,
  /// `generation_config.json` and `config.json` add end tokens.
  public struct SpecialIDs: Hashable, Sendable {
    /// The token that begins a text.
    public var bos: Int32?
    /// End-of-text tokens in order of preference; generation stops at any of them.
    public var eos: [Int32] = []
    /// The token that fills batches.
    public var padding: Int32?
    /// The token for what cannot be encoded.
    public var unknown: Int32?
  }

  /// Number of token ids: the largest id plus one.
  ///
  /// Tokens that only the files beside `tokenizer.json` name (a `pad_token` that it lacks) have ids from here on, as in
  /// Transformers; no model has rows for them.
  public let vocabularySize: Int
  /// Ids with a role.
  public let specialIDs: SpecialIDs
  /// Ids that the template puts in front of a text (`<s>`): the start of a prompt that is to be continued.
  public let leadingSpecials: [Int32]
  /// Ids that the template puts after a text (`</s>` of RoBERTa).
  public let trailingSpecials: [Int32]
  /// Settings of the file that are not applied here (truncation, padding), in words.
  public let ignoredSettings: [String]

  let pipeline: TokenizerPipeline
  /// Tokens with a role as text, by the names that chat templates have for them (`bos_token`).
  let namedSpecials: [(key: String, value: String)]

  /// Token ids of `text`.
  ///
  /// - Parameters:
  ///   - text: any text.
  ///   - addSpecialTokens: put the template's tokens around it (`<s>` …). Special tokens that are written out
  ///   in the text itself are always recognised.
  public func encode(_ text: String, addSpecialTokens: Bool = true) -> [Int32] {
    var ids: [Int32] = addSpecialTokens ? leadingSpecials : []
    pipeline.encode(text, into: &ids)
    if addSpecialTokens { ids += trailingSpecials }
    return ids
  }

  /// The text of `ids`; bytes that are not UTF-8 become U+FFFD as in the reference.
  ///
  /// Throws `ModelFileError` (`mismatch`) for an id outside the vocabulary.
  public func decode(_ ids: [Int32], skipSpecialTokens: Bool = false) throws -> String {
    var stream = streamingDecoder(skipSpecialTokens: skipSpecialTokens)
    var text = ""
    for id in ids { text += try stream.append(id) }
    return text + stream.finish()
  }

  /// A decoder that takes ids one by one and gives text as soon as it is certain.
  public func streamingDecoder(skipSpecialTokens: Bool = true) -> StreamingDecoder {
    StreamingDecoder(pipeline.decoder, skipSpecialTokens: skipSpecialTokens)
  }

  /// The id of a token by its exact written form in the vocabulary (`Ġthe`, `▁the`, `<s>`), or nil.
  public func id(of token: String) -> Int32? { pipeline.ids[ByteKey(token.utf8)] }

  /// The written form of a token, or nil outside the vocabulary.
  public func token(_ id: Int32) -> String? { pipeline.decoder.written(id) }

  /// Whether an id is a special token, left out when decoding with `skipSpecialTokens`.
  public func isSpecial(_ id: Int32) -> Bool { pipeline.decoder.isSpecial(id) }
}
