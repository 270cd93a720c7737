import Foundation
import ModelFiles
import StrictJSON

extension PEFTAdapter {
  /// Reads a PEFT directory for a model.
  ///
  /// Bit-exact for f32 weights; f16 and bf16 are widened.
  ///
  /// Throws `ModelFileError` for every key, tensor, target or rank that would make the adapter compute something else
  /// here than in PEFT.
  public init(directory: URL, for configuration: ModelConfiguration) throws {
    let configURL = directory.appendingPathComponent(FileName.configuration)
    let object = try JSONObject(contentsOf: configURL, limit: 16 << 20)
    let config = try naming(configURL.path) { try PEFTConfiguration(object) }
    let weightsURL = directory.appendingPathComponent(FileName.weights)
    guard FileManager.default.fileExists(atPath: weightsURL.path) else {
      let pickled = FileManager.default.fileExists(atPath: directory.appendingPathComponent("adapter_model.bin").path)
      let remedy = pickled ? "; adapter_model.bin is not read (pickles run code): save with safe_serialization" : ""
      throw ModelFileError(.missing, "no \(FileName.weights)\(remedy)", file: directory.path)
    }
    let file = try SafetensorsFile(weightsURL)
    let pairs = try naming(weightsURL.path) { try Self.pairs(file.tensors) }
    let sidecar = try Self.sidecar(directory)
    baseModel = config.baseModel
    usesRankStabilizedScale = config.usesRankStabilizedScale
    dropout = config.dropout
    provenance = sidecar.provenance
    let layers = Self.linearLayers(of: configuration)
    modules = try naming(directory.path) {
      try Self.checkTargets(config, pairs, configuration)
      return try pairs.map { name, pair in
        guard let layer = layers[name] else { throw Self.unknownModule(name, configuration) }
        let rank = config.rank(of: name)
        guard pair.a.shape == [rank, layer.inputs], pair.b.shape == [layer.outputs, rank] else {
          throw ModelFileError(
            .mismatch,
            "'\(name)': A is \(pair.a.shape) and B \(pair.b.shape); rank \(rank) and the model's layer need "
              + "A [\(rank), \(layer.inputs)] and B [\(layer.outputs), \(rank)]")
        }
        for matrix in [pair.a, pair.b] {
          if let element = matrix.firstNonFinite() {
            throw ModelFileError(
              .malformed, "the adapter's \(element); such an adapter cannot be used", file: weightsURL.path)
          }
        }
        return Module(
          name: name, alpha: config.alpha(of: name), rank: rank, inputs: pair.a.shape[1], outputs: pair.b.shape[0],
          a: try pair.a.float32Values(), b: try pair.b.float32Values(), blocks: sidecar.blocks[name])
      }
    }
    modules.sort { (layers[$0.name]?.order ?? 0) < (layers[$1.name]?.order ?? 0) }
    try naming(directory.path) {
      for name in sidecar.blocks.keys.sorted() where pairs[name] == nil {
        throw ModelFileError(.mismatch, "\(FileName.sidecar) describes '\(name)', which is not in the adapter")
      }
      try check(configuration)
    }
  }

  /// Compares what the configuration adapts with the tensors that are there.
  ///
  /// Refuses what cannot be adapted here, what has no tensors, and tensors that the configuration does not adapt.
  private static func checkTargets(
    _ config: PEFTConfiguration, _ pairs: [String: (a: TensorView, b: TensorView)], _ model: ModelConfiguration
  ) throws {
    let architecture = model.architecture
    for (name, kind) in model.otherModules where config.adapts(name, kind: kind, of: architecture) {
      throw ModelFileError(.unsupported, "\(FileName.configuration) adapts '\(name)', which \(kind.refusal)")
    }
    let names = linearLayers(of: model).sorted { $0.value.order < $1.value.order }.map(\.key)
    let adapted = Set(names.filter { config.adapts($0, kind: .blockLinear, of: architecture) })
    guard !adapted.isEmpty else {
      throw ModelFileError(
        .mismatch, "\(FileName.configuration) adapts no module of this \(architecture.rawValue) model")
    }
    if let name = names.first(where: { adapted.contains($0) && pairs[$0] == nil }) {
      throw ModelFileError(.missing, "\(FileName.configuration) adapts '\(name)', but its tensors are missing")
    }
    for name in pairs.keys.sorted() where !adapted.contains(name) {
      guard names.contains(name) else { throw unknownModule(name, model) }
      throw ModelFileError(
        .mismatch, "tensors of '\(name)' are there, but \(FileName.configuration) does not adapt it")
    }
  }

  private static func unknownModule(_ name: String, _ model: ModelConfiguration) -> ModelFileError {
    let kind = model.otherModules.first { $0.name == name }?.kind
    return ModelFileError(
      .unsupported,
      "the adapter has tensors for '\(name)', which "
        + (kind?.refusal
          ?? "is not part of a \(model.architecture.rawValue) model with \(model.layerCount) layers"))
  }

  /// A and B of every module path.
  ///
  /// Refuses tensors that are anything else.
  private static func pairs(_ tensors: [TensorView]) throws -> [String: (a: TensorView, b: TensorView)] {
    var found: [String: (a: TensorView?, b: TensorView?)] = [:]
    for tensor in tensors {
      guard tensor.name.hasPrefix(tensorPrefix), tensor.shape.count == 2 else {
        throw ModelFileError(.unsupported, "tensor '\(tensor.name)' is not a LoRA matrix")
      }
      let path = tensor.name.dropFirst(tensorPrefix.count)
      if path.hasSuffix(".lora_A.weight") {
        found[String(path.dropLast(".lora_A.weight".count)), default: (nil, nil)].a = tensor
      } else if path.hasSuffix(".lora_B.weight") {
        found[String(path.dropLast(".lora_B.weight".count)), default: (nil, nil)].b = tensor
      } else {
        throw ModelFileError(.unsupported, "tensor '\(tensor.name)' is not a LoRA matrix")
      }
    }
    return try Dictionary(
      uniqueKeysWithValues: found.map { name, pair in
        guard let a = pair.a, let b = pair.b else {
          throw ModelFileError(.missing, "'\(name)' has only one of lora_A and lora_B")
        }
        return (name, (a, b))
      })
  }

  /// Blocks and provenance of `engram.json`, empty where there is none.
  private static func sidecar(_ directory: URL) throws -> (blocks: [String: [Int]], provenance: [String: String]) {
    let url = directory.appendingPathComponent(FileName.sidecar)
    guard FileManager.default.fileExists(atPath: url.path) else { return ([:], [:]) }
    let object = try JSONObject(contentsOf: url, limit: 16 << 20)
    return try naming(url.path) {
      for (key, _) in object.members where !["version", "blocks", "provenance"].contains(key) {
        throw ModelFileError(.unsupported, "the key '\(key)' is not known")
      }
      guard try object.integer("version") == 1 else {
        throw ModelFileError(.unsupported, "'version' must be 1; a newer program wrote this file")
      }
      var blocks: [String: [Int]] = [:]
      for (name, value) in try object.object("blocks")?.members ?? [] {
        guard let ranks = value.arrayValue?.map(\.integerValue), ranks.allSatisfy({ (1...(1 << 20)).contains($0 ?? 0) })
        else { throw ModelFileError(.malformed, "'blocks' entry '\(name)' must be an array of ranks") }
        blocks[name] = ranks.compactMap { $0 }
      }
      var provenance: [String: String] = [:]
      for (key, value) in try object.object("provenance")?.members ?? [] {
        guard let text = value.stringValue else {
          throw ModelFileError(.malformed, "'provenance' entry '\(key)' must be a string")
        }
        provenance[key] = text
      }
      return (blocks, provenance)
    }
  }
}
