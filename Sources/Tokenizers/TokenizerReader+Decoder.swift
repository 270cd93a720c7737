import ModelFiles
import StrictJSON

extension TokenizerReader {
  /// What decoding looks up for an id: added tokens that are normalized in text are in that form here, too.
  func decodedText(_ id: Int) -> String? {
    guard let token = added.tokens[Int32(id)], added.normalized.contains(Int32(id)) else { return written[id] }
    return String(decoding: normalizedText(of: token), as: UTF8.self)
  }

  /// The text that is looked for to find an added token.
  func pattern(of token: AddedToken) -> [UInt8] {
    token.isNormalized ? normalizedText(of: token) : Array(token.content.utf8)
  }

  private func normalizedText(of token: AddedToken) -> [UInt8] {
    var piece = TextPiece(token.content.utf8)
    normalizer.apply(to: &piece)
    return piece.bytes
  }

  func makeDecoder() throws -> TokenDecoder {
    guard let object = try root.object("decoder") else { return general([.spaces]) }
    let steps = try parts(object, "decoder", "decoders").map { try decoderStep($0) }
    let growth = steps.reduce(1.0) { product, step in
      switch step {
      case .replace(let from, let to): product * max(1, Double(to.count) / Double(from.count))
      case .replacePattern(_, let to): product * max(1, Double(to.count))
      default: product
      }
    }
    guard growth <= Double(TextNormalizer.maximumGrowth) else {
      throw ModelFileError(
        .tooLarge,
        "'decoder': its steps may make text over \(TextNormalizer.maximumGrowth) times as long. Remove steps that add text"
      )
    }
    return quick(steps) ?? general(steps)
  }

  private func decoderStep(_ part: JSONObject) throws -> DecoderChain.Step {
    let type = try type(part, "decoder")
    func known(_ keys: String...) throws { try checkKeys(part, "decoder.", ["type"] + keys) }
    switch type {
    case "ByteLevel":
      try known("add_prefix_space", "trim_offsets", "use_regex")
      return .byteLevel
    case "Replace":
      try known("pattern", "content")
      guard let content = try part.string("content") else {
        throw ModelFileError(.malformed, "'decoder': Replace without 'content'")
      }
      switch try wanted(part, "decoder") {
      case .literal(let text): return .replace(from: text, to: Array(content.utf8))
      case .pattern(let pattern): return .replacePattern(pattern, to: Array(content.utf8))
      }
    case "ByteFallback":
      try known()
      return .byteFallback
    case "Fuse":
      try known()
      return .fuse
    case "Strip":
      try known("content", "start", "stop")
      let (start, stop) = (try part.integer("start") ?? 0, try part.integer("stop") ?? 0)
      guard (0...1024).contains(start), (0...1024).contains(stop) else {
        throw ModelFileError(.tooLarge, "'decoder': Strip takes away 0 to 1024 characters at each end")
      }
      return .strip(try character(part, "content", "decoder"), start: start, stop: stop)
    case "Metaspace":
      let (marker, scheme) = try metaspace(part, "decoder")
      return .metaspace(marker: marker, dropsFirst: scheme != .never)
    case "BPEDecoder":
      try known("suffix")
      let suffix = try part.string("suffix") ?? "</w>"
      guard !suffix.isEmpty else {
        throw ModelFileError(.unsupported, "'decoder.suffix': an empty suffix is not supported")
      }
      return .suffix(Array(suffix.utf8))
    default:
      throw ModelFileError(
        .unsupported,
        "'decoder' \(type) is not supported; supported are ByteLevel, Metaspace, Replace, ByteFallback, Fuse, Strip, BPEDecoder and Sequence"
      )
    }
  }

  private func tokens(_ make: (String, String) -> TokenDecoder.Token) -> [TokenDecoder.Token?] {
    written.indices.map { id in
      guard let name = written[id], let text = decodedText(id) else { return nil }
      var token = make(name, text)
      token.isSpecial = added.specials.contains(ByteKey(text.utf8))
      return token
    }
  }

  private func general(_ steps: [DecoderChain.Step]) -> TokenDecoder {
    TokenDecoder(
      tokens: tokens { TokenDecoder.Token(written: $0, bytes: Array($1.utf8), isSpecial: false) },
      chain: DecoderChain(steps: steps))
  }

  /// Decoders whose text can be given token by token: byte-level, Metaspace, or Replace, ByteFallback, Fuse and Strip in
  /// this order; nil for all others.
  private func quick(_ steps: [DecoderChain.Step]) -> TokenDecoder? {
    if steps.count == 1, case .byteLevel = steps[0] {
      return TokenDecoder(
        tokens: tokens {
          TokenDecoder.Token(written: $0, bytes: ByteAlphabet.decode($1) ?? Array($1.utf8), isSpecial: false)
        })
    }
    if steps.count == 1, case .metaspace(_, let dropsFirst) = steps[0] {
      let chain = DecoderChain(steps: steps)
      return TokenDecoder(
        tokens: tokens { name, text in
          let first = Array(chain.text(of: [text]).utf8)
          // Behind an empty token the marker is a space.
          let bytes = dropsFirst ? Array(chain.text(of: ["", text]).utf8) : first
          return TokenDecoder.Token(written: name, bytes: bytes, firstBytes: first, isSpecial: false)
        })
    }
    return quickSequence(steps)
  }

  private func quickSequence(_ steps: [DecoderChain.Step]) -> TokenDecoder? {
    var rest = steps[...]
    var changes: [DecoderChain.Step] = []
    while case .replace? = rest.first { changes.append(rest.removeFirst()) }
    var byteFallback = false
    if case .byteFallback? = rest.first {
      byteFallback = true
      rest.removeFirst()
    }
    var strip = 0
    var stripScalar: Unicode.Scalar = " "
    if case .fuse? = rest.first {
      rest.removeFirst()
      // Strip acts on each piece; only after Fuse is there one piece, the whole text.
      if case .strip(let scalar, let start, 0)? = rest.first {
        (strip, stripScalar) = (start, scalar)
        rest.removeFirst()
      }
    }
    guard rest.isEmpty else { return nil }
    let chain = DecoderChain(steps: changes)
    return TokenDecoder(
      tokens: tokens { name, text in
        let bytes = Array(chain.text(of: [text]).utf8)
        return TokenDecoder.Token(
          written: name, bytes: bytes, fallbackByte: byteFallback ? DecoderChain.fallbackByte(bytes) : nil,
          isSpecial: false)
      }, hasByteFallback: byteFallback || strip > 0, stripStart: strip, stripScalar: stripScalar)
  }
}
