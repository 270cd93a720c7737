import Testing

@testable import LanguageModel

/// What fits on one device of 80 GB, by the engine's own estimates: an estimate, not a measurement.
struct CUDAFeasibilityTests {
  private func llama(width: Int, feedForward: Int, layers: Int, heads: Int) -> ModelConfiguration {
    ModelConfiguration(
      architecture: .llama, vocabularySize: 32_000, hiddenSize: width, intermediateSize: feedForward,
      layerCount: layers,
      headCount: heads, positionCount: 4096)
  }

  /// Bytes of training θ with effective rank `rank` on every up and down projection, 2048 tokens at once.
  private func bytes(_ model: ModelConfiguration, rank: Int, checkpointing: Bool) -> Int {
    let shape = DecoderShape(model)
    let (d, f, layers) = (model.hiddenSize, shape.feedForward, model.layerCount)
    let base = 2 * (layers * (4 * d * d + 3 * d * f) + 2 * model.vocabularySize * d)
    // Parameters, gradients and two moments in 32 bits, a bf16 copy of the parameters.
    let adapter = 18 * layers * 2 * rank * (d + f)
    let tokens = 2048
    let estimate = ActivationEstimate(shape, lowest: 0, keepsInputs: false, numberBytes: 2)
    let projections = checkpointing ? 4 * tokens * rank * 2 : layers * 2 * tokens * rank * 2
    let logits = CUDABackend.logitRows(vocabulary: model.vocabularySize, of: tokens) * model.vocabularySize * 6
    return base + adapter + tokens * estimate.bytes(checkpointing: checkpointing) + projections + logits + (32 << 20)
  }

  @Test func sevenAndThirteenBillion() {
    let seven = llama(width: 4096, feedForward: 11_008, layers: 32, heads: 32)
    let thirteen = llama(width: 5120, feedForward: 13_824, layers: 40, heads: 40)
    let device = 80_000_000_000
    #expect(bytes(seven, rank: 2048, checkpointing: false) < device)
    #expect(bytes(thirteen, rank: 512, checkpointing: false) < device)
    #expect(bytes(thirteen, rank: 2048, checkpointing: true) > device)
  }
}
