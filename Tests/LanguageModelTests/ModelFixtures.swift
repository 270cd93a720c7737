import Foundation
import TestSupport

@testable import LanguageModel

/// Models and reference numbers of `goldens/lm`.
enum ModelFixtures {
  static let models = ["gpt2", "roberta", "llama-mha", "llama-gqa"]
  static let cases = ["two-active", "parallel2", "mixed"]

  static func checkpoint(_ name: String) throws -> Checkpoint {
    try Checkpoint(Fixtures.url("goldens/lm/models/\(name)"))
  }

  static func model(_ name: String, on backend: any Backend, trainable: Bool = false) throws -> CausalLanguageModel {
    try CausalLanguageModel(try checkpoint(name), backend: backend, trainable: trainable)
  }

  /// The backends that the reference numbers are checked on, with a factor for tolerances.
  static func backends() throws -> [(name: String, backend: any Backend)] {
    [("reference", ReferenceBackend()), ("cpu", try CPUBackend(precision: .float32, threads: 2))]
  }
}

/// A padded batch of the reference.
struct GoldenBatch: Decodable {
  let input_ids: [[Int]]
  let attention_mask: [[Int]]
  let labels: [[Int]]
  let logits: [[[Float]]]
  let loss: Double
  let per_token_loss: [[Double]]?

  /// Row `index` without its padding.
  func example(_ index: Int) -> TrainingExample {
    let kept = attention_mask[index].indices.filter { attention_mask[index][$0] == 1 }
    return TrainingExample(ids: kept.map { input_ids[index][$0] }, labels: kept.map { labels[index][$0] })
  }

  var examples: [TrainingExample] { input_ids.indices.map(example) }

  /// Logits of row `index` without padding, row-major.
  func expectedLogits(_ index: Int) -> [Float] {
    attention_mask[index].indices.filter { attention_mask[index][$0] == 1 }.flatMap { logits[index][$0] }
  }
}

/// max |a − b| / max |b|.
func relativeDifference(_ a: [Float], _ b: [Float]) -> Double {
  guard a.count == b.count else { return .infinity }
  var difference = 0.0
  var largest = 0.0
  for (x, y) in zip(a, b) {
    let delta = Double(abs(x - y))
    difference = delta.isNaN ? .infinity : max(difference, delta)
    largest = max(largest, Double(abs(y)))
  }
  return largest == 0 ? difference : difference / largest
}
