// From the names in a file to the canonical ones: prefixes, old names, tied heads, tensors without effect.

import Foundation
import ModelFiles

extension Checkpoint {
  /// The stored tensors under canonical names, and the configuration that they show.
  struct Arrangement {
    var tensors: [TensorView]
    /// Tensors without effect, by their names in the file.
    var ignored: [String]
    /// As in `config.json`; the head is not tied where the file holds another one.
    var configuration: ModelConfiguration
  }

  static func arrange(_ stored: [TensorView], _ configuration: ModelConfiguration) throws -> Arrangement {
    var arrangement = Arrangement(tensors: [], ignored: [], configuration: configuration)
    var remaining: [String: TensorView] = [:]
    for tensor in stored {
      let name = canonicalName(tensor.name, configuration.architecture)
      if let other = remaining.updateValue(tensor, forKey: name) {
        throw ModelFileError(
          .mismatch, "two stored tensors are both '\(name)': '\(other.name)' and '\(tensor.name)'")
      }
    }
    try arrangeHead(&remaining, &arrangement)
    for parameter in arrangement.configuration.parameters {
      guard let tensor = remaining.removeValue(forKey: parameter.name) else {
        throw missing(parameter, stored, configuration)
      }
      guard tensor.shape == parameter.shape else {
        throw ModelFileError(
          .mismatch, "tensor '\(tensor.name)' has shape \(tensor.shape), config.json asks for \(parameter.shape)")
      }
      guard tensor.type.isFloat else {
        throw ModelFileError(
          .unsupported,
          "tensor '\(tensor.name)' holds \(tensor.type.rawValue), expected F32, F16, BF16 or F64: without the scales of "
            + "its quantization it would mean something else")
      }
      arrangement.tensors.append(tensor.renamed(parameter.name))
    }
    for (name, tensor) in remaining.sorted(by: { $0.key < $1.key }) {
      guard isWithoutEffect(name, configuration) else {
        throw ModelFileError(
          .unsupported,
          "tensor '\(tensor.name)' does not belong to a \(configuration.architecture.rawValue) language model of "
            + "\(configuration.layerCount) layers")
      }
      arrangement.ignored.append(tensor.name)
    }
    return arrangement
  }

  private static func missing(
    _ parameter: ModelConfiguration.Parameter, _ stored: [TensorView], _ configuration: ModelConfiguration
  ) -> ModelFileError {
    var hint = ""
    if let wrapped = stored.first(where: { $0.name.hasSuffix("." + parameter.name) }) {
      hint = "; the file has '\(wrapped.name)': save the model itself, not what was wrapped around it"
    } else if parameter.name == configuration.headName {
      hint =
        "; config.json does not tie it to the embedding (tie_word_embeddings), and the reference would fill it with "
        + "random numbers"
    }
    return ModelFileError(.missing, "the weight '\(parameter.name)' of shape \(parameter.shape) is missing\(hint)")
  }

  // MARK: Heads

  /// Decides about the head as Transformers 5 does: tied unless another one is stored, whatever config.json says.
  private static func arrangeHead(_ remaining: inout [String: TensorView], _ arrangement: inout Arrangement) throws {
    let configuration = arrangement.configuration
    if configuration.architecture == .roberta { try arrangeBias(&remaining, &arrangement) }
    guard configuration.tiedHead, let head = remaining[configuration.headName] else { return }
    if let embedding = remaining[configuration.embeddingName] {
      if embedding.shape == head.shape, embedding.type.isFloat, head.type.isFloat,
        try !embedding.holdsSameNumbers(as: head)
      {
        arrangement.configuration.tiedHead = false
        return
      }
      arrangement.ignored.append(head.name)
    } else {
      remaining[configuration.embeddingName] = head
    }
    remaining[configuration.headName] = nil
  }

  /// RoBERTa's bias has two names; the reference adds the decoder's.
  private static func arrangeBias(_ remaining: inout [String: TensorView], _ arrangement: inout Arrangement) throws {
    if let bias = remaining.removeValue(forKey: "lm_head.decoder.bias") {
      if let other = remaining.updateValue(bias, forKey: "lm_head.bias") { arrangement.ignored.append(other.name) }
    } else if !arrangement.configuration.tiedHead, remaining["lm_head.bias"] != nil {
      throw ModelFileError(
        .missing,
        "'lm_head.decoder.bias' is missing; config.json does not tie it to 'lm_head.bias' (tie_word_embeddings), and the "
          + "reference would use zeros")
    }
  }

  // MARK: Names

  /// Hub checkpoints of the bare model lack the prefix of the language model class; some wrappers write it twice.
  private static func canonicalName(_ stored: String, _ architecture: ModelConfiguration.Architecture) -> String {
    let bare: [String]
    let prefix: String
    var name = stored
    switch architecture {
    case .gpt2: (bare, prefix) = (["wte.", "wpe.", "h.", "ln_f."], "transformer.")
    case .roberta:
      (bare, prefix) = (["embeddings.", "encoder.", "pooler."], "roberta.")
      // As TensorFlow called the two parts of a norm; the first converted checkpoints kept the names.
      for (old, new) in [("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")]
      where name.hasSuffix(old) { name = String(name.dropLast(old.count)) + new }
    case .llama: (bare, prefix) = (["embed_tokens.", "layers.", "norm."], "model.")
    }
    if name.hasPrefix(prefix + prefix) || name.hasPrefix(prefix + "lm_head.") {
      return String(name.dropFirst(prefix.count))
    }
    return bare.contains { name.hasPrefix($0) } ? prefix + name : name
  }

  /// Stored tensors that the model computes itself or never uses.
  private static func isWithoutEffect(_ name: String, _ configuration: ModelConfiguration) -> Bool {
    func isLayer(_ prefix: String, _ endings: [String]) -> Bool {
      guard name.hasPrefix(prefix) else { return false }
      let parts = name.dropFirst(prefix.count).split(separator: ".", maxSplits: 1)
      guard parts.count == 2, let layer = Int(parts[0]), (0..<configuration.layerCount).contains(layer) else {
        return false
      }
      return endings.contains(String(parts[1]))
    }
    // Heads of other tasks beside the language model: a classifier, spans of an answer, a value for reinforcement.
    let heads = ["score.", "classifier.", "qa_outputs.", "multiple_choice_head.", "v_head."]
    if heads.contains(where: { name.hasPrefix($0) }) { return true }
    switch configuration.architecture {
    case .gpt2:
      // The causal mask.
      return isLayer("transformer.h.", ["attn.bias", "attn.masked_bias"])
    case .roberta:
      // Numbers from 0 on, zeros, and a part that the language model leaves out.
      return [
        "roberta.embeddings.position_ids", "roberta.embeddings.token_type_ids", "roberta.pooler.dense.weight",
        "roberta.pooler.dense.bias",
      ].contains(name)
    case .llama:
      // The rotary frequencies, which follow from config.json.
      return isLayer("model.layers.", ["self_attn.rotary_emb.inv_freq"])
        || ["model.rotary_emb.inv_freq", "model.rotary_emb.original_inv_freq"].contains(name)
    }
  }
}

extension ModelConfiguration {
  /// The canonical name of the token embedding.
  package var embeddingName: String {
    switch architecture {
    case .gpt2: "transformer.wte.weight"
    case .roberta: "roberta.embeddings.word_embeddings.weight"
    case .llama: "model.embed_tokens.weight"
    }
  }

  /// The canonical name of the matrix that makes logits, where it is not the embedding.
  package var headName: String { architecture == .roberta ? "lm_head.decoder.weight" : "lm_head.weight" }
}

extension TensorView {
  /// The same elements under another name.
  func renamed(_ name: String) -> TensorView {
    TensorView(name: name, type: type, shape: shape, file: file, range: range)
  }

  /// Whether two floating-point tensors of one shape hold the same numbers.
  func holdsSameNumbers(as other: TensorView) throws -> Bool {
    guard elementCount == other.elementCount else { return false }
    if type == other.type, let mine = bytes.baseAddress, let theirs = other.bytes.baseAddress {
      return memcmp(mine, theirs, bytes.count) == 0
    }
    let size = 1 << 16
    var (left, right) = ([Float](repeating: 0, count: size), [Float](repeating: 0, count: size))
    for begin in stride(from: 0, to: elementCount, by: size) {
      let count = min(size, elementCount - begin)
      try left.withUnsafeMutableBufferPointer { try copyFloat32(to: .init(rebasing: $0[..<count]), from: begin) }
      try right.withUnsafeMutableBufferPointer { try other.copyFloat32(to: .init(rebasing: $0[..<count]), from: begin) }
      if left[..<count] != right[..<count] { return false }
    }
    return true
  }
}
