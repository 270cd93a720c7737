import BayesianOptimization
import Coordinator
import Foundation
import Study
import StudyDatabase

/// A study as its folder describes it: space and sampler from the stored configuration.
struct StoredStudy {
  let folder: StudyFolder
  let record: StudyRecord
  let configuration: StudyConfiguration
  let space: SearchSpace
  let observer: StudyObserver

  init(_ name: String?, runs: RunsOptions) throws {
    observer = try runs.observer(name)
    record = try observer.load()
    folder = runs.study(name ?? record.definition.name)
    configuration = try Self.configuration(record.definition)
    if configuration.evaluator.kind == .analytic {
      space = try PreparedStudy.analyticProblem(configuration).space
    } else {
      space = try configuration.makeSpace(base: nil, file: folder.url.path)
    }
  }

  var objectives: [Objective] { record.definition.objectives }

  var sampler: any Sampler { configuration.sampler.makeSampler(space: space, objectives: objectives) }

  /// Steers the study, whether or not a coordinator runs it.
  var control: StudyControl {
    get throws {
      let space = space
      return StudyControl(
        folder, sampler: sampler, policy: try Self.policy(record.definition), key: { space.identity(of: $0) })
    }
  }

  /// The configuration that a study was made with.
  ///
  /// - Throws: `CommandError` where it cannot be read: its rules are not known then, and nothing is guessed.
  static func configuration(_ definition: StudyDefinition) throws -> StudyConfiguration {
    do {
      return try StudyConfiguration(canonicalText: definition.configurationText)
    } catch {
      throw CommandError(
        .storage,
        "the configuration that the study '\(definition.name)' was made with cannot be read ("
          + (definition.configurationText.isEmpty ? "it is empty" : "\(error)")
          + "). Its results are not touched: engram study export and engram trial list read them; search on under "
          + "another study.name")
    }
  }

  /// The rules of a study by its stored configuration.
  static func policy(_ definition: StudyDefinition) throws -> StudyPolicy {
    let configuration = try configuration(definition)
    return StudyPolicy(
      objectives: definition.objectives, sampler: configuration.sampler,
      maxCountedAttempts: configuration.coordinator.attempts)
  }

  /// A configuration of this study from JSON.
  func parse(_ text: String) throws -> Configuration {
    // Here it is an argument, not an option.
    try MemoryCommand.parse(text, space: space, place: "the configuration \(text)")
  }

  /// A result from `loss=1.2,rougeL=0.3` and, where they are known, standard errors written in the same way.
  func result(_ objectives: String, standardErrors: String?) throws -> TrialResult {
    let names = self.objectives.map(\.name)
    let values = try NamedValues.parse(objectives, option: "--objectives", names: names, needsAll: true)
    for objective in self.objectives {
      guard let problem = values[objective.name].flatMap(objective.problem) else { continue }
      throw CommandError(.usage, "--objectives \(objectives): \(problem)")
    }
    guard let standardErrors else { return TrialResult(objectives: values) }
    let errors = try NamedValues.parse(standardErrors, option: "--standard-errors", names: names, needsAll: false)
    if let bad = names.first(where: { errors[$0].map { !($0 >= 0 && $0.isFinite) } ?? false }) {
      throw CommandError(
        .usage,
        "--standard-errors \(standardErrors): the error of \(bad) is no number from 0 up. Leave out what is not known")
    }
    return TrialResult(objectives: values, standardErrors: errors)
  }
}
