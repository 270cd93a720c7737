import BayesianOptimization
import Foundation
import Foundations
import LanguageModel
import MemoryRecipe
import Personalization
import Study

/// A study's base, data, templates, objectives and space, looked at as far as they are there: every error at once,
/// nothing made and nothing trained.
///
/// `search`, `coordinator`, `worker` and `search --dry-run` begin with it, so that they find the same.
package struct StudyInspection {
  /// The base's folder; nil where the quickstart's is not made yet.
  package let base: URL?
  package let isQuickstart: Bool
  package private(set) var checkpoint: Checkpoint?
  package private(set) var dataset: Dataset?
  package private(set) var recipe: TrialRecipe?
  package private(set) var shape: StudyConfiguration.BaseShape?
  package private(set) var space: SearchSpace?
  /// The records as the trainer will see them.
  package private(set) var data: PreparedData?
  package private(set) var report: DataReport?
  /// What is odd and does not hinder the study.
  package private(set) var warnings: [String] = []
  package private(set) var problems = StudyProblems.Collector()

  /// - Parameters:
  ///   - file: the study's file; paths in it are relative to its folder.
  ///   - base: the base's folder; nil = the quickstart's, which is not made yet.
  ///   - cohort: the quickstart's people, where the study uses them.
  init(_ configuration: StudyConfiguration, file: URL, base: URL?, cohort: QuickstartCohort?) {
    self.base = base
    isQuickstart = configuration.base.path == nil
    problems.add(ConfigurationError.together(objectiveProblems(configuration, file)))
    readBase(configuration, file)
    dataset = problems.attempt { try StudyResources.readData(configuration, cohort: cohort, file: file) }
    readRecipe(configuration, file)
    space = makeSpace(configuration, file)
    prepareData(configuration, file)
    warnings += report?.warnings ?? []
    warnings += Self.oddities(configuration)
  }

  // MARK: Base and space

  private mutating func readBase(_ configuration: StudyConfiguration, _ file: URL) {
    guard let base else { return }
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: base.path, isDirectory: &isFolder), isFolder.boolValue else {
      problems.add(Self.missingBase(configuration, base, file))
      return
    }
    checkpoint = problems.attempt {
      let checkpoint = try Checkpoint(base)
      // Nothing that is trained on or measured with such weights would mean anything.
      try checkpoint.requireFinite(cache: StudyResources.fingerprintCache())
      return checkpoint
    }
    guard let model = checkpoint?.configuration else { return }
    shape = problems.attempt { try StudyResources.shape(model, targets: configuration.memory.targets) }
  }

  private static func missingBase(
    _ configuration: StudyConfiguration, _ base: URL, _ file: URL
  ) -> ConfigurationError {
    let path = configuration.base.path ?? ""
    let exists = FileManager.default.fileExists(atPath: base.path)
    let isHub = path.split(separator: "/").count == 2 && MemoryCard.isHubName(path)
    var error = ConfigurationError.about(
      "base.path", in: file, exists ? "\(base.path) is a file" : "there is no folder \(base.path)",
      remedy: "Name a Hugging Face directory with config.json, safetensors and tokenizer.json"
        + (isHub
          ? "; Engram downloads nothing: fetch \(path) first, for example with huggingface-cli download \(path) "
            + "--local-dir FOLDER" : "; paths are relative to the study's file"))
    error.isMissingFile = !exists
    return error
  }

  private mutating func makeSpace(_ configuration: StudyConfiguration, _ file: URL) -> SearchSpace? {
    // Without a base the space cannot be judged, unless the quickstart's layers are written down.
    guard shape != nil || (base == nil && configuration.space.layers != nil) else { return nil }
    let shape = shape
    return problems.attempt { try configuration.makeSpace(base: shape, file: file) }
  }

  // MARK: Data

  private mutating func readRecipe(_ configuration: StudyConfiguration, _ file: URL) {
    let kinds = Set(dataset?.users.flatMap(\.history).map(\.kind) ?? [])
    let isQuickstart = isQuickstart
    recipe = problems.attempt {
      do {
        let lines = isQuickstart ? Templates.quickstart : .plain
        return configuration.recipe(templates: try lines.overriding(configuration.data.templates, kinds: kinds))
      } catch let error as DatasetError {
        guard let key = error.key else { throw error }
        let short = key.hasPrefix("kinds.") ? String(key.dropFirst(6)) : key
        let written = configuration.data.templates[key] == nil ? short : key
        throw ConfigurationError.about(
          "data.templates.\(written)", in: file, error.message, remedy: "See configs/README.md")
      }
    }
  }

  private mutating func prepareData(_ configuration: StudyConfiguration, _ file: URL) {
    guard let dataset, let recipe else { return }
    let policy = StudyResources.policy(configuration)
    guard let base, let checkpoint else {
      // The split can be judged without a base.
      _ = problems.attempt { try dataset.split(policy) }
      return
    }
    data = problems.attempt {
      try PreparedData(
        dataset, split: policy, recipe: recipe, injectTestUserHistory: configuration.data.injectTestUserHistory,
        tokenizer: Tokenizer(directory: base), model: checkpoint.configuration)
    }
    guard let data else { return }
    report = DataReport(data)
    problems.add(ConfigurationError.together(unmeasurable(configuration, data, file)))
  }

  // MARK: Objectives

  private func objectiveProblems(_ configuration: StudyConfiguration, _ file: URL) -> [ConfigurationError] {
    let known = TrialOutcome.objectiveNames
    var errors = configuration.objectives.enumerated().compactMap { index, objective -> ConfigurationError? in
      guard !known.contains(objective.name) else { return nil }
      let hint = NearestName.of(objective.name, among: known).map { "Did you mean '\($0)'? " } ?? ""
      return .about(
        "objectives[\(index)].name", in: file, "the memory evaluator does not measure '\(objective.name)'",
        remedy: "\(hint)It measures: \(known.joined(separator: ", "))")
    }
    if case .fixed(let point) = configuration.sampler.reference {
      for (name, value) in point.sorted(by: { $0.key < $1.key })
      where Objective.fractions.contains(name) && !(0...1).contains(value) {
        errors.append(
          .about(
            "sampler.reference.\(name)", in: file, "\(value) is no fraction; \(name) lies between 0 and 1",
            remedy: value > 1 && value <= 100 ? "Write \(value / 100) for \(value) %" : "Write a number from 0 to 1"))
      }
    }
    return errors
  }

  /// Objectives that the evaluator knows and that these records cannot show.
  private func unmeasurable(
    _ configuration: StudyConfiguration, _ data: PreparedData, _ file: URL
  ) -> [ConfigurationError] {
    guard let index = configuration.objectives.firstIndex(where: { $0.name == "factRecall" }) else { return [] }
    let recall = FactRecall(users: data.dataset.users)
    guard !data.measured(.validation).contains(where: recall.asks) else { return [] }
    return [
      .about(
        "objectives[\(index)].name", in: file,
        "factRecall has nothing to measure: no validation response mentions a profile value of its user (of at most "
          + "\(FactRecall.maximumWords) words)",
        remedy: "Give the users profiles whose values stand in the responses, or choose another objective")
    ]
  }

  /// Settings that have no effect or mean the opposite of what is usual.
  private static func oddities(_ configuration: StudyConfiguration) -> [String] {
    var odd = configuration.objectives.compactMap { objective -> String? in
      let isScore = objective.isFraction
      guard (objective.direction == .maximize) != isScore else { return nil }
      return "objectives: \(objective.name) is to be \(isScore ? "minimised" : "maximised"), though "
        + "\(isScore ? "more" : "less") of it is better"
    }
    if configuration.evaluator.command != nil {
      odd.append("evaluator.command has no effect: the evaluator is memory (evaluator.name: command runs a program)")
    }
    if configuration.evaluator.problem != nil { odd.append("evaluator.problem has no effect: the evaluator is memory") }
    if configuration.data.users != nil, configuration.data.quickstart != CohortSettings() {
      odd.append("data.quickstart has no effect: data.users and data.samples are given")
    }
    return odd
  }
}
