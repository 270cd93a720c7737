import TestSupport
import Testing

@testable import LanguageModel

/// The arithmetic of "does it fit".
@Suite(.bounded) struct TrainingMemoryTests {
  private func llama(width: Int, feedForward: Int, layers: Int, heads: Int) -> ModelConfiguration {
    ModelConfiguration(
      architecture: .llama, vocabularySize: 32_000, hiddenSize: width, intermediateSize: feedForward,
      layerCount: layers, headCount: heads, positionCount: 4096)
  }

  /// θ with effective rank `rank` on every up and down projection, in bf16 with 32-bit parameters.
  private func need(
    _ model: ModelConfiguration, rank: Int, longest: Int, room: Int? = nil,
    _ checkpointing: TrainingOptions.Checkpointing = .automatic
  ) throws -> TrainingMemory {
    var options = TrainingOptions()
    options.activationCheckpointing = checkpointing
    let plan = AdapterPlan(layers: Array(0..<model.layerCount), count: 1, rank: rank, targets: ["up", "down"])
    return TrainingMemory(
      DecoderShape(model), try plan.modules(for: model), longest: longest, options: options, room: room,
      numberBytes: 2, logits: CUDABackend.logitRows(vocabulary: model.vocabularySize, of: longest) * 32_000 * 6)
  }

  /// Each part written out for LLaMA-2 7B with n·r = 16 and one pass of 8 x 256 tokens.
  @Test func theArithmetic() throws {
    let (d, f, layers, heads, rank, tokens) = (4096, 11_008, 32, 32, 16, 2048)
    let seven = llama(width: d, feedForward: f, layers: layers, heads: heads)
    let own = try need(seven, rank: rank, longest: tokens)
    let parameters = layers * 2 * rank * (d + f)
    #expect(parameters == 15_466_496)
    #expect(own.parameters == 4 * parameters)
    #expect(own.optimizer == 12 * parameters)
    #expect(own.copies == 2 * parameters)
    // Kept of a token in bf16: of attention its input, two statistics, queries | keys | values, the output and a
    // denominator per head; of the feed-forward its input, two statistics and gate | up. Layer 0's attention keeps
    // nothing: below the lowest LoRA nothing is kept.
    let attention = d + 2 + 3 * d + d + heads
    let feedForward = d + 2 + 2 * f
    let kept = 2 * ((layers - 1) * attention + layers * feedForward)
    let passing = 2 * (6 * d + 3 * 2 * f + attention + feedForward)
    // xAᵀ of both branches of each layer, and one layer's gradients of them.
    let projected = 2 * (layers * 2 * rank + 2 * rank)
    #expect(own.activations == tokens * (kept + passing + projected))
    #expect(own.logits == 1048 * 32_000 * 6)
    #expect(!own.checkpointing)
  }

  /// What an 80 GB device holds beside the resident base: an estimate, not a measurement.
  @Test(arguments: [
    // (size, n·r, fits)
    (7, 16, true), (7, 512, true), (7, 1024, true), (7, 2048, true), (7, 4096, false),
    (13, 16, true), (13, 128, true), (13, 512, true), (13, 2048, false),
  ])
  func eightyGigabytes(_ size: Int, _ rank: Int, _ fits: Bool) throws {
    let model =
      size == 7
      ? llama(width: 4096, feedForward: 11_008, layers: 32, heads: 32)
      : llama(width: 5120, feedForward: 13_824, layers: 40, heads: 40)
    let (d, f, layers) = (model.hiddenSize, DecoderShape(model).feedForward, model.layerCount)
    let base = 2 * (layers * (4 * d * d + 3 * d * f) + 2 * model.vocabularySize * d)
    // 32 MiB of cuBLASLt's workspace, 1 GB for the driver's context and the kernels.
    let room = 80_000_000_000 - base - (32 << 20) - 1_000_000_000
    // Batches can be cut down to one example: that decides whether θ fits at all.
    let least = try need(model, rank: rank, longest: 512, room: room).total
    #expect((least <= room) == fits, "\(least >> 20) MiB for \(room >> 20)")
    if fits {
      // Whole batches of 8 x 256 go through at once, without computing anything twice.
      let whole = try need(model, rank: rank, longest: 2048, room: room)
      #expect(whole.total <= room && !whole.checkpointing)
    }
  }

  /// Where the optimizer leaves too little for the activations, layers are computed again in backward.
  @Test func checkpointingIsChosenWhereNeeded() throws {
    let thirteen = llama(width: 5120, feedForward: 13_824, layers: 40, heads: 40)
    let plain = try need(thirteen, rank: 512, longest: 4096, .never)
    let layered = try need(thirteen, rank: 512, longest: 4096, .always)
    #expect(layered.activations * 4 < plain.activations)
    let room = (plain.total + layered.total) / 2
    let chosen = try need(thirteen, rank: 512, longest: 4096, room: room)
    #expect(chosen == layered && chosen.total <= room)
    #expect(try need(thirteen, rank: 512, longest: 4096, room: plain.total) == plain)
  }

  /// A backend with a limit refuses by arithmetic, with the parts; without one nothing is refused.
  @Test func refusal() throws {
    let plan = AdapterPlan(layers: [0, 1, 2], count: 32, rank: 96)
    let examples = [TrainingExample(text: [1, 2, 3, 4])]
    let free = try ModelFixtures.model("gpt2", on: try CPUBackend(precision: .float32, threads: 1))
    try free.requireMemory(plan, on: examples)
    let backend = try CPUBackend(precision: .float32, threads: 1, memoryLimit: 30 << 20)
    let model = try ModelFixtures.model("gpt2", on: backend)
    let peak = backend.memory.peak
    let error = #expect(throws: BackendError.self) { try model.requireMemory(plan, on: examples) }
    #expect(error?.code == .outOfMemory)
    #expect(error?.message.contains("gradients and optimizer") == true)
    #expect(backend.memory.peak == peak, "something was allocated")
    try model.requireMemory(AdapterPlan(layers: [0], count: 1, rank: 2), on: examples)
  }
}
