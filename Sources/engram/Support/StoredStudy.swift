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
    configuration = try StudyConfiguration(canonicalText: record.definition.configurationText)
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
    let space = space
    return StudyControl(
      folder, sampler: sampler, policy: Self.policy(record.definition),
      key: { (try? space.key($0)) ?? $0.description })
  }

  /// The rules of a study by its stored configuration; the defaults where that can not be read.
  static func policy(_ definition: StudyDefinition) -> StudyPolicy {
    guard let configuration = try? StudyConfiguration(canonicalText: definition.configurationText) else {
      return StudyPolicy(objectives: definition.objectives, sampler: SamplerSettings())
    }
    return StudyPolicy(
      objectives: definition.objectives, sampler: configuration.sampler,
      maxCountedAttempts: configuration.coordinator.attempts)
  }

  /// A configuration of this study from JSON.
  func parse(_ text: String) throws -> Configuration {
    do {
      return try MemoryCommand.parse(text, space: space)
    } catch let error as CommandError {
      // Here it is an argument, not an option.
      let prefix = "--configuration: "
      guard error.message.hasPrefix(prefix) else { throw error }
      throw CommandError(error.status, "the configuration \(text): \(error.message.dropFirst(prefix.count))")
    }
  }

  /// A result from `loss=1.2,rougeL=0.3` and, where they are known, standard errors written in the same way.
  func result(_ objectives: String, standardErrors: String?) throws -> TrialResult {
    let names = self.objectives.map(\.name)
    let values = try Self.values(objectives, option: "--objectives")
    guard Set(values.keys) == Set(names) else {
      throw CommandError(
        .usage, "--objectives \(objectives): the objectives are \(names.joined(separator: ", "))")
    }
    guard let standardErrors else { return TrialResult(objectives: values) }
    let errors = try Self.values(standardErrors, option: "--standard-errors")
    guard Set(errors.keys).isSubset(of: names), errors.values.allSatisfy({ $0 >= 0 && $0.isFinite }) else {
      throw CommandError(
        .usage,
        "--standard-errors \(standardErrors): write numbers from 0 up for objectives: \(names.joined(separator: ", "))")
    }
    return TrialResult(objectives: values, standardErrors: errors)
  }

  private static func values(_ text: String, option: String) throws -> [String: Double] {
    var values: [String: Double] = [:]
    for part in text.split(separator: ",") {
      let pair = part.split(separator: "=", maxSplits: 1)
      guard pair.count == 2, let value = Double(pair[1]) else {
        throw CommandError(.usage, "\(option) \(text): write name=value, separated by commas")
      }
      values[String(pair[0])] = value
    }
    return values
  }
}
