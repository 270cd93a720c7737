import BayesianOptimization
import Crypto
import Foundation
import LanguageModel
import Personalization
import Study

/// Base and data of a study on this machine: what every trial needs, with the fingerprints that both sides compare.
public struct StudyResources: Sendable {
  /// Directory of the base.
  public var base: URL
  public var dataset: Dataset
  public var split: SplitPolicy
  public var recipe: MemoryRecipe
  /// SHA-256 by what it covers: `base`, `data`.
  public var fingerprints: [String: String]
  /// Layers and the shapes of the matrices that carry memory.
  public var shape: StudyConfiguration.BaseShape
  /// Whether base and data are the built-in ones.
  public var isQuickstart: Bool

  /// A step of the preparation, for people.
  public enum Step: Sendable {
    /// A note that stays on the screen.
    case note(String)
    /// Pretraining of the quickstart's base: share done in [0, 1] and a text.
    case progress(Double, String)
  }

  /// Finds or makes the base, reads or generates the data.
  ///
  /// Paths in the file are relative to the folder of the file.
  ///
  /// - Parameters:
  ///   - file: the study's file.
  ///   - threads: for pretraining.
  ///   - step: told what happens.
  ///   - isCancelled: asked often while pretraining.
  /// - Throws: `DatasetError`, `ModelFileError`, `AdapterError`, `TrialCancelled`.
  public static func prepare(
    _ configuration: StudyConfiguration, file: URL, threads: Int? = nil, step: @escaping (Step) -> Void = { _ in },
    isCancelled: @escaping () -> Bool = { false }
  ) throws -> StudyResources {
    let isQuickstart = configuration.base.path == nil
    let cohort =
      isQuickstart || configuration.data.users == nil
      ? try QuickstartCohort(
        seed: configuration.data.quickstart.seed, users: configuration.data.quickstart.users,
        mode: configuration.data.quickstart.mode == .posts ? .posts : .dialogues) : nil
    let base: URL
    if let path = configuration.base.path {
      base = resolve(path, beside: file)
    } else if let cohort {
      base = try quickstartBase(
        cohort, seed: configuration.base.quickstartSeed, threads: threads, step: step, isCancelled: isCancelled)
    } else {
      throw DatasetError(.empty, "neither a base nor the quickstart's cohort; set base.path")
    }
    let dataset = try readData(configuration, cohort: cohort, file: file)
    let checkpoint = try Checkpoint(base)
    // A base without a usable tokenizer should stop a study before its first trial.
    _ = try Tokenizer(directory: base)
    let recipe = try MemoryRecipe(configuration, isQuickstart: isQuickstart)
    return StudyResources(
      base: base, dataset: dataset, split: policy(configuration), recipe: recipe,
      fingerprints: [
        "base": try checkpoint.fingerprint(cache: fingerprintCache()), "data": dataset.fingerprint,
      ], shape: try shape(checkpoint.configuration, targets: configuration.memory.targets), isQuickstart: isQuickstart)
  }

  /// The evaluator's experiment on a backend.
  public func experiment(
    injectTestUserHistory: Bool, backend: any Backend
  ) throws -> MemoryExperiment {
    let experiment = try MemoryExperiment(
      base: base, dataset: dataset, split: split, recipe: recipe, injectTestUserHistory: injectTestUserHistory,
      backend: backend)
    experiment.provenance.entries["base"] = isQuickstart ? "the quickstart's base" : base.lastPathComponent
    experiment.provenance.entries[PEFTAdapter.baseFingerprintKey] = fingerprints["base"]
    experiment.provenance.entries["dataFingerprint"] = fingerprints["data"]
    return experiment
  }

  private static func resolve(_ path: String, beside file: URL) -> URL {
    let expanded = (path as NSString).expandingTildeInPath
    return expanded.hasPrefix("/")
      ? URL(fileURLWithPath: expanded) : file.deletingLastPathComponent().appendingPathComponent(expanded)
  }

  private static func quickstartBase(
    _ cohort: QuickstartCohort, seed: UInt64, threads: Int?, step: @escaping (Step) -> Void,
    isCancelled: @escaping () -> Bool
  ) throws -> URL {
    let started = Date()
    var made = false
    let base = try QuickstartBase.make(
      cohort: cohort, seed: seed,
      backend: {
        made = true
        step(.note("making the quickstart's base: a small GPT-2 that knows the language but none of the people"))
        return try CPUBackend(precision: .float32, threads: threads)
      }, waiting: { step(.note("another process is making the quickstart's base; waiting for it")) },
      progress: { progress in
        let speed = progress.tokensPerSecond.map { ", \(Int($0)) tokens/s" } ?? ""
        step(
          .progress(
            progress.fraction,
            "pretraining: step \(progress.step) of \(progress.steps), loss "
              + String(format: "%.3f", progress.loss) + speed))
      }, isCancelled: isCancelled)
    if made {
      step(.note("the base is ready after \(Int(Date().timeIntervalSince(started))) s: \(base.path)"))
    }
    return base
  }

  private static func readData(
    _ configuration: StudyConfiguration, cohort: QuickstartCohort?, file: URL
  ) throws -> Dataset {
    guard let users = configuration.data.users, let samples = configuration.data.samples else {
      guard let cohort else { throw DatasetError(.empty, "no data; set data.users and data.samples") }
      return cohort.dataset
    }
    return try Dataset.read(users: resolve(users, beside: file), samples: resolve(samples, beside: file))
  }

  private static func policy(_ configuration: StudyConfiguration) -> SplitPolicy {
    let mode: SplitPolicy.Mode =
      switch configuration.data.split {
      case .given: .given
      case .withinUser: .withinUser
      case .userDisjoint: .userDisjoint
      }
    return SplitPolicy(mode: mode, seed: configuration.seed)
  }

  private static func shape(
    _ model: ModelConfiguration, targets: [String]
  ) throws -> StudyConfiguration.BaseShape {
    let modules = try AdapterPlan(layers: [0], count: 1, rank: 1, targets: targets).modules(for: model)
    return StudyConfiguration.BaseShape(
      layers: model.layerCount,
      matrices: modules.map { MemorySpace.MatrixShape(input: $0.layer.inputs, output: $0.layer.outputs) })
  }

  private static func fingerprintCache() -> URL {
    BuildCache.standard().root.appendingPathComponent("fingerprints.json")
  }
}
