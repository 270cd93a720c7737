extension ModelConfiguration {
  /// A weight that a checkpoint must hold.
  public struct Parameter: Hashable, Sendable {
    /// The canonical name: that of the Hugging Face causal language model.
    public let name: String
    /// As stored: GPT-2's linear weights are [in, out], all others [out, in].
    public let shape: [Int]
  }

  /// The path in front of layer `index`, without the trailing dot: `transformer.h.3`.
  public func layerPath(_ index: Int) -> String {
    switch architecture {
    case .gpt2: "transformer.h.\(index)"
    case .roberta: "roberta.encoder.layer.\(index)"
    case .llama: "model.layers.\(index)"
    }
  }

  /// Every weight of the model with its stored shape, in order of computation.
  public var parameters: [Parameter] {
    switch architecture {
    case .gpt2: gpt2Parameters
    case .roberta: robertaParameters
    case .llama: llamaParameters
    }
  }

  /// The linear layers of the model's blocks: module path below the layer → (inputs, outputs).
  public var linearModules: [(path: String, inputs: Int, outputs: Int)] {
    let (d, f) = (hiddenSize, intermediateSize)
    switch architecture {
    case .gpt2:
      return [("attn.c_attn", d, 3 * d), ("attn.c_proj", d, d), ("mlp.c_fc", d, f), ("mlp.c_proj", f, d)]
    case .roberta:
      return [
        ("attention.self.query", d, d), ("attention.self.key", d, d), ("attention.self.value", d, d),
        ("attention.output.dense", d, d), ("intermediate.dense", d, f), ("output.dense", f, d),
      ]
    case .llama:
      let (q, kv) = (headCount * headSize, keyValueHeadCount * headSize)
      return [
        ("self_attn.q_proj", d, q), ("self_attn.k_proj", d, kv), ("self_attn.v_proj", d, kv),
        ("self_attn.o_proj", q, d), ("mlp.gate_proj", d, f), ("mlp.up_proj", d, f), ("mlp.down_proj", f, d),
      ]
    }
  }

  private func norm(_ path: String) -> [Parameter] {
    [Parameter(name: path + ".weight", shape: [hiddenSize]), Parameter(name: path + ".bias", shape: [hiddenSize])]
  }

  private var gpt2Parameters: [Parameter] {
    let d = hiddenSize
    var list = [
      Parameter(name: "transformer.wte.weight", shape: [vocabularySize, d]),
      Parameter(name: "transformer.wpe.weight", shape: [positionCount, d]),
    ]
    for layer in 0..<layerCount {
      let path = layerPath(layer)
      list += norm(path + ".ln_1")
      for module in linearModules {
        if module.path == "mlp.c_fc" { list += norm(path + ".ln_2") }
        list.append(Parameter(name: "\(path).\(module.path).weight", shape: [module.inputs, module.outputs]))
        list.append(Parameter(name: "\(path).\(module.path).bias", shape: [module.outputs]))
      }
    }
    list += norm("transformer.ln_f")
    if !tiedHead { list.append(Parameter(name: "lm_head.weight", shape: [vocabularySize, d])) }
    return list
  }

  private var robertaParameters: [Parameter] {
    let d = hiddenSize
    var list = [
      Parameter(name: "roberta.embeddings.word_embeddings.weight", shape: [vocabularySize, d]),
      Parameter(name: "roberta.embeddings.position_embeddings.weight", shape: [positionCount, d]),
      Parameter(name: "roberta.embeddings.token_type_embeddings.weight", shape: [tokenTypeCount, d]),
    ]
    list += norm("roberta.embeddings.LayerNorm")
    for layer in 0..<layerCount {
      let path = layerPath(layer)
      for module in linearModules {
        list.append(Parameter(name: "\(path).\(module.path).weight", shape: [module.outputs, module.inputs]))
        list.append(Parameter(name: "\(path).\(module.path).bias", shape: [module.outputs]))
        if module.path.hasSuffix("output.dense") {
          list += norm("\(path).\(module.path.dropLast("dense".count))LayerNorm")
        }
      }
    }
    list.append(Parameter(name: "lm_head.dense.weight", shape: [d, d]))
    list.append(Parameter(name: "lm_head.dense.bias", shape: [d]))
    list += norm("lm_head.layer_norm")
    if !tiedHead { list.append(Parameter(name: "lm_head.decoder.weight", shape: [vocabularySize, d])) }
    list.append(Parameter(name: "lm_head.bias", shape: [vocabularySize]))
    return list
  }

  private var llamaParameters: [Parameter] {
    let d = hiddenSize
    var list = [Parameter(name: "model.embed_tokens.weight", shape: [vocabularySize, d])]
    for layer in 0..<layerCount {
      let path = layerPath(layer)
      list.append(Parameter(name: path + ".input_layernorm.weight", shape: [d]))
      for module in linearModules {
        if module.path == "mlp.gate_proj" {
          list.append(Parameter(name: path + ".post_attention_layernorm.weight", shape: [d]))
        }
        list.append(Parameter(name: "\(path).\(module.path).weight", shape: [module.outputs, module.inputs]))
      }
    }
    list.append(Parameter(name: "model.norm.weight", shape: [d]))
    if !tiedHead { list.append(Parameter(name: "lm_head.weight", shape: [vocabularySize, d])) }
    return list
  }
}
