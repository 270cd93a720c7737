import RandomStreams

/// Initial weights of a model that is trained from the beginning.
///
/// As the reference does it: matrices and embeddings normal with the configuration's standard deviation, GPT-2's
/// projections back to the residual stream narrower by 1/√(2L) (Radford et al. 2019, §2.3), biases 0, norms 1.
struct WeightInitializer {
  private let configuration: ModelConfiguration
  private let seed: UInt64
  private let shapes: [String: [Int]]

  init(_ configuration: ModelConfiguration, seed: UInt64) {
    self.configuration = configuration
    self.seed = seed
    shapes = Dictionary(
      configuration.parameters.map { ($0.name, $0.shape) }, uniquingKeysWith: { first, _ in first })
  }

  /// The initial values of the weight with a checkpoint name, from a stream of its own.
  func weight(_ name: String) throws -> any WeightSource {
    guard let shape = shapes[name] else {
      throw ModelFileError(.missing, "the model has no weight '\(name)'")
    }
    let count = shape.reduce(1, *)
    guard shape.count > 1 else {
      return ArrayWeight([Float](repeating: name.hasSuffix(".bias") ? 0 : 1, count: count), shape: shape)
    }
    var deviation = configuration.initializerRange
    if configuration.architecture == .gpt2, name.hasSuffix("c_proj.weight") {
      deviation /= (2 * Double(configuration.layerCount)).squareRoot()
    }
    var stream = RandomStream(seed: seed, purpose: "model/init/\(name)")
    var values: [Float] = []
    values.reserveCapacity(count)
    for _ in 0..<count { values.append(Float(stream.normal() * deviation)) }
    return ArrayWeight(values, shape: shape)
  }
}
