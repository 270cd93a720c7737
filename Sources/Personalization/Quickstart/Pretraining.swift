import Foundation
import Foundations
import LanguageModel

/// Makes a small GPT-2 base from text: learns a byte-level BPE vocabulary, trains all weights, writes a Hugging Face
/// directory.
package struct Pretraining: Sendable, Codable, Equatable {
  /// How the text is cut into sequences.
  package enum Documents: String, Sendable, Codable, CaseIterable {
    /// One sequence per line, ended by the end token.
    case lines
    /// One stream, cut into sequences of `length` tokens.
    case stream
  }

  /// L.
  package var layers: Int
  /// d, a multiple of `heads`.
  package var width: Int
  package var heads: Int
  /// Tokens in the vocabulary, at least 257.
  package var vocabulary: Int
  /// Positions of the model; longer sequences are cut.
  package var length: Int
  package var documents: Documents
  package var epochs: Int
  /// Sequences per step.
  package var batch: Int
  /// Peak learning rate; 5 % warm-up, then half a cosine to 10 %.
  package var learningRate: Double
  package var weightDecay: Double
  /// AdamW's β2.
  package var beta2: Double

  package init(
    layers: Int = 6, width: Int = 128, heads: Int = 4, vocabulary: Int = 1024, length: Int = 128,
    documents: Documents = .lines, epochs: Int = 10, batch: Int = 48, learningRate: Double = 3e-3,
    weightDecay: Double = 0.01, beta2: Double = 0.98
  ) {
    self.layers = layers
    self.width = width
    self.heads = heads
    self.vocabulary = vocabulary
    self.length = length
    self.documents = documents
    self.epochs = epochs
    self.batch = batch
    self.learningRate = learningRate
    self.weightDecay = weightDecay
    self.beta2 = beta2
  }

  /// Where a run stands.
  package struct Progress: Sendable {
    /// Share of the work that is done, in [0, 1].
    package var fraction: Double
    package var step: Int
    package var steps: Int
    /// Training loss of the last step, nats per token.
    package var loss: Double
    package var tokensPerSecond: Double?
  }

  /// Trains on `lines` and writes `directory`.
  ///
  /// - Parameters:
  ///   - seed: of the initial weights and the order.
  ///   - accept: asked at the end of training; `false` trains for `epochs` more at a third of the rate, at most twice.
  ///   - progress: called a few times a second at most.
  ///   - isCancelled: asked before every step; true ends with `TrialCancelled`, and nothing is written.
  /// - Throws: `DatasetError.empty` without text, `PretrainingFailure` when the base is never accepted.
  package func run(
    _ lines: [String], seed: UInt64, to directory: URL, backend: any Backend,
    accept: (CausalLanguageModel, Tokenizer) throws -> PretrainingCheck = { _, _ in
      PretrainingCheck(passed: true, note: "")
    },
    progress: @escaping (Progress) -> Void = { _ in }, isCancelled: @escaping () -> Bool = { false }
  ) throws {
    try validate()
    do {
      try train(lines, seed: seed, to: directory, backend, accept, progress, isCancelled)
    } catch {
      try? FileManager.default.removeItem(at: directory)
      throw error
    }
  }

  private func train(
    _ lines: [String], seed: UInt64, to directory: URL, _ backend: any Backend,
    _ accept: (CausalLanguageModel, Tokenizer) throws -> PretrainingCheck, _ progress: @escaping (Progress) -> Void,
    _ isCancelled: @escaping () -> Bool
  ) throws {
    // The tokenizer goes to disk first: its special tokens are told in files beside tokenizer.json.
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    try learnVocabulary(lines).write(to: directory)
    let tokenizer = try Tokenizer(directory: directory)
    guard let end = tokenizer.specialIDs.eos.first else {
      throw DatasetError(.malformed, "the tokenizer that was learned has no end token")
    }
    let examples = examples(lines, tokenizer, end: end)
    guard !examples.isEmpty else {
      throw DatasetError(.empty, "the text has no words to train on; give a text file that is not empty")
    }
    let configuration = ModelConfiguration(
      architecture: .gpt2, vocabularySize: tokenizer.vocabularySize, hiddenSize: width, layerCount: layers,
      headCount: heads, positionCount: length, bosID: Int(end), eosIDs: [Int(end)])
    let model = try CausalLanguageModel(randomInitialization: configuration, seed: seed, backend: backend)
    let monitor = PretrainingMonitor(progress)
    var check = PretrainingCheck(passed: false, note: "")
    for round in 0..<3 where !check.passed {
      var hooks = TrainingHooks()
      hooks.isCancelled = isCancelled
      hooks.progress = { monitor.report($0) }
      let report = try model.train(on: examples, options: options(seed: seed, round: round), hooks: hooks)
      if report.end == .cancelled { throw TrialCancelled() }
      check = try accept(model, tokenizer)
    }
    guard check.passed else { throw PretrainingFailure(note: check.note) }
    try model.save(to: directory)
  }

  private func validate() throws {
    guard layers > 0, heads > 0, width > 0, width % heads == 0, length >= 8, vocabulary >= 257, batch > 0, epochs > 0
    else {
      throw DatasetError(
        .malformed,
        "a base needs positive layers, heads, batch and epochs, a width that is a multiple of the heads, at least 8 "
          + "positions and a vocabulary of at least 257")
    }
  }

  private func learnVocabulary(_ lines: [String]) throws -> BytePairTrainer.Vocabulary {
    var trainer = BytePairTrainer(.init(vocabularySize: vocabulary, maximumLength: length))
    for line in lines { trainer.add(line + "\n") }
    return try trainer.train()
  }

  private func examples(_ lines: [String], _ tokenizer: Tokenizer, end: Int32) -> [TrainingExample] {
    switch documents {
    case .lines:
      return lines.flatMap { line -> [TrainingExample] in
        let ids = tokenizer.encode(line, addSpecialTokens: false)
        return ids.isEmpty ? [] : cut(ids + [end])
      }
    case .stream:
      return cut(lines.flatMap { tokenizer.encode($0 + "\n", addSpecialTokens: false) } + [end])
    }
  }

  /// Sequences of at most `length` tokens; a last one of a single token has nothing to predict.
  private func cut(_ ids: [Int32]) -> [TrainingExample] {
    stride(from: 0, to: ids.count, by: length).compactMap { start in
      let piece = ids[start..<min(start + length, ids.count)]
      return piece.count > 1 ? TrainingExample(text: piece.map(Int.init)) : nil
    }
  }

  private func options(seed: UInt64, round: Int) -> TrainingOptions {
    var options = TrainingOptions()
    options.epochs = epochs
    options.batchSize = batch
    options.learningRate = round == 0 ? learningRate : learningRate / 3
    options.weightDecay = weightDecay
    options.beta2 = beta2
    options.warmup = 0.05
    options.schedule = .cosine(minimum: 0.1)
    options.clip = 1
    options.seed = seed &+ UInt64(round)
    return options
  }
}

/// Whether a base may be used.
package struct PretrainingCheck: Sendable {
  package var passed: Bool
  /// What was found, for messages ("recall 0.71, wanted 0.95").
  package var note: String

  package init(passed: Bool, note: String) {
    self.passed = passed
    self.note = note
  }
}

/// A base that did not pass its check however long it was trained.
package struct PretrainingFailure: Error, CustomStringConvertible {
  package let note: String
  package var description: String {
    "the base was trained three times as long as planned and still failed its check (\(note)); train longer "
      + "(--epochs), or give it more width"
  }
}

/// Turns steps into progress, a few reports a second.
private final class PretrainingMonitor {
  private let progress: (Pretraining.Progress) -> Void
  private let clock = ContinuousClock()
  private let start: ContinuousClock.Instant
  private var last: ContinuousClock.Instant?
  private var tokens = 0

  init(_ progress: @escaping (Pretraining.Progress) -> Void) {
    self.progress = progress
    start = clock.now
  }

  func report(_ training: TrainingProgress) {
    tokens += training.tokens
    let now = clock.now
    let isDue = last.map { now - $0 > .milliseconds(250) } ?? true
    guard isDue || training.step == training.steps else { return }
    last = now
    let seconds = (now - start).seconds
    progress(
      Pretraining.Progress(
        fraction: Double(training.step) / Double(max(1, training.steps)), step: training.step, steps: training.steps,
        loss: training.loss, tokensPerSecond: seconds > 0 ? Double(tokens) / seconds : nil))
  }
}
