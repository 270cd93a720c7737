import ModelFiles
import StrictJSON

extension TokenizerReader {
  // MARK: - Normalizer

  mutating func readNormalizer() throws {
    guard let object = try root.object("normalizer") else { return }
    for part in try parts(object, "normalizer", "normalizers") { normalizer.steps.append(try normalizerStep(part)) }
    let growth = TextNormalizer.growth(normalizer.steps)
    guard growth <= Double(TextNormalizer.maximumGrowth) else {
      throw ModelFileError(
        .tooLarge,
        "'normalizer': its steps may make text \(growth.isFinite && growth < 1e9 ? String(Int(growth)) : "over 1e9") times as long, the limit is \(TextNormalizer.maximumGrowth). Remove steps that add text"
      )
    }
  }

  private func normalizerStep(_ part: JSONObject) throws -> TextNormalizer.Step {
    let type = try type(part, "normalizer")
    func known(_ keys: String...) throws { try checkKeys(part, "normalizer.", ["type"] + keys) }
    switch type {
    case "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "ByteLevel":
      try known()
      switch type {
      case "NFC": return .form(.nfc)
      case "NFD": return .form(.nfd)
      case "NFKC": return .form(.nfkc)
      case "NFKD": return .form(.nfkd)
      case "Lowercase": return .lowercase
      case "StripAccents": return .stripAccents
      case "Nmt": return .nmt
      default: return .byteLevel
      }
    case "Strip":
      try known("strip_left", "strip_right")
      return .strip(left: try part.bool("strip_left") ?? true, right: try part.bool("strip_right") ?? true)
    case "Prepend":
      try known("prepend")
      guard let text = try part.string("prepend") else {
        throw ModelFileError(.malformed, "'normalizer': Prepend without 'prepend'")
      }
      return .prepend(Array(text.utf8))
    case "Replace":
      try known("pattern", "content")
      guard let content = try part.string("content") else {
        throw ModelFileError(.malformed, "'normalizer': Replace without 'content'")
      }
      switch try wanted(part, "normalizer") {
      case .literal(let text): return .replace(from: text, to: Array(content.utf8))
      case .pattern(let pattern): return .replacePattern(pattern, to: Array(content.utf8))
      }
    default:
      throw ModelFileError(
        .unsupported,
        "'normalizer' \(type) is not supported; supported are NFC, NFD, NFKC, NFKD, Lowercase, Strip, StripAccents, Replace, Prepend, Nmt, ByteLevel and Sequence"
      )
    }
  }

  // MARK: - Pre-tokenizer

  mutating func readPreTokenizer(_ object: JSONObject?) throws {
    guard let object else { return }
    preSteps = try parts(object, "pre_tokenizer", "pretokenizers").flatMap { try preTokenizerSteps($0) }
  }

  private func preTokenizerSteps(_ part: JSONObject) throws -> [PreTokenizer.Step] {
    let type = try type(part, "pre_tokenizer")
    func known(_ keys: String...) throws { try checkKeys(part, "pre_tokenizer.", ["type"] + keys) }
    switch type {
    case "ByteLevel":
      try known("add_prefix_space", "trim_offsets", "use_regex")
      return [
        .byteLevel(
          addPrefixSpace: try part.bool("add_prefix_space") ?? true, usesPattern: try part.bool("use_regex") ?? true)
      ]
    case "Metaspace":
      let (marker, scheme) = try metaspace(part, "pre_tokenizer")
      return [.metaspace(marker: marker, scheme, splits: try part.bool("split") ?? true)]
    case "Split":
      try known("pattern", "behavior", "invert")
      let pattern: TextPattern
      switch try wanted(part, "pre_tokenizer") {
      case .literal(let text): pattern = try TextPattern(literal: String(decoding: text, as: UTF8.self))
      case .pattern(let compiled): pattern = compiled
      }
      return [.split(pattern, try behavior(part, nil), isInverted: try part.bool("invert") ?? false)]
    case "Digits":
      try known("individual_digits")
      return [.digits(individually: try part.bool("individual_digits") ?? false)]
    case "Punctuation":
      try known("behavior")
      return [.punctuation(try behavior(part, .isolated))]
    case "Whitespace":
      try known()
      return [.whitespace]
    case "WhitespaceSplit":
      try known()
      return [.whitespaceSplit]
    case "BertPreTokenizer":
      try known()
      return [.whitespaceSplit, .punctuation(.isolated)]
    case "CharDelimiterSplit":
      try known("delimiter")
      return [.delimiter(try character(part, "delimiter", "pre_tokenizer"))]
    case "FixedLength":
      try known("length")
      let length = try part.integer("length") ?? 5
      guard length > 0 else { throw ModelFileError(.malformed, "'pre_tokenizer.length' must be at least 1") }
      return [.fixedLength(length)]
    default:
      throw ModelFileError(
        .unsupported,
        "'pre_tokenizer' \(type) is not supported; supported are ByteLevel, Metaspace, Split, Digits, Punctuation, Whitespace, WhitespaceSplit, BertPreTokenizer, CharDelimiterSplit, FixedLength and Sequence"
      )
    }
  }

  private func behavior(_ part: JSONObject, _ standard: PreTokenizer.Behavior?) throws -> PreTokenizer.Behavior {
    guard let name = try part.string("behavior") else {
      if let standard { return standard }
      throw ModelFileError(.malformed, "'pre_tokenizer': Split without 'behavior'")
    }
    guard let behavior = PreTokenizer.Behavior(rawValue: name) else {
      throw ModelFileError(.unsupported, "'pre_tokenizer.behavior' \(name) is not known")
    }
    return behavior
  }

  /// Marker and scheme of a Metaspace, as pre-tokenizer or decoder.
  func metaspace(_ part: JSONObject, _ place: String) throws -> (Unicode.Scalar, PreTokenizer.PrependScheme) {
    try checkKeys(
      part, "\(place).", ["type", "replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep"])
    let marker = try character(part, "replacement", place, default: "▁")
    var scheme = PreTokenizer.PrependScheme.always
    if let name = try part.string("prepend_scheme") {
      guard let known = PreTokenizer.PrependScheme(rawValue: name) else {
        throw ModelFileError(.unsupported, "'\(place).prepend_scheme' \(name) is not known")
      }
      scheme = known
    }
    // The older key must not contradict; the reference refuses such files, too.
    if try part.bool("add_prefix_space") == false, scheme != .never {
      throw ModelFileError(
        .mismatch,
        "'\(place).add_prefix_space' false contradicts 'prepend_scheme' \(scheme.rawValue). Set \"prepend_scheme\": \"never\""
      )
    }
    return (marker, scheme)
  }
}
