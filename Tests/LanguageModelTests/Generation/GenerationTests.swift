import Foundation
import TestSupport
import Testing

@testable import LanguageModel

/// Greedy text against Transformers; sampling by its properties.
@Suite(.bounded) struct GenerationTests {
  private struct Golden: Decodable {
    struct Forced: Decodable {
      let eos_token_id: Int
      let new_tokens: [[Int]]
    }
    let prompts: [[Int]]
    let eos_token_id: Int
    let new_tokens: [[Int]]
    let forced_eos: Forced
  }

  @Test(arguments: ModelFixtures.models)
  func greedyEqualsReference(_ name: String) throws {
    let golden = try Fixtures.decode(Golden.self, from: "goldens/lm/golden/generate-\(name).json")
    for (label, backend) in try ModelFixtures.backends() {
      let model = try ModelFixtures.model(name, on: backend)
      for batchSize in [nil, 1, 3] {
        let options = GenerationOptions(
          maximumNewTokens: 16, stopIDs: [golden.eos_token_id], batchSize: batchSize)
        #expect(try model.generate(golden.prompts, options: options).map(\.ids) == golden.new_tokens, "\(label)")
        let forced = GenerationOptions(
          maximumNewTokens: 16, stopIDs: [golden.forced_eos.eos_token_id], batchSize: batchSize)
        let results = try model.generate(golden.prompts, options: forced)
        #expect(results.map(\.ids) == golden.forced_eos.new_tokens, "\(label)")
        for result in results {
          #expect((result.end == .stop) == (result.ids.last == golden.forced_eos.eos_token_id))
        }
      }
    }
  }

  @Test func samplingDoesNotDependOnTheBatch() throws {
    let model = try ModelFixtures.model("gpt2", on: ReferenceBackend())
    let prompts = [[5, 6, 7], [8], [9, 10, 11, 12]]
    var options = GenerationOptions(maximumNewTokens: 8, stopIDs: [])
    options.choice = .sample(temperature: 1, topK: 20, topP: 0.9, seed: 3)
    let together = try model.generate(prompts, options: options)
    options.batchSize = 1
    #expect(try model.generate(prompts, options: options) == together)
    options.choice = .sample(temperature: 1, topK: 1, topP: nil, seed: 3)
    let coldest = try model.generate(prompts, options: options)
    options.choice = .greedy
    #expect(try model.generate(prompts, options: options) == coldest)
  }

  @Test func stopsAtTheLongestSequence() throws {
    let model = try ModelFixtures.model("gpt2", on: ReferenceBackend())
    let limit = model.configuration.maximumLength
    let prompt = [Int](repeating: 7, count: limit - 3)
    let result = try model.generate([prompt], options: GenerationOptions(maximumNewTokens: 50, stopIDs: []))[0]
    #expect(result.end == .context)
    #expect(result.ids.count == 4)
  }

  @Test func refusesBadPrompts() throws {
    let model = try ModelFixtures.model("gpt2", on: ReferenceBackend())
    #expect(throws: GenerationError.self) { try model.generate([[]]) }
    #expect(throws: GenerationError.self) { try model.generate([[300]]) }
    #expect(throws: GenerationError.self) { try model.generate([[Int](repeating: 1, count: 65)]) }
  }

  @Test func nucleus() {
    let logits: [Float] = [2, 1, 0, -5]
    // Probabilities 0.66, 0.24, 0.09, 0.0006: a mass of 0.8 keeps two.
    for draw in 0..<20 {
      let uniform = (Double(draw) + 0.5) / 20
      #expect(TokenSampler.draw(logits, temperature: 1, topP: 0.8, uniform: uniform) < 2)
      #expect(TokenSampler.draw(logits, temperature: 0.05, topP: nil, uniform: uniform) == 0)
    }
    #expect(TokenSampler.draw(logits, temperature: 1, topP: nil, uniform: 0.95) == 2)
  }
}
