import BayesianOptimization
import Foundation
import LanguageModel
import MemoryRecipe
import TestSupport
import Testing

@testable import Personalization

/// On the tiny golden GPT-2: whole trials in a second.
@Suite(.bounded) struct MemoryExperimentTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  static let dataset: Dataset? = try? Dataset(
    users: (0..<3).map { user in
      User(
        id: "u\(user)", profile: ["pet": ["cat", "dog", "fox"][user]],
        history: (0..<6).map { HistoryItem(kind: "post", text: "i saw item \($0) of \(user)") })
    },
    samples: (0..<3).flatMap { user in
      (0..<10).map { k in
        Sample(
          id: "\(user)-\(k)", user: "u\(user)", query: "what \(k)", response: "a \(["cat", "dog", "fox"][user]) \(k)",
          time: Double(k))
      }
    })

  func experiment(
    memoryLimit: Int? = nil, _ change: (inout TrialRecipe) -> Void = { _ in }
  ) throws -> MemoryExperiment {
    var recipe = TrialRecipe(templates: .quickstart)
    recipe.training.epochs = 2
    recipe.training.finalEpochs = 3
    recipe.instructionTuning.mode = .freshAdapter
    recipe.instructionTuning.epochs = 1
    recipe.evaluation.maxNewTokens = 6
    change(&recipe)
    return try MemoryExperiment(
      base: Fixtures.url("goldens/lm/models/gpt2"), dataset: #require(Self.dataset), split: SplitPolicy(),
      recipe: recipe,
      backend: CPUBackend(precision: .float32, threads: 1, memoryLimit: memoryLimit))
  }

  func theta(_ experiment: MemoryExperiment, count: Int = 1, rank: Int = 2) -> Configuration {
    .memory(layers: 0..<experiment.layerCount, count: count, rank: rank)
  }

  @Test func trialsAreReproducible() throws {
    let subject = try experiment()
    let configuration = theta(subject)
    let a = try subject.evaluate(configuration, seed: 1)
    let b = try subject.evaluate(configuration, seed: 1)
    let c = try subject.evaluate(configuration, seed: 2)
    #expect(a.measurement == b.measurement && a.replies == b.replies)
    #expect(a.measurement.loss.mean != c.measurement.loss.mean)
    // 18 examples in batches of 8, two epochs.
    #expect(a.steps == 6)
    #expect(a.trainableParameters == (try subject.trainableParameters(configuration)))
    #expect(a.replies.count == subject.split.validation.count)
    #expect(Set(a.objectives.keys).isSuperset(of: ["loss", "rougeL", "rouge1", "personaF1", "factRecall"]))
    #expect(a.measurement.standardErrors["loss"] ?? 0 > 0)
  }

  @Test func nullMeasuresTheBase() throws {
    let subject = try experiment()
    let base = try subject.evaluate(.memory(layers: [], count: 0, rank: 1), seed: 1)
    #expect(base.trainableParameters == 0 && base.exportAdapter == nil && base.steps == 0)
    let loss = try subject.model.evaluate(subject.prepared(.validation).examples).loss
    #expect(abs(base.measurement.loss.mean - loss) < 1e-9)
    // Training moves it.
    let trained = try subject.evaluate(theta(subject), seed: 1)
    #expect(trained.measurement.loss.mean != base.measurement.loss.mean)
  }

  /// A configuration that cannot fit ends by arithmetic: typed, before the first step, and the next one runs.
  @Test func configurationsThatCannotFitAreRefusedBeforeTraining() throws {
    let subject = try experiment(memoryLimit: 24 << 20)
    let before = subject.model.backend.memory
    var steps = 0
    let error = #expect(throws: BackendError.self) {
      try subject.evaluate(theta(subject, count: 32, rank: 96), seed: 1, progress: { _ in steps += 1 })
    }
    #expect(error?.code == .outOfMemory)
    #expect(steps == 0)
    #expect(subject.model.backend.memory == before, "something was allocated")
    #expect(try subject.evaluate(theta(subject), seed: 1).steps == 6)
  }

  @Test func cancelledTrialsGoOn() throws {
    let subject = try experiment()
    let configuration = theta(subject)
    let whole = try subject.evaluate(configuration, seed: 3)
    let checkpoint = folder.url.appendingPathComponent("trial")
    var asked = 0
    #expect(throws: TrialCancelled.self) {
      try subject.evaluate(
        configuration, seed: 3, checkpoint: checkpoint,
        isCancelled: {
          asked += 1
          return asked > 3
        })
    }
    #expect(FileManager.default.fileExists(atPath: checkpoint.path))
    var steps: [Int] = []
    let resumed = try subject.evaluate(
      configuration, seed: 3, checkpoint: checkpoint, progress: { steps.append($0.step) })
    #expect(resumed.measurement == whole.measurement)
    #expect(resumed.steps == whole.steps)
    #expect(steps.first == 4)
    #expect(!FileManager.default.fileExists(atPath: checkpoint.path))
  }

  @Test func progressRisesToTheEnd() throws {
    let subject = try experiment()
    var reports: [TrialProgress] = []
    _ = try subject.evaluate(theta(subject), seed: 1, progress: { reports.append($0) })
    #expect(zip(reports, reports.dropFirst()).allSatisfy { $0.fraction <= $1.fraction })
    #expect(reports.contains { $0.phase == .memory && $0.values["trainingLoss"] != nil })
    #expect(reports.last?.phase == .replies)
    #expect(reports.allSatisfy { $0.fraction > 0 && $0.fraction < 1 && $0.step <= $0.steps })
  }

  @Test(arguments: TrialRecipe.InstructionTuning.Mode.allCases)
  func comparisonHasTheRowsOfTheTable(_ mode: TrialRecipe.InstructionTuning.Mode) throws {
    let subject = try experiment { $0.instructionTuning.mode = mode }
    let outcome = try subject.comparison(theta(subject, count: 2), seed: 1)
    let names = outcome.comparison.rows.map(\.name)
    #expect(names == ["base", "instructionTuning", "memory"] + (mode == .none ? [] : ["full"]))
    #expect(Set(outcome.comparison.rows.map(\.measurement.loss.mean)).count == names.count)
    let directory = folder.url.appendingPathComponent("adapter")
    try outcome.exportAdapter?(directory)
    let files = try FileManager.default.contentsOfDirectory(atPath: directory.path)
    #expect(files.contains("adapter_config.json") && files.contains("adapter_model.safetensors"))
  }

  @Test func refusesWhatDoesNotFitTheBase() throws {
    let subject = try experiment()
    #expect(throws: AdapterError.self) {
      try subject.evaluate(.memory(layers: [subject.layerCount], count: 1, rank: 2), seed: 1)
    }
    #expect(throws: AdapterError.self) { try subject.evaluate(.factors(["depth": .integer(1)]), seed: 1) }
    #expect(throws: AdapterError.self) { try experiment { $0.memory.targets = ["nonsense"] } }
    #expect(throws: DatasetError.self) { try experiment { $0.templates.prompt = "{who}" } }
  }

  /// The bound on the reply must not change what is asked: the base takes 256 tokens here.
  @Test("prompts do not depend on the number of new tokens", arguments: [1, 64, 255, 256, 100_000])
  func newTokensLeaveThePrompt(_ count: Int) throws {
    let usual = try experiment { $0.evaluation.maxNewTokens = 6 }
    let subject = try experiment {
      $0.evaluation.maxNewTokens = count
      $0.evaluation.samples = 2
    }
    let sample = try #require(subject.dataset.samples.first)
    #expect(subject.data.prompt(sample) == usual.data.prompt(sample))
    #expect(subject.data.cuts.prompts.cut == 0)
    guard count < 10 || count == 100_000 else { return }
    #expect(try subject.evaluate(.memory(layers: [], count: 0, rank: 1), seed: 1).replies.count == 2)
  }

  @Test("every name that can be an objective is measured, and no other") func objectiveNames() throws {
    let subject = try experiment()
    let outcome = try subject.evaluate(.memory(layers: [], count: 0, rank: 1), seed: 1)
    #expect(Set(outcome.objectives.keys) == Set(TrialOutcome.objectiveNames))
    #expect(Set(TrialOutcome.objectiveNames).isSuperset(of: Objective.fractions))
  }

  @Test("one sample has no standard error") func singleSample() throws {
    let subject = try experiment { $0.evaluation.samples = 1 }
    let outcome = try subject.evaluate(.memory(layers: [], count: 0, rank: 1), seed: 1)
    #expect(outcome.measurement.standardErrors.isEmpty)
    #expect(DataReport(subject.data).warnings.contains { $0.contains("1 validation sample") })
  }

  @Test func spreadKeepsTheOrder() {
    #expect(MemoryExperiment.spread([1, 2, 3], limit: nil) == [1, 2, 3])
    #expect(MemoryExperiment.spread(Array(0..<10), limit: 4) == [0, 2, 5, 7])
  }
}
