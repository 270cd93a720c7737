import Foundation
import TestSupport
import Testing

@testable import LanguageModel

/// LoRA forward, gradients and 20 AdamW steps against PyTorch + PEFT.
@Suite(.bounded) struct LoRAGoldenTests {
  struct Golden: Decodable {
    struct Block: Decodable {
      let A: [[Float]]
      let B: [[Float]]
    }
    struct Step: Decodable {
      let lr: Double
      let loss: Double
      let grad_norm: Double
    }
    struct Training: Decodable {
      let steps: [Step]
      let final_loss: Double
      let final_params: [String: [[Float]]]
    }
    let rank: Int
    let scaling: Float
    let lora: [String: [Block]]
    let grads: [String: [[Float]]]
    let training: Training
  }

  /// Stacks blocks: A by rows, B by columns.
  static func stack(_ blocks: [(a: [[Float]], b: [[Float]])]) -> AdapterValues {
    let a = blocks.flatMap { $0.a.flatMap { $0 } }
    let b = blocks[0].b.indices.flatMap { row in blocks.flatMap { $0.b[row] } }
    return AdapterValues(a: a, b: b)
  }

  static func adapter(_ golden: Golden, on model: CausalLanguageModel) throws -> Adapter {
    let layers = model.linearLayers.filter { golden.lora[$0.name] != nil }
    #expect(layers.count == golden.lora.count)
    let modules = layers.map { layer in
      AdapterModule(
        layer: layer, blockRanks: (golden.lora[layer.name] ?? []).map { $0.A.count }, scale: golden.scaling)
    }
    let values = layers.map { layer in stack((golden.lora[layer.name] ?? []).map { ($0.A, $0.B) }) }
    return try Adapter(modules, values: values, backend: model.backend)
  }

  static func named(_ tensors: [String: [[Float]]], _ module: AdapterModule) -> AdapterValues {
    stack(
      module.blockRanks.indices.map { index in
        (
          tensors["\(module.layer.name).lora\(index).A"] ?? [], tensors["\(module.layer.name).lora\(index).B"] ?? []
        )
      })
  }

  static let arguments = ModelFixtures.models.flatMap { model in ModelFixtures.cases.map { "\(model)-\($0)" } }

  /// The reference numbers of a case, its batch and its model's name.
  static func load(_ name: String) throws -> (Golden, GoldenBatch, String) {
    let path = "goldens/lm/golden/lora-\(name).json"
    let model = ModelFixtures.models.first { name.hasPrefix($0) } ?? ""
    return (try Fixtures.decode(Golden.self, from: path), try Fixtures.decode(GoldenBatch.self, from: path), model)
  }

  @Test(arguments: arguments)
  func logitsLossGradients(_ name: String) throws {
    let (golden, batch, modelName) = try Self.load(name)
    for (label, backend) in try ModelFixtures.backends() {
      let model = try ModelFixtures.model(modelName, on: backend)
      let adapter = try Self.adapter(golden, on: model)
      for index in batch.input_ids.indices {
        let logits = try model.logits(batch.example(index).ids, adapters: [adapter])
        #expect(relativeDifference(logits, batch.expectedLogits(index)) < 1e-4, "\(label)")
      }
      let loss = try model.evaluate(batch.examples, adapters: [adapter]).loss
      #expect(abs(loss - batch.loss) < 1e-5 * max(1, batch.loss), "\(label)")
      for checkpointing in [false, true] {
        let gradients = try self.gradients(model, adapter, batch, checkpointing)
        for (module, value) in zip(adapter.modules, gradients) {
          let expected = Self.named(golden.grads, module)
          #expect(relativeDifference(value.a, expected.a) < 1e-4, "\(label) A of \(module.layer.name)")
          #expect(relativeDifference(value.b, expected.b) < 1e-4, "\(label) B of \(module.layer.name)")
        }
      }
    }
  }

  /// Rows without a label are left out of the last feed-forward and of the head where that saves work: nothing that
  /// counts may depend on it.
  @Test(arguments: arguments)
  func rowsWithoutLabelsChangeNothing(_ name: String) throws {
    let (golden, batch, modelName) = try Self.load(name)
    var examples = batch.examples
    for index in examples.indices {
      for position in examples[index].labels.indices where (position + index) % 3 != 0 {
        examples[index].labels[position] = TrainingExample.ignored
      }
    }
    for (label, backend) in try ModelFixtures.backends() {
      let model = try ModelFixtures.model(modelName, on: backend)
      let adapter = try Self.adapter(golden, on: model)
      let packed = PackedBatch(examples, shape: DecoderShape(model.configuration))
      #expect(packed.rows.count * 5 <= packed.tokens.count * 4 && packed.rows.count > 2)
      try adapter.attachGradients()
      defer { adapter.dropGradients() }
      let branches = BranchTable([adapter], layers: model.configuration.layerCount)
      func run(prunes: Bool, checkpointing: Bool) throws -> ([Float], [AdapterValues]) {
        if let tensor = adapter.arena.gradients { try backend.fill(tensor, with: 0) }
        let losses = try model.decoder.losses(
          packed, branches, scale: 1 / Float(packed.targets.count), checkpointing: checkpointing, prunes: prunes)
        return (losses, try adapter.gradientValues() ?? [])
      }
      let (losses, gradients) = try run(prunes: false, checkpointing: false)
      #expect(gradients.contains { $0.a.contains { $0 != 0 } }, "\(label): nothing was compared")
      for checkpointing in [false, true] {
        let (other, otherGradients) = try run(prunes: true, checkpointing: checkpointing)
        #expect(relativeDifference(other, losses) < 1e-6, "\(label)")
        for (value, expected) in zip(otherGradients, gradients) {
          #expect(relativeDifference(value.a, expected.a) < 1e-5, "\(label)")
          #expect(relativeDifference(value.b, expected.b) < 1e-5, "\(label)")
        }
      }
    }
  }

  func gradients(
    _ model: CausalLanguageModel, _ adapter: Adapter, _ batch: GoldenBatch, _ checkpointing: Bool
  ) throws -> [AdapterValues] {
    try adapter.attachGradients()
    defer { adapter.dropGradients() }
    if let tensor = adapter.arena.gradients { try model.backend.fill(tensor, with: 0) }
    let packed = PackedBatch(batch.examples, shape: DecoderShape(model.configuration))
    let branches = BranchTable([adapter], layers: model.configuration.layerCount)
    _ = try model.decoder.losses(
      packed, branches, scale: 1 / Float(packed.targets.count), checkpointing: checkpointing)
    return try adapter.gradientValues() ?? []
  }

  @Test(arguments: arguments)
  func twentySteps(_ name: String) throws {
    let (golden, batch, modelName) = try Self.load(name)
    for (label, backend) in try ModelFixtures.backends() {
      for cacheBytes in [0, 1 << 20] {
        let model = try ModelFixtures.model(modelName, on: backend)
        let adapter = try Self.adapter(golden, on: model)
        var options = TrainingOptions()
        options.epochs = golden.training.steps.count
        options.batchSize = batch.input_ids.count
        options.order = .sequential
        options.clip = nil  // the reference run did not clip
        options.prefixCacheBytes = cacheBytes
        var hooks = TrainingHooks()
        var seen: [TrainingProgress] = []
        hooks.progress = { seen.append($0) }
        try model.train(adapter, on: batch.examples, options: options, hooks: hooks)
        #expect(seen.count == golden.training.steps.count)
        for (progress, expected) in zip(seen, golden.training.steps) {
          #expect(abs(progress.learningRate - expected.lr) < 1e-9, "\(label)")
          #expect(abs(progress.loss - expected.loss) < 1e-4 * expected.loss, "\(label) step \(progress.step)")
          #expect(abs(progress.gradientNorm - expected.grad_norm) < 1e-3 * expected.grad_norm, "\(label)")
        }
        let loss = try model.evaluate(batch.examples, adapters: [adapter]).loss
        #expect(abs(loss - golden.training.final_loss) < 1e-4 * loss, "\(label)")
        for (module, value) in zip(adapter.modules, try adapter.values()) {
          let expected = Self.named(golden.training.final_params, module)
          #expect(relativeDifference(value.a, expected.a) < 1e-3, "\(label) A of \(module.layer.name)")
          #expect(relativeDifference(value.b, expected.b) < 1e-3, "\(label) B of \(module.layer.name)")
        }
      }
    }
  }
}
