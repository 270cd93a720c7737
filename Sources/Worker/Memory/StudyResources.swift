import BayesianOptimization
import Foundation
import LanguageModel
import MemoryRecipe
import Personalization
import Study

/// Base and data of a study on this machine: what every trial needs, with the fingerprints that both sides compare.
package struct StudyResources: Sendable {
  /// Directory of the base.
  package var base: URL
  package var dataset: Dataset
  package var split: SplitPolicy
  package var recipe: TrialRecipe
  /// SHA-256 by what it covers: `base`, `data`.
  package var fingerprints: [String: String]
  /// Layers and the shapes of the matrices that carry memory.
  package var shape: StudyConfiguration.BaseShape
  /// Whether base and data are the built-in ones.
  package var isQuickstart: Bool
  /// The search space over the base.
  package var space: SearchSpace
  /// What the records are, and what of them does not count.
  package var report: DataReport

  /// A step of the preparation, for people.
  package enum Step: Sendable {
    /// A note that stays on the screen.
    case note(String)
    /// Something odd about the records or settings, for the person who trains.
    case warning(String)
    /// Pretraining of the quickstart's base: share done in [0, 1] and a text.
    case progress(Double, String)
  }

  /// Finds or makes the base, reads or generates the data, and checks that they fit together.
  ///
  /// Paths in the file are relative to the folder of the file.
  ///
  /// - Parameters:
  ///   - file: the study's file.
  ///   - threads: for pretraining.
  ///   - step: told what happens; also every warning about the records.
  ///   - isCancelled: asked often while pretraining.
  /// - Throws: `ConfigurationError`, `DatasetError`, `ModelFileError`, `AdapterError`, `SearchSpaceError`, or several of
  ///   them as `StudyProblems`; `TrialCancelled`.
  package static func prepare(
    _ configuration: StudyConfiguration, file: URL, threads: Int? = nil, step: @escaping (Step) -> Void = { _ in },
    isCancelled: @escaping () -> Bool = { false }
  ) throws -> StudyResources {
    let cohort = try cohort(configuration)
    var base = configuration.base.path.map { resolve($0, beside: file) }
    if base == nil, let cohort {
      // What can be found wrong without the base is said before minutes go into making it.
      try StudyInspection(configuration, file: file, base: nil, cohort: cohort).problems.finish()
      base = try quickstartBase(
        cohort, seed: configuration.base.quickstartSeed, threads: threads, step: step, isCancelled: isCancelled)
    }
    let found = StudyInspection(configuration, file: file, base: base, cohort: cohort)
    try found.problems.finish()
    guard let base, let checkpoint = found.checkpoint, let dataset = found.dataset, let recipe = found.recipe,
      let shape = found.shape, let space = found.space, let report = found.report
    else { throw DatasetError(.empty, "neither a base nor the quickstart's cohort; set base.path") }
    for warning in found.warnings { step(.warning(warning)) }
    return StudyResources(
      base: base, dataset: dataset, split: policy(configuration), recipe: recipe,
      fingerprints: [
        "base": try checkpoint.fingerprint(cache: fingerprintCache()), "data": dataset.fingerprint,
      ], shape: shape, isQuickstart: found.isQuickstart, space: space, report: report)
  }

  /// Looks at a study as `prepare` does and makes nothing; the quickstart's base is used where it is there already.
  package static func inspect(_ configuration: StudyConfiguration, file: URL) throws -> StudyInspection {
    let cohort = try cohort(configuration)
    var base = configuration.base.path.map { resolve($0, beside: file) }
    if base == nil, let cohort {
      let key = QuickstartBase.key(cohort: cohort, seed: configuration.base.quickstartSeed)
      let cache = BuildCache.standard()
      if cache.contains(kind: QuickstartBase.kind, key: key) { base = cache.url(kind: QuickstartBase.kind, key: key) }
    }
    return StudyInspection(configuration, file: file, base: base, cohort: cohort)
  }

  /// The quickstart's people, where base or data are built in.
  private static func cohort(_ configuration: StudyConfiguration) throws -> QuickstartCohort? {
    guard configuration.base.path == nil || configuration.data.users == nil else { return nil }
    return try QuickstartCohort(configuration.data.quickstart)
  }

  /// The evaluator's experiment on a backend.
  package func experiment(
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

  /// A path of a study's file: `~` is the home folder, others are relative to the file's folder.
  package static func resolve(_ path: String, beside file: URL) -> URL {
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
    let cache = BuildCache.standard()
    if !cache.contains(kind: QuickstartBase.kind, key: QuickstartBase.key(cohort: cohort, seed: seed)) {
      try checkRoom(FreeSpace.bytes(at: cache.root), in: cache.root)
    }
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

  /// Free bytes that the cache needs before a quickstart base is trained: twice its files.
  static let quickstartBytes = 32 << 20

  /// A full disk is found before the base is trained, not after.
  static func checkRoom(_ free: Int?, in cache: URL) throws {
    guard let free, free < quickstartBytes else { return }
    throw DatasetError(
      .unwritable,
      "the disk of the cache has \(free >> 20) MiB free, and the quickstart's base needs \(quickstartBytes >> 20); free "
        + "some space, or set XDG_CACHE_HOME to a folder on another disk", path: cache.path)
  }

  static func readData(
    _ configuration: StudyConfiguration, cohort: QuickstartCohort?, file: URL
  ) throws -> Dataset {
    guard let users = configuration.data.users, let samples = configuration.data.samples else {
      guard let cohort else { throw DatasetError(.empty, "no data; set data.users and data.samples") }
      return cohort.dataset
    }
    return try Dataset.read(users: resolve(users, beside: file), samples: resolve(samples, beside: file))
  }

  static func policy(_ configuration: StudyConfiguration) -> SplitPolicy {
    SplitPolicy(mode: configuration.data.split, seed: configuration.seed)
  }

  static func shape(
    _ model: ModelConfiguration, targets: [String]
  ) throws -> StudyConfiguration.BaseShape {
    let modules = try AdapterPlan(layers: [0], count: 1, rank: 1, targets: targets).modules(for: model)
    return StudyConfiguration.BaseShape(
      layers: model.layerCount,
      matrices: modules.map { MemorySpace.MatrixShape(input: $0.layer.inputs, output: $0.layer.outputs) })
  }

  static func fingerprintCache() -> URL {
    BuildCache.standard().root.appendingPathComponent("fingerprints.json")
  }
}
