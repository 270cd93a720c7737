import Foundation
import LanguageModel
import MemoryRecipe
import TestSupport
import Testing

@testable import Personalization

@Suite(.bounded) struct PretrainingTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  let tiny = Pretraining(
    layers: 1, width: 16, heads: 2, vocabulary: 300, length: 32, epochs: 2, batch: 4, learningRate: 1e-2)
  let lines = (0..<12).map { "@ user\($0 % 3) posts : i like tea and \($0) more ." }

  func backend() throws -> CPUBackend { try CPUBackend(precision: .float32, threads: 1) }

  @Test func writesABaseThatLoads() throws {
    let directory = folder.url.appendingPathComponent("base")
    var losses: [Double] = []
    try tiny.run(lines, seed: 1, to: directory, backend: backend(), progress: { losses.append($0.loss) })
    let model = try CausalLanguageModel(Checkpoint(directory), backend: backend())
    let tokenizer = try Tokenizer(directory: directory)
    #expect(model.configuration.layerCount == 1 && model.configuration.hiddenSize == 16)
    #expect(model.configuration.vocabularySize == tokenizer.vocabularySize)
    let ids = tokenizer.encode(lines[0])
    #expect(try tokenizer.decode(ids) == lines[0])
    #expect(tokenizer.specialIDs.eos == [try #require(tokenizer.id(of: "<|endoftext|>"))])
    #expect(try #require(losses.last) < #require(losses.first))
    // The same seed gives the same weights.
    let again = folder.url.appendingPathComponent("again")
    try tiny.run(lines, seed: 1, to: again, backend: backend())
    #expect(
      try Data(contentsOf: directory.appendingPathComponent("model.safetensors"))
        == Data(contentsOf: again.appendingPathComponent("model.safetensors")))
  }

  @Test func streamsAreCutToLength() throws {
    var stream = tiny
    stream.documents = .stream
    stream.epochs = 1
    try stream.run(
      [lines.joined(separator: " ")], seed: 1, to: folder.url.appendingPathComponent("b"), backend: backend())
  }

  @Test func anUnacceptedBaseIsAClearFailure() throws {
    let directory = folder.url.appendingPathComponent("base")
    var asked = 0
    let error = #expect(throws: PretrainingFailure.self) {
      try tiny.run(
        lines, seed: 1, to: directory, backend: backend(),
        accept: { _, _ in
          asked += 1
          return PretrainingCheck(passed: false, note: "recall 0.10")
        })
    }
    #expect(asked == 3)
    #expect(error?.description.contains("recall 0.10") == true)
    #expect(!FileManager.default.fileExists(atPath: directory.path))
  }

  @Test func cancelsAndRefuses() throws {
    let directory = folder.url.appendingPathComponent("base")
    #expect(throws: TrialCancelled.self) {
      try tiny.run(lines, seed: 1, to: directory, backend: backend(), isCancelled: { true })
    }
    #expect(throws: DatasetError.self) { try tiny.run([], seed: 1, to: directory, backend: backend()) }
    var odd = tiny
    odd.heads = 3
    #expect(throws: DatasetError.self) { try odd.run(lines, seed: 1, to: directory, backend: backend()) }
  }

  @Test func aBaseThatKnowsTooLittleIsNotCached() throws {
    let cohort = try QuickstartCohort(CohortSettings(seed: 1, users: 2), pretrainingUsers: 12)
    let cache = BuildCache(root: folder.url.appendingPathComponent("cache"))
    var small = tiny
    (small.vocabulary, small.length, small.batch, small.epochs) = (700, 64, 64, 1)
    let error = #expect(throws: PretrainingFailure.self) {
      try QuickstartBase.make(cohort: cohort, seed: 1, recipe: small, cache: cache, backend: backend)
    }
    #expect(error?.note.contains("0.95") == true)
    #expect(!cache.contains(kind: "bases", key: QuickstartBase.key(cohort: cohort, seed: 1, recipe: small)))
  }

  @Test func keysFollowTheContent() throws {
    let cohort = try QuickstartCohort(CohortSettings(seed: 1, users: 2), pretrainingUsers: 12)
    let key = QuickstartBase.key(cohort: cohort, seed: 1)
    #expect(key.count == 32)
    #expect(key == QuickstartBase.key(cohort: cohort, seed: 1))
    #expect(key != QuickstartBase.key(cohort: cohort, seed: 2))
    #expect(
      key
        != QuickstartBase.key(
          cohort: try QuickstartCohort(CohortSettings(seed: 2, users: 2), pretrainingUsers: 12), seed: 1))
    #expect(key != QuickstartBase.key(cohort: cohort, seed: 1, recipe: tiny))
  }
}
