import TestSupport
import Testing

@testable import LanguageModel

/// Schedules and the order of examples.
@Suite(.bounded) struct TrainingOptionsTests {
  @Test func schedules() {
    var options = TrainingOptions()
    options.learningRate = 1
    #expect(options.learningRate(step: 0, of: 20) == 0)
    #expect(options.learningRate(step: 1, of: 20) == 0.5)
    #expect(options.learningRate(step: 2, of: 20) == 1)
    #expect(abs(options.learningRate(step: 3, of: 20) - 17.0 / 18) < 1e-12)
    #expect(abs(options.learningRate(step: 19, of: 20) - 1.0 / 18) < 1e-12)
    options.schedule = .cosine(minimum: 0.1)
    #expect(options.learningRate(step: 2, of: 20) == 1)
    #expect(abs(options.learningRate(step: 20, of: 20) - 0.1) < 1e-12)
    #expect(abs(options.learningRate(step: 11, of: 20) - 0.55) < 1e-12)
    options.schedule = .constant
    #expect(options.learningRate(step: 15, of: 20) == 1)
    options.warmup = 0
    #expect(options.learningRate(step: 0, of: 20) == 1)
  }

  @Test func everyEpochShowsEveryExampleOnce() {
    let lengths = (0..<103).map { $0 * 7 % 31 + 1 }
    for order in [TrainingOptions.Order.shuffled, .bucketed, .sequential] {
      var options = TrainingOptions()
      options.order = order
      options.batchSize = 8
      let first = options.batches(epoch: 0, lengths: lengths)
      let second = options.batches(epoch: 1, lengths: lengths)
      #expect(first.count == 13)
      #expect(first.flatMap { $0 }.sorted() == Array(0..<103))
      #expect((first == second) == (order == .sequential))
      #expect(options.batches(epoch: 1, lengths: lengths) == second)
    }
  }

  @Test func bucketsHoldSimilarLengths() {
    let lengths = (0..<512).map { $0 * 37 % 101 }
    func spread(_ order: TrainingOptions.Order) -> Int {
      var options = TrainingOptions()
      options.order = order
      return options.batches(epoch: 0, lengths: lengths).reduce(0) { total, batch in
        let sizes = batch.map { lengths[$0] }
        return total + (sizes.max() ?? 0) - (sizes.min() ?? 0)
      }
    }
    #expect(spread(.bucketed) * 4 < spread(.shuffled))
  }

  @Test func tokensBehindTheLastLabelAreLeftOut() {
    let batch = PackedBatch(
      [
        TrainingExample(ids: [5, 6, 7, 8], labels: [-100, 6, -100, -100]),
        TrainingExample(text: [4, 2, 3]),
      ],
      shape: DecoderShape(
        ModelConfiguration(
          architecture: .roberta, vocabularySize: 10, hiddenSize: 4, layerCount: 1, headCount: 1, positionCount: 9)))
    #expect(batch.tokens == [5, 4, 2])
    #expect(batch.positions == [2, 2, 3])
    #expect(batch.rows == [0, 1, 2])
    #expect(batch.targets == [6, 2, 3])
    #expect(batch.labelCounts == [1, 2])
  }
}
