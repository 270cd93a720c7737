import BayesianOptimization
import Coordinator
import Foundation
import Study
import StudyDatabase

/// A study as its folder describes it: space and sampler from the stored configuration.
package struct StoredStudy {
  package let folder: StudyFolder
  package let record: StudyRecord
  package let configuration: StudyConfiguration
  package let space: SearchSpace
  package let observer: StudyObserver

  package init(_ name: String?, in studies: StudiesFolder) throws {
    observer = try studies.observer(name)
    record = try observer.load()
    folder = studies.study(name ?? record.definition.name)
    configuration = try Self.configuration(record.definition)
    space = try Self.space(configuration, path: folder.url.path)
  }

  /// The space that a stored configuration describes.
  private static func space(_ configuration: StudyConfiguration, path: String) throws -> SearchSpace {
    if configuration.evaluator.kind == .analytic { return try PreparedStudy.analyticProblem(configuration).space }
    return try configuration.makeSpace(base: nil, file: path)
  }

  /// The history checker with the rules and, where it can be read, the space of a study.
  package static func checker(_ definition: StudyDefinition, path: String) throws -> HistoryChecker {
    var checker = HistoryChecker(policy: try policy(definition))
    // The space of a memory study whose layers are not written down needs its base: the rest is checked without it.
    if let space = try? space(configuration(definition), path: path) {
      // A configuration outside of the space (attached, of a fork's source) has no key in it.
      checker.key = { try? space.key($0) }
    }
    return checker
  }

  package var objectives: [Objective] { record.definition.objectives }

  package var sampler: any Sampler { configuration.sampler.makeSampler(space: space, objectives: objectives) }

  /// Steers the study, whether or not a coordinator runs it.
  package var control: StudyControl {
    get throws {
      let space = space
      return StudyControl(
        folder, sampler: sampler, policy: try Self.policy(record.definition), key: { space.identity(of: $0) })
    }
  }

  /// The configuration that a study was made with.
  ///
  /// - Throws: `CommandError` where it cannot be read: its rules are not known then, and nothing is guessed.
  package static func configuration(_ definition: StudyDefinition) throws -> StudyConfiguration {
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
  package static func policy(_ definition: StudyDefinition) throws -> StudyPolicy {
    let configuration = try configuration(definition)
    return StudyPolicy(
      objectives: definition.objectives, sampler: configuration.sampler,
      maxCountedAttempts: configuration.coordinator.attempts,
      quarantineAfterFailures: configuration.coordinator.quarantine ?? 8)
  }

  /// A configuration of this study from JSON.
  package func parse(_ text: String) throws -> Configuration {
    // Here it is an argument, not an option.
    try ConfigurationText.parse(text, space: space, place: "the configuration \(text)")
  }

  /// A result from `loss=1.2,rougeL=0.3` and, where they are known, standard errors written in the same way.
  package func result(_ objectives: String, standardErrors: String?) throws -> TrialResult {
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
