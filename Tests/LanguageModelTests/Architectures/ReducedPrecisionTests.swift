import Foundation
import TestSupport
import Testing

@testable import LanguageModel

/// Products in bf16 stay close to 32 bits: losses and the direction of LoRA gradients.
@Suite(.bounded) struct ReducedPrecisionTests {
  @Test(arguments: LoRAGoldenTests.arguments)
  func closeToFull(_ name: String) throws {
    let path = "goldens/lm/golden/lora-\(name).json"
    let golden = try Fixtures.decode(LoRAGoldenTests.Golden.self, from: path)
    let batch = try Fixtures.decode(GoldenBatch.self, from: path)
    let modelName = ModelFixtures.models.first { name.hasPrefix($0) } ?? ""
    let model = try ModelFixtures.model(modelName, on: try CPUBackend(precision: .bfloat16, threads: 1))
    let adapter = try LoRAGoldenTests.adapter(golden, on: model)
    let loss = try model.evaluate(batch.examples, adapters: [adapter]).loss
    #expect(abs(loss - batch.loss) < 0.01 * batch.loss)
    let gradients = try LoRAGoldenTests().gradients(model, adapter, batch, false)
    for (module, value) in zip(adapter.modules, gradients) {
      let expected = LoRAGoldenTests.named(golden.grads, module)
      #expect(cosine(value.a + value.b, expected.a + expected.b) > 0.99, "\(module.layer.name)")
    }
  }

  private func cosine(_ a: [Float], _ b: [Float]) -> Float {
    let product = zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
    let norms = a.reduce(0) { $0 + $1 * $1 } * b.reduce(0) { $0 + $1 * $1 }
    return product / norms.squareRoot()
  }
}
