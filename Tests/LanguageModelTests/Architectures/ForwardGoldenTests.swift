import Foundation
import TestSupport
import Testing

@testable import LanguageModel

/// Logits and losses against Transformers.
@Suite(.bounded) struct ForwardGoldenTests {
  private struct Sides: Decodable {
    let right: GoldenBatch
    let left: GoldenBatch
  }

  private func check(_ model: CausalLanguageModel, _ golden: GoldenBatch, _ comment: Comment) throws {
    for index in golden.input_ids.indices {
      let logits = try model.logits(golden.example(index).ids)
      #expect(relativeDifference(logits, golden.expectedLogits(index)) < 1e-4, comment)
    }
    let evaluation = try model.evaluate(golden.examples)
    #expect(abs(evaluation.loss - golden.loss) < 1e-5 * max(1, golden.loss), comment)
    guard let perToken = golden.per_token_loss else { return }
    for (row, expected) in perToken.enumerated() {
      let counted = golden.labels[row].dropFirst().enumerated().filter { $0.element != -100 }.map {
        expected[$0.offset]
      }
      #expect(evaluation.examples[row].tokens == counted.count)
      #expect(abs(evaluation.examples[row].sum - counted.reduce(0, +)) < 1e-4 * max(1, counted.reduce(0, +)), comment)
    }
  }

  @Test(arguments: ModelFixtures.models)
  func logitsAndLosses(_ name: String) throws {
    let golden = try Fixtures.decode(Sides.self, from: "goldens/lm/golden/forward-\(name).json")
    for (label, backend) in try ModelFixtures.backends() {
      let model = try ModelFixtures.model(name, on: backend)
      try check(model, golden.right, "\(label) right-padded")
      // Left padding changes positions in a plain forward of the reference only for GPT-2 and LLaMA; the goldens give
      // cumulative positions, which are ours.
      try check(model, golden.left, "\(label) left-padded")
    }
  }

  @Test(arguments: ["gpt2-bf16", "gpt2-noprefix", "gpt2-sharded", "llama-gqa-bf16", "llama-mha-sharded"])
  func storedForms(_ name: String) throws {
    let golden = try Fixtures.decode(GoldenBatch.self, from: "goldens/lm/golden/forward-\(name).json")
    for (label, backend) in try ModelFixtures.backends() {
      try check(try ModelFixtures.model(name, on: backend), golden, "\(label)")
    }
  }

  @Test(arguments: ModelFixtures.models)
  func packingChangesNothing(_ name: String) throws {
    let golden = try Fixtures.decode(Sides.self, from: "goldens/lm/golden/forward-\(name).json")
    let model = try ModelFixtures.model(name, on: ReferenceBackend())
    let together = try model.evaluate(golden.right.examples)
    for (index, example) in golden.right.examples.enumerated() {
      let alone = try model.evaluate([example])
      #expect(abs(alone.examples[0].sum - together.examples[index].sum) < 1e-6)
    }
  }
}
