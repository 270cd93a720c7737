import ModelFiles
import StrictJSON

extension TokenizerReader {
  mutating func readPostProcessor(_ object: JSONObject?) throws {
    guard let object else { return }
    for part in try parts(object, "post_processor", "processors") { try readProcessor(part) }
  }

  private mutating func readProcessor(_ object: JSONObject) throws {
    let type = try type(object, "post_processor")
    if type == "ByteLevel" {
      // Only trims offsets, which are not given out here.
      return try checkKeys(object, "post_processor.", ["type", "add_prefix_space", "trim_offsets", "use_regex"])
    }
    guard !hasTemplate else {
      throw ModelFileError(.unsupported, "'post_processor': \(type) after a template is not supported")
    }
    hasTemplate = true
    switch type {
    case "RobertaProcessing", "BertProcessing":
      try checkKeys(object, "post_processor.", ["type", "sep", "cls", "trim_offsets", "add_prefix_space"])
      leading.append(try namedID(object, "cls"))
      trailing.append(try namedID(object, "sep"))
    case "TemplateProcessing":
      try checkKeys(object, "post_processor.", ["type", "single", "pair", "special_tokens"])
      try readTemplate(object)
    default: throw ModelFileError(.unsupported, "'post_processor' \(type) is not supported")
    }
  }

  /// `["<s>", 0]` under `key`, checked against the vocabulary.
  private func namedID(_ object: JSONObject, _ key: String) throws -> Int32 {
    guard let pair = try object.array(key), pair.count == 2, let token = pair[0].stringValue,
      let id = pair[1].integerValue, ids[ByteKey(token.utf8)].map(Int.init) == id
    else {
      throw ModelFileError(.mismatch, "'post_processor.\(key)' must be a token of the vocabulary with its id")
    }
    return Int32(id)
  }

  private mutating func readTemplate(_ object: JSONObject) throws {
    let specials = try object.object("special_tokens") ?? JSONObject()
    var seenText = false
    for item in try object.array("single") ?? [] {
      guard let entry = item.objectValue, entry.members.count == 1, let (kind, value) = entry.members.first,
        let id = try value.objectValue?.string("id")
      else { throw ModelFileError(.malformed, "'post_processor.single' holds an entry that is not understood") }
      switch kind {
      case "Sequence":
        guard id == "A", !seenText else {
          throw ModelFileError(.malformed, "'post_processor.single' must contain the sequence A exactly once")
        }
        seenText = true
      case "SpecialToken":
        guard let list = try specials.object(id)?.array("ids") else {
          throw ModelFileError(.missing, "'post_processor.special_tokens' does not define '\(id)'")
        }
        let values = try list.map { item -> Int32 in
          guard let id = item.integerValue, written.indices.contains(id), written[id] != nil else {
            throw ModelFileError(.mismatch, "'post_processor.special_tokens' has ids outside the vocabulary")
          }
          return Int32(id)
        }
        if seenText { trailing += values } else { leading += values }
      default: throw ModelFileError(.unsupported, "'post_processor.single': \(kind) is not supported")
      }
    }
    guard seenText else { throw ModelFileError(.malformed, "'post_processor.single' lacks the sequence A") }
  }
}
