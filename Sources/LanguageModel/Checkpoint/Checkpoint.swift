import Foundation

/// A Hugging Face model directory: `config.json` and mapped weights under canonical names.
///
/// Opening reads headers only; the weights stay in the files until they are used. Every weight of the configuration
/// must be there in the right shape; what does not belong to the model is refused, except for buffers that carry
/// no information (causal masks, rotary tables, copies of a tied head, the unused pooler of RoBERTa).
public struct Checkpoint: Sendable {
  public let directory: URL
  public let configuration: ModelConfiguration
  /// The weights in the order of ``ModelConfiguration/parameters``, under canonical names.
  public let tensors: [TensorView]
  /// Stored tensors without effect, by their names in the file.
  public let ignoredTensors: [String]

  private let index: [String: Int]

  /// Opens the model in `directory` (`config.json` with `model.safetensors` or `model.safetensors.index.json`).
  public init(_ directory: URL) throws {
    self.directory = directory
    configuration = try ModelConfiguration(contentsOf: directory.appendingPathComponent("config.json"))
    let stored = try Self.storedTensors(directory)
    (tensors, ignoredTensors) = try naming(directory.path) { [configuration] in
      try Self.arrange(stored, configuration)
    }
    index = Dictionary(tensors.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// The weight with a canonical name (``ModelConfiguration/parameters``).
  ///
  /// Throws (`missing`) for any other name.
  public func tensor(_ name: String) throws -> TensorView {
    guard let position = index[name] else {
      throw ModelFileError(.missing, "the model has no weight '\(name)'", file: directory.path)
    }
    return tensors[position]
  }

  /// The type of the stored weights: that of most elements.
  public var storedType: TensorType {
    var counts: [TensorType: Int] = [:]
    for tensor in tensors { counts[tensor.type, default: 0] += tensor.elementCount }
    return counts.max { ($0.value, $0.key.rawValue) < ($1.value, $1.key.rawValue) }?.key ?? .float32
  }

  /// Bytes of all weights as stored.
  public var byteCount: Int { tensors.reduce(0) { $0 + $1.bytes.count } }

  // MARK: - Files

  private static func storedTensors(_ directory: URL) throws -> [TensorView] {
    let single = directory.appendingPathComponent("model.safetensors")
    let index = directory.appendingPathComponent("model.safetensors.index.json")
    let manager = FileManager.default
    if manager.fileExists(atPath: single.path) { return try SafetensorsFile(single).tensors }
    guard manager.fileExists(atPath: index.path) else {
      let pickled = manager.fileExists(atPath: directory.appendingPathComponent("pytorch_model.bin").path)
      let remedy = pickled ? "; pytorch_model.bin is not read (pickles run code): convert it to safetensors" : ""
      throw ModelFileError(
        .missing, "neither model.safetensors nor model.safetensors.index.json\(remedy)", file: directory.path)
    }
    return try shardedTensors(directory, index)
  }

  /// Opens the shards that an index names and checks that index and shards agree on every tensor.
  private static func shardedTensors(_ directory: URL, _ url: URL) throws -> [TensorView] {
    let object = try JSONParser.object(at: url, limit: 100 << 20)
    return try naming(url.path) {
      guard let map = try object.object("weight_map") else {
        throw ModelFileError(.missing, "'weight_map' is missing")
      }
      var shardOf: [String: String] = [:]
      var shards: [String] = []
      var seen: Set<String> = []
      for (name, value) in map.members {
        guard let shard = value.stringValue, isPlainFileName(shard) else {
          throw ModelFileError(.malformed, "'weight_map' entry '\(name)' must be a file name in the same folder")
        }
        shardOf[name] = shard
        if seen.insert(shard).inserted { shards.append(shard) }
      }
      var tensors: [TensorView] = []
      for shard in shards.sorted() {
        for tensor in try SafetensorsFile(directory.appendingPathComponent(shard)).tensors {
          guard shardOf.removeValue(forKey: tensor.name) == shard else {
            throw ModelFileError(.mismatch, "tensor '\(tensor.name)' of \(shard) is not assigned to it by the index")
          }
          tensors.append(tensor)
        }
      }
      if let (name, shard) = shardOf.min(by: { $0.key < $1.key }) {
        throw ModelFileError(.missing, "tensor '\(name)' is not in \(shard) as the index says")
      }
      return tensors
    }
  }

  /// Whether a name stays inside its folder.
  static func isPlainFileName(_ name: String) -> Bool {
    !name.isEmpty && name != "." && name != ".." && !name.utf8.contains { $0 == UInt8(ascii: "/") || $0 == 0 }
  }

  // MARK: - Names

  private static func arrange(_ stored: [TensorView], _ configuration: ModelConfiguration) throws
    -> ([TensorView], [String])
  {
    var remaining: [String: TensorView] = [:]
    for tensor in stored {
      let name = canonicalName(tensor.name, configuration)
      guard remaining.updateValue(tensor, forKey: name) == nil else {
        throw ModelFileError(.mismatch, "two stored tensors are both '\(name)'")
      }
    }
    var tensors: [TensorView] = []
    for parameter in configuration.parameters {
      guard let tensor = remaining.removeValue(forKey: parameter.name) else {
        throw ModelFileError(.missing, "the weight '\(parameter.name)' of shape \(parameter.shape) is missing")
      }
      guard tensor.shape == parameter.shape else {
        throw ModelFileError(
          .mismatch, "tensor '\(tensor.name)' has shape \(tensor.shape), config.json asks for \(parameter.shape)")
      }
      guard tensor.type.isFloat else {
        throw ModelFileError(
          .unsupported, "tensor '\(tensor.name)' holds \(tensor.type.rawValue), expected F32, F16, BF16 or F64")
      }
      tensors.append(tensor.renamed(parameter.name))
    }
    var ignored: [String] = []
    for (name, tensor) in remaining.sorted(by: { $0.key < $1.key }) {
      guard isWithoutEffect(name, configuration) else {
        throw ModelFileError(
          .unsupported,
          "tensor '\(tensor.name)' does not belong to a \(configuration.architecture.rawValue) language model")
      }
      ignored.append(tensor.name)
    }
    return (tensors, ignored)
  }

  /// Hub checkpoints of the bare model lack the prefix of the language model class.
  private static func canonicalName(_ name: String, _ configuration: ModelConfiguration) -> String {
    let bare: [String]
    let prefix: String
    switch configuration.architecture {
    case .gpt2: (bare, prefix) = (["wte.", "wpe.", "h.", "ln_f."], "transformer.")
    case .roberta: (bare, prefix) = (["embeddings.", "encoder.", "pooler."], "roberta.")
    case .llama: (bare, prefix) = (["embed_tokens.", "layers.", "norm."], "model.")
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
    switch configuration.architecture {
    case .gpt2:
      return isLayer("transformer.h.", ["attn.bias", "attn.masked_bias"])
        || (configuration.tiedHead && name == "lm_head.weight")
    case .roberta:
      let buffers = [
        "roberta.embeddings.position_ids", "roberta.embeddings.token_type_ids", "roberta.pooler.dense.weight",
        "roberta.pooler.dense.bias", "lm_head.decoder.bias",
      ]
      return buffers.contains(name) || (configuration.tiedHead && name == "lm_head.decoder.weight")
    case .llama:
      return isLayer("model.layers.", ["self_attn.rotary_emb.inv_freq"])
        || (configuration.tiedHead && name == "lm_head.weight")
    }
  }
}

extension TensorView {
  /// The same elements under another name.
  func renamed(_ name: String) -> TensorView {
    TensorView(name: name, type: type, shape: shape, bytes: bytes, file: file)
  }
}
