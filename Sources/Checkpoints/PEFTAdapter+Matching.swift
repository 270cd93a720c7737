// Which modules a PEFT configuration adapts, by the rules of PEFT (`check_target_module_exists`, `get_pattern_key`).

extension PEFTConfiguration {
  /// Whether PEFT adapts the module with that path.
  ///
  /// - Parameters:
  ///   - name: the module's full path.
  ///   - kind: what the module is.
  ///   - architecture: decides what is adapted where the configuration names nothing.
  func adapts(_ name: String, kind: ModuleKind, of architecture: ModelConfiguration.Architecture) -> Bool {
    if let excluded, excludes(excluded, name) { return false }
    switch targets {
    case .expression(let expression): return expression.matches(name)
    case .allLinear: return kind == .blockLinear || kind == .otherLinear
    case .suffixes(let suffixes): return adapts(name, suffixes: suffixes)
    case .usual: return adapts(name, suffixes: Self.usualTargets(architecture))
    }
  }

  /// A full path is adapted whatever the layers say; they filter what is found by its ending.
  private func adapts(_ name: String, suffixes: [String]) -> Bool {
    if suffixes.contains(name) { return true }
    guard suffixes.contains(where: { name.hasSuffix("." + $0) }) else { return false }
    guard let layers else { return true }
    return layerNumber(name).map(layers.contains) ?? false
  }

  private func excludes(_ excluded: Targets, _ name: String) -> Bool {
    switch excluded {
    case .suffixes(let suffixes): suffixes.contains { name == $0 || name.hasSuffix("." + $0) }
    case .expression(let expression): expression.matches(name)
    case .allLinear, .usual: false
    }
  }

  /// What PEFT adapts of these architectures when `target_modules` is null.
  private static func usualTargets(_ architecture: ModelConfiguration.Architecture) -> [String] {
    switch architecture {
    case .gpt2: ["c_attn"]
    case .roberta: ["query", "value"]
    case .llama: ["q_proj", "v_proj"]
    }
  }

  /// The first number in a path that follows one of the layer patterns and is followed by something.
  private func layerNumber(_ name: String) -> Int? {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    // Without a pattern something must stand in front of the name before the number; with one it may begin the path.
    for index in (layerPatterns.isEmpty ? 2 : 1)..<max(2, parts.count - 1) where index < parts.count - 1 {
      guard let number = Int(parts[index]), parts[index].utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
        continue
      }
      if layerPatterns.isEmpty || layerPatterns.contains(String(parts[index - 1])) { return number }
    }
    return nil
  }

  func rank(of name: String) -> Int { rankPattern.first { $0.expression.matches(name) }?.value ?? rank }
  func alpha(of name: String) -> Double { alphaPattern.first { $0.expression.matches(name) }?.value ?? alpha }
}

/// What a module of the reference's model is, as far as LoRA is concerned.
enum ModuleKind {
  /// A linear layer of a block: these are adapted here.
  case blockLinear
  /// A linear layer outside the blocks (RoBERTa's `lm_head.dense`).
  case otherLinear
  /// The linear layer that makes logits.
  case head
  /// An embedding, which PEFT can adapt and this program cannot.
  case embedding
  /// A norm, an activation, a dropout or a container: PEFT refuses to adapt these.
  case other

  /// Why a module of this kind is not adapted here.
  var refusal: String {
    switch self {
    case .blockLinear: "is a linear layer of a block"
    case .otherLinear: "is a linear layer outside the blocks; only those of the blocks can be adapted here"
    case .head: "makes the logits; only linear layers of the blocks can be adapted here"
    case .embedding: "is an embedding; only linear layers of the blocks can be adapted here"
    case .other: "is no linear layer; PEFT refuses it, too"
    }
  }
}

extension ModelConfiguration {
  /// Every module of the reference's model beside the linear layers of the blocks, in its order.
  var otherModules: [(name: String, kind: ModuleKind)] {
    switch architecture {
    case .gpt2:
      modules(
        front: [
          ("transformer", .other), ("transformer.wte", .embedding), ("transformer.wpe", .embedding),
          ("transformer.drop", .other), ("transformer.h", .other),
        ],
        layer: [
          "", "ln_1", "attn", "attn.attn_dropout", "attn.resid_dropout", "ln_2", "mlp", "mlp.act", "mlp.dropout",
        ], back: [("transformer.ln_f", .other), ("lm_head", .head)])
    case .roberta:
      modules(
        front: [
          ("roberta", .other), ("roberta.embeddings", .other), ("roberta.embeddings.word_embeddings", .embedding),
          ("roberta.embeddings.token_type_embeddings", .embedding), ("roberta.embeddings.LayerNorm", .other),
          ("roberta.embeddings.dropout", .other), ("roberta.embeddings.position_embeddings", .embedding),
          ("roberta.encoder", .other), ("roberta.encoder.layer", .other),
        ],
        layer: [
          "", "attention", "attention.self", "attention.self.dropout", "attention.output", "attention.output.LayerNorm",
          "attention.output.dropout", "intermediate", "intermediate.intermediate_act_fn", "output", "output.LayerNorm",
          "output.dropout",
        ],
        back: [
          ("lm_head", .other), ("lm_head.dense", .otherLinear), ("lm_head.layer_norm", .other),
          ("lm_head.decoder", .head),
        ])
    case .llama:
      modules(
        front: [("model", .other), ("model.embed_tokens", .embedding), ("model.layers", .other)],
        layer: ["", "self_attn", "mlp", "mlp.act_fn", "input_layernorm", "post_attention_layernorm"],
        back: [("model.norm", .other), ("model.rotary_emb", .other), ("lm_head", .head)])
    }
  }

  private func modules(front: [(String, ModuleKind)], layer: [String], back: [(String, ModuleKind)])
    -> [(name: String, kind: ModuleKind)]
  {
    let layers = (0..<layerCount).flatMap { index in
      layer.map { ($0.isEmpty ? layerPath(index) : "\(layerPath(index)).\($0)", ModuleKind.other) }
    }
    return (front + layers + back).map { (name: $0.0, kind: $0.1) }
  }
}
