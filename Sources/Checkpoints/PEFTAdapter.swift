import ModelFiles

/// A LoRA adapter in the form of a PEFT directory: `adapter_config.json` and `adapter_model.safetensors`.
///
/// Hu et al. 2022 (arXiv:2106.09685): h = Wx + s·BAx, A [r, in], B [out, r], s = alpha / r (or alpha / √r with
/// rank-stabilised scaling). Several parallel LoRAs of one layer are one pair: their A stacked by rows, their B by
/// columns; the block boundaries are kept in the sidecar `engram.json`, which PEFT ignores.
public struct PEFTAdapter: Hashable, Sendable {
  /// The pair of one linear layer.
  public struct Module: Hashable, Sendable {
    /// The layer's path in the model: `transformer.h.1.mlp.c_fc`.
    public var name: String
    /// alpha of this layer.
    public var alpha: Double
    /// r, the rows of A.
    public var rank: Int
    /// Columns of A.
    public var inputs: Int
    /// Rows of B.
    public var outputs: Int
    /// A, row-major [rank, inputs].
    public var a: [Float]
    /// B, row-major [outputs, rank].
    public var b: [Float]
    /// Ranks of the parallel blocks in order; they add up to `rank`.
    ///
    /// One block where nothing else is known.
    public var blocks: [Int]

    /// A pair of row-major matrices; one block unless `blocks` says otherwise.
    public init(
      name: String, alpha: Double, rank: Int, inputs: Int, outputs: Int, a: [Float], b: [Float], blocks: [Int]? = nil
    ) {
      self.name = name
      self.alpha = alpha
      self.rank = rank
      self.inputs = inputs
      self.outputs = outputs
      self.a = a
      self.b = b
      self.blocks = blocks ?? [rank]
    }
  }

  /// The base's name or path (`base_model_name_or_path`).
  public var baseModel: String?
  /// Whether s = alpha / √r instead of alpha / r.
  public var usesRankStabilizedScale: Bool
  /// Dropout of the adapter's input during training; no effect on what it computes.
  public var dropout: Double
  /// The adapted layers, sorted by layer and path.
  public var modules: [Module]
  /// Free strings that travel in the sidecar: provenance, fingerprints.
  public var provenance: [String: String]

  /// An adapter of some layers of a base.
  public init(
    baseModel: String?, modules: [Module], usesRankStabilizedScale: Bool = false, dropout: Double = 0,
    provenance: [String: String] = [:]
  ) {
    self.baseModel = baseModel
    self.modules = modules
    self.usesRankStabilizedScale = usesRankStabilizedScale
    self.dropout = dropout
    self.provenance = provenance
  }

  /// The base's name as it may be told to others: that on the Hub (`owner/name`), nil where it is a path or a bare word.
  public var publicBaseModel: String? {
    guard let baseModel else { return nil }
    let parts = baseModel.split(separator: "/", omittingEmptySubsequences: false)
    func isName(_ part: Substring) -> Bool {
      part.first.map { $0.isASCII && ($0.isLetter || $0.isNumber) } == true
        && part.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }
    }
    return parts.count == 2 && parts.allSatisfy(isName) ? baseModel : nil
  }

  /// s of a module.
  public func scale(of module: Module) -> Double {
    module.alpha / (usesRankStabilizedScale ? Double(module.rank).squareRoot() : Double(module.rank))
  }

  /// Files of an adapter directory.
  enum FileName {
    static let configuration = "adapter_config.json"
    static let weights = "adapter_model.safetensors"
    static let sidecar = "engram.json"
  }

  /// What PEFT puts in front of a module's path.
  static let tensorPrefix = "base_model.model."

  /// Checks sizes, blocks, that every number is finite and that every module is a linear layer of the model.
  func check(_ configuration: ModelConfiguration) throws {
    guard !modules.isEmpty else { throw ModelFileError(.missing, "the adapter has no module") }
    let known = Self.linearLayers(of: configuration)
    var seen: Set<String> = []
    for module in modules {
      guard let layer = known[module.name] else {
        throw ModelFileError(
          .unsupported,
          "'\(module.name)' is not a linear layer of a \(configuration.architecture.rawValue) model with "
            + "\(configuration.layerCount) layers")
      }
      guard seen.insert(module.name).inserted else {
        throw ModelFileError(.mismatch, "'\(module.name)' is adapted twice")
      }
      guard module.inputs == layer.inputs, module.outputs == layer.outputs, module.rank > 0,
        module.a.count == module.rank * module.inputs, module.b.count == module.outputs * module.rank
      else {
        throw ModelFileError(
          .mismatch,
          "'\(module.name)': A [\(module.rank), \(module.inputs)] and B [\(module.outputs), \(module.rank)] do not fit a "
            + "layer of \(layer.inputs) inputs and \(layer.outputs) outputs")
      }
      guard module.blocks.allSatisfy({ $0 > 0 }), module.blocks.reduce(0, +) == module.rank else {
        throw ModelFileError(
          .mismatch, "'\(module.name)': blocks \(module.blocks) do not add up to rank \(module.rank)")
      }
      guard Float(scale(of: module)).isFinite else {
        throw ModelFileError(
          .malformed, "'\(module.name)': the scale that follows from alpha \(module.alpha) is not finite")
      }
      for (matrix, values) in [("lora_A", module.a), ("lora_B", module.b)] {
        guard let index = values.firstIndex(where: { !$0.isFinite }) else { continue }
        let element = NonFiniteElement(tensor: "\(module.name).\(matrix)", index: index, value: values[index])
        throw ModelFileError(.malformed, "the adapter's \(element)")
      }
    }
  }

  /// Every adaptable layer of a model: path → sizes and order.
  static func linearLayers(of configuration: ModelConfiguration)
    -> [String: (inputs: Int, outputs: Int, order: Int, layer: Int, path: String)]
  {
    var layers: [String: (inputs: Int, outputs: Int, order: Int, layer: Int, path: String)] = [:]
    for layer in 0..<configuration.layerCount {
      for module in configuration.linearModules {
        layers["\(configuration.layerPath(layer)).\(module.path)"] = (
          module.inputs, module.outputs, layers.count, layer, module.path
        )
      }
    }
    return layers
  }
}
