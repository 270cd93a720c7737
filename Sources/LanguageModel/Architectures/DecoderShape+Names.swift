// Names of weights in Hugging Face checkpoints, per family.

import Glibc

extension DecoderShape {
  /// `transformer.h.3` and the like.
  func layerName(_ layer: Int) -> String {
    switch family {
    case .gpt2: "transformer.h.\(layer)"
    case .roberta: "roberta.encoder.layer.\(layer)"
    case .llama: "model.layers.\(layer)"
    }
  }

  /// What the names of all layers begin with.
  var blockPrefix: String { String(layerName(0).dropLast()) }

  /// The linear layers of one layer in the order of computation.
  func linearLayers(_ layer: Int) -> [LinearLayer] {
    let (q, kv) = (attention.queryColumns, attention.keyColumns)
    let parts: [(String, LinearLayer.Role, LinearSlot, Int, Int)] =
      switch family {
      case .gpt2:
        [
          ("attn.c_attn", .attention, .queryKeyValue, 0, attention.columns),
          ("attn.c_proj", .attentionOutput, .attentionOutput, 0, width),
          ("mlp.c_fc", .up, .up, 0, feedForward), ("mlp.c_proj", .down, .down, 0, width),
        ]
      case .roberta:
        [
          ("attention.self.query", .query, .queryKeyValue, 0, q),
          ("attention.self.key", .key, .queryKeyValue, q, kv),
          ("attention.self.value", .value, .queryKeyValue, q + kv, kv),
          ("attention.output.dense", .attentionOutput, .attentionOutput, 0, width),
          ("intermediate.dense", .up, .up, 0, feedForward), ("output.dense", .down, .down, 0, width),
        ]
      case .llama:
        [
          ("self_attn.q_proj", .query, .queryKeyValue, 0, q), ("self_attn.k_proj", .key, .queryKeyValue, q, kv),
          ("self_attn.v_proj", .value, .queryKeyValue, q + kv, kv),
          ("self_attn.o_proj", .attentionOutput, .attentionOutput, 0, width),
          ("mlp.gate_proj", .gate, .up, 0, feedForward), ("mlp.up_proj", .up, .up, feedForward, feedForward),
          ("mlp.down_proj", .down, .down, 0, width),
        ]
      }
    return parts.map { path, role, slot, column, outputs in
      LinearLayer(
        name: "\(layerName(layer)).\(path)", path: path, layer: layer, role: role, slot: slot, column: column,
        outputs: outputs, inputs: size(of: slot).inputs)
    }
  }

  /// Names of the two norms of a layer: (before or after attention, before or after the feed-forward).
  func normNames(_ layer: Int) -> (attention: String, feedForward: String) {
    let prefix = layerName(layer)
    return switch family {
    case .gpt2: ("\(prefix).ln_1", "\(prefix).ln_2")
    case .roberta: ("\(prefix).attention.output.LayerNorm", "\(prefix).output.LayerNorm")
    case .llama: ("\(prefix).input_layernorm", "\(prefix).post_attention_layernorm")
    }
  }

  var embeddingName: String { configuration.embeddingName }

  var positionName: String? {
    switch family {
    case .gpt2: "transformer.wpe.weight"
    case .roberta: "roberta.embeddings.position_embeddings.weight"
    case .llama: nil
    }
  }

  /// RoBERTa's type row 0, added to every position.
  var tokenTypeName: String? { family == .roberta ? "roberta.embeddings.token_type_embeddings.weight" : nil }

  /// The norm between embedding and first layer.
  var embeddingNormName: String? { family == .roberta ? "roberta.embeddings.LayerNorm" : nil }

  /// The norm before the head.
  var finalNormName: String {
    switch family {
    case .gpt2: "transformer.ln_f"
    case .roberta: "lm_head.layer_norm"
    case .llama: "model.norm"
    }
  }

  /// RoBERTa's head is dense → GELU → norm → decoder.
  var headDenseName: String? { family == .roberta ? "lm_head.dense" : nil }
  var headBiasName: String? { family == .roberta ? "lm_head.bias" : nil }
  var headName: String { configuration.headName }

  /// Rows of the position table.
  var positionRows: Int { maximumLength + firstPosition }

  /// Cosines and sines of the rotary embedding for each position, [maximumLength, headSize].
  func rotaryTable() -> [Float] {
    let half = headSize / 2
    var table = [Float](repeating: 0, count: maximumLength * headSize)
    for i in 0..<half {
      // The reference computes frequencies and angles in 32 bits; so do we, for equal angles at large positions.
      let frequency = Float(1 / pow(configuration.ropeTheta, Double(2 * i) / Double(headSize)))
      for position in 0..<maximumLength {
        let angle = Double(Float(position) * frequency)
        table[position * headSize + i] = Float(cos(angle))
        table[position * headSize + half + i] = Float(sin(angle))
      }
    }
    return table
  }
}
