import CUDAEmulation
import TestSupport
import Testing

@testable import LanguageModel

extension EmulatedCUDATests {
  /// Whole models on the emulated device, against the reference implementation's numbers.
  struct Goldens {
    /// Logits, loss and LoRA gradients in 32 bits: as tight as the CPU's.
    @Test(arguments: ["gpt2-mixed", "roberta-parallel2", "llama-mha-two-active", "llama-gqa-mixed"])
    func logitsLossGradients(_ name: String) throws {
      try EmulatedCUDA.run {
        let (golden, batch, modelName) = try LoRAGoldenTests.load(name)
        let model = try ModelFixtures.model(modelName, on: try EmulatedCUDA.backend(.float32))
        let adapter = try LoRAGoldenTests.adapter(golden, on: model)
        let logits = try model.logits(batch.example(0).ids, adapters: [adapter])
        #expect(relativeDifference(logits, batch.expectedLogits(0)) < 1e-4)
        let loss = try model.evaluate(batch.examples, adapters: [adapter]).loss
        #expect(abs(loss - batch.loss) < 1e-5 * max(1, batch.loss))
        let gradients = try LoRAGoldenTests().gradients(model, adapter, batch, true)
        for (module, value) in zip(adapter.modules, gradients) {
          let expected = LoRAGoldenTests.named(golden.grads, module)
          #expect(relativeDifference(value.a, expected.a) < 1e-4, "A of \(module.layer.name)")
          #expect(relativeDifference(value.b, expected.b) < 1e-4, "B of \(module.layer.name)")
        }
      }
    }

    /// Twenty AdamW steps: 32 bits as tight as the CPU's, bf16 within the noise of its storage.
    @Test(arguments: [("gpt2-two-active", true), ("llama-gqa-two-active", true), ("llama-gqa-two-active", false)])
    func twentySteps(_ name: String, _ isExact: Bool) throws {
      try EmulatedCUDA.run {
        let (golden, batch, modelName) = try LoRAGoldenTests.load(name)
        let model = try ModelFixtures.model(modelName, on: try EmulatedCUDA.backend(isExact ? .float32 : .bfloat16))
        let adapter = try LoRAGoldenTests.adapter(golden, on: model)
        var options = TrainingOptions()
        options.epochs = golden.training.steps.count
        options.batchSize = batch.input_ids.count
        options.order = .sequential
        options.clip = nil  // the reference run did not clip
        var hooks = TrainingHooks()
        var seen: [TrainingProgress] = []
        hooks.progress = { seen.append($0) }
        try model.train(adapter, on: batch.examples, options: options, hooks: hooks)
        #expect(seen.count == golden.training.steps.count)
        for (progress, expected) in zip(seen, golden.training.steps) {
          let tolerance = isExact ? 1e-4 : 2e-2
          #expect(abs(progress.loss - expected.loss) < tolerance * expected.loss, "step \(progress.step)")
          #expect(abs(progress.gradientNorm - expected.grad_norm) < 10 * tolerance * expected.grad_norm)
        }
        guard isExact else { return }
        for (module, value) in zip(adapter.modules, try adapter.values()) {
          let expected = LoRAGoldenTests.named(golden.training.final_params, module)
          #expect(relativeDifference(value.a, expected.a) < 1e-3, "A of \(module.layer.name)")
          #expect(relativeDifference(value.b, expected.b) < 1e-3, "B of \(module.layer.name)")
        }
      }
    }

    /// All weights train: embeddings, norms, biases, tied head.
    @Test(arguments: ["gpt2", "llama-gqa"])
    func fullTraining(_ name: String) throws {
      try EmulatedCUDA.run {
        let example = TrainingExample(text: [5, 9, 200, 7, 7, 31, 9, 4, 100, 61, 62, 63])
        var options = TrainingOptions()
        options.epochs = 4
        options.learningRate = 1e-3
        var losses: [[Double]] = []
        for backend in [try EmulatedCUDA.backend(.float32), try CPUBackend(precision: .float32, threads: 1)]
          as [any Backend]
        {
          let model = try ModelFixtures.model(name, on: backend, trainable: true)
          losses.append(try model.train(on: [example, example], options: options).losses)
        }
        #expect(losses[0].count == 4)
        for (own, expected) in zip(losses[0], losses[1]) { #expect(abs(own - expected) < 1e-4 * expected) }
      }
    }

    /// Greedy continuations and sampled ones are those of the CPU.
    @Test(arguments: ["gpt2", "llama-gqa"])
    func generation(_ name: String) throws {
      try EmulatedCUDA.run {
        let prompts = [[5, 9, 200], [7], [31, 9, 4, 100, 61, 62, 63]]
        var greedy = GenerationOptions(maximumNewTokens: 12, stopIDs: [])
        var results: [[[Int]]] = []
        for backend in [try EmulatedCUDA.backend(.float32), try CPUBackend(precision: .float32, threads: 1)]
          as [any Backend]
        {
          let model = try ModelFixtures.model(name, on: backend)
          greedy.choice = .greedy
          var sampled = greedy
          sampled.choice = .sample(temperature: 0.8, topK: 20, topP: 0.9, seed: 4)
          results.append(try model.generate(prompts, options: greedy).map(\.ids))
          results.append(try model.generate(prompts, options: sampled).map(\.ids))
        }
        #expect(results[0] == results[2])
        #expect(results[1] == results[3])
      }
    }
  }
}
