import ModelFiles
import StrictJSON

extension TokenizerReader {
  mutating func readModel() throws {
    guard let model = try root.object("model") else { throw ModelFileError(.missing, "'model' is missing") }
    // The oldest files have no type; they are BPE if they have merges.
    let type = try model.string("type") ?? (model["merges"] == nil ? "unknown" : "BPE")
    guard type == "BPE" else {
      throw ModelFileError(.unsupported, "'model.type' \(type) is not supported, only BPE")
    }
    try checkKeys(
      model, "model.",
      [
        "type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback",
        "ignore_merges", "vocab", "merges",
      ])
    if let dropout = try model.double("dropout"), dropout != 0 {
      throw ModelFileError(.unsupported, "'model.dropout' \(dropout): random merges are not supported")
    }
    let prefix = try model.string("continuing_subword_prefix") ?? ""
    let suffix = try model.string("end_of_word_suffix") ?? ""
    if !prefix.isEmpty || !suffix.isEmpty {
      affixes = TokenizerPipeline.Affixes(prefix: Array(prefix.utf8), suffix: Array(suffix.utf8))
    }
    unknown = try model.string("unk_token")
    fusesUnknown = try model.bool("fuse_unk") ?? false
    hasByteFallback = try model.bool("byte_fallback") ?? false
    ignoresMerges = try model.bool("ignore_merges") ?? false
    guard let vocabulary = try model.object("vocab"), !vocabulary.members.isEmpty else {
      throw ModelFileError(.missing, "'model.vocab' is missing or empty")
    }
    modelIDs.reserveCapacity(vocabulary.members.count)
    for (token, value) in vocabulary.members {
      guard let id = value.integerValue else {
        throw ModelFileError(.malformed, "'model.vocab' entry '\(token)' must be an integer")
      }
      // A vocabulary may have holes for added tokens, not more than it has tokens.
      try enter(token, id, "model.vocab", limit: 2 * vocabulary.members.count + 4096)
      modelIDs[ByteKey(token.utf8)] = Int32(id)
    }
    try readMerges(model)
  }

  private mutating func readMerges(_ model: JSONObject) throws {
    guard let items = try model.array("merges") else { throw ModelFileError(.missing, "'model.merges' is missing") }
    merges.reserveCapacity(items.count)
    for (rank, item) in items.enumerated() {
      switch item {
      // The first line of a merges.txt, which some converters take along.
      case .string(let text) where text.hasPrefix("#version"): continue
      case .string(let text):
        let parts = text.unicodeScalars.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 2 else {
          throw ModelFileError(.malformed, "'model.merges' \(rank): expected two tokens, found '\(text)'")
        }
        merges.append((String(parts[0]), String(parts[1])))
      case .array(let pair):
        guard pair.count == 2, let left = pair[0].stringValue, let right = pair[1].stringValue else {
          throw ModelFileError(.malformed, "'model.merges' \(rank): expected an array of two strings")
        }
        merges.append((left, right))
      default: throw ModelFileError(.malformed, "'model.merges' \(rank): expected a string or an array of two")
      }
    }
  }

  /// The merges by id; what stands before a continuing subword's text is left out of the result.
  func mergeTable() throws -> [BytePairModel.Merge] {
    let prefix = affixes?.prefix ?? []
    return try merges.map { merge in
      let (left, right) = (Array(merge.left.utf8), Array(merge.right.utf8))
      guard let leftID = modelIDs[ByteKey(left)], let rightID = modelIDs[ByteKey(right)] else {
        throw ModelFileError(
          .missing, "'model.merges': '\(merge.left) \(merge.right)' names a token outside the vocabulary")
      }
      guard right.count >= prefix.count else {
        throw ModelFileError(.malformed, "'model.merges': '\(merge.right)' lacks the 'continuing_subword_prefix'")
      }
      let joined = left + right.dropFirst(prefix.count)
      guard let result = modelIDs[ByteKey(joined)] else {
        throw ModelFileError(
          .missing, "'model.merges': '\(String(decoding: joined, as: UTF8.self))' is not in the vocabulary")
      }
      return BytePairModel.Merge(left: leftID, right: rightID, result: result)
    }
  }
}
