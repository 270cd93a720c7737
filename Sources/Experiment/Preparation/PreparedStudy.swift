import BayesianOptimization
import Coordinator
import Foundation
import Foundations
import LanguageModel
import Personalization
import Study
import StudyDatabase
import Transport
import WireProtocol
import Worker

/// A study's file, read and checked against its base and data: everything that coordinator and workers start from.
package struct PreparedStudy {
  package var configuration: StudyConfiguration
  package var file: URL
  package var space: SearchSpace
  package var objectives: [Objective]
  /// Base and data; nil where the evaluator needs none.
  package var resources: StudyResources?
  package var fingerprints: [String: String]

  /// Reads the file and prepares what it names.
  package static func prepare(
    path: String, threads: Int? = nil, step: @escaping (StudyResources.Step) -> Void,
    isCancelled: @escaping () -> Bool = { false }
  ) throws -> PreparedStudy {
    let file = URL(fileURLWithPath: path)
    let configuration = try StudyConfiguration(contentsOf: file)
    let settings = configuration.settingsFingerprint
    let unread = try configuration.sectionsWithoutEffect()
    if !unread.isEmpty {
      let kind = configuration.evaluator.kind.rawValue
      step(.warning("\(unread.joined(separator: ", ")): without effect, for the evaluator is \(kind)"))
    }
    switch configuration.evaluator.kind {
    case .memory:
      try checkReference(configuration, file: file)
      let resources = try StudyResources.prepare(
        configuration, file: file, threads: threads, step: step, isCancelled: isCancelled)
      // Resolved, so that the study's folder describes its space without the base.
      var configuration = configuration
      configuration.space.layers = resources.shape.layers
      return PreparedStudy(
        configuration: configuration, file: file, space: resources.space, objectives: configuration.objectives,
        resources: resources, fingerprints: resources.fingerprints.merging(["settings": settings]) { $1 })
    case .analytic:
      let problem = try analyticProblem(configuration)
      try refuseSpace(configuration, of: problem, path: path)
      var configuration = configuration
      // A test function has no base to measure; it brings its own reference point.
      if configuration.sampler.reference == .base { configuration.sampler.reference = .fixed(problem.reference) }
      return PreparedStudy(
        configuration: configuration, file: file, space: problem.space, objectives: problem.objectives,
        resources: nil, fingerprints: ["base": problem.name, "data": problem.name, "settings": settings])
    case .command:
      return PreparedStudy(
        configuration: configuration, file: file, space: try configuration.makeSpace(base: nil, file: file),
        objectives: configuration.objectives, resources: nil,
        fingerprints: ["base": "command", "data": "command", "settings": settings])
    }
  }

  /// A test function brings its space and its objectives along: others in the file would have no effect.
  private static func refuseSpace(
    _ configuration: StudyConfiguration, of problem: AnalyticProblem, path: String
  ) throws {
    let plain = try StudyConfiguration(
      yaml: "evaluator: {name: analytic, problem: \(problem.name)}", file: "analytic")
    // A section that makes no space is not the problem's either, and is refused below.
    let isSame = (try? configuration.makeSpace(base: nil, file: path)) == problem.space
    guard isSame || configuration.space == plain.space else {
      throw CommandError(
        .usage,
        "\(path): space: the analytic problem \(problem.name) has its own space. Leave the section out, or choose "
          + "another evaluator")
    }
    guard [plain.objectives, problem.objectives].contains(configuration.objectives) else {
      let names = problem.objectives.map(\.name).joined(separator: ", ")
      throw CommandError(
        .usage,
        "\(path): objectives: those of the analytic problem \(problem.name) are \(names). Leave the section out")
    }
  }

  package static func analyticProblem(_ configuration: StudyConfiguration) throws -> AnalyticProblem {
    let name = configuration.evaluator.problem ?? ""
    if var problem = AnalyticProblem.named(name) {
      for (objective, deviation) in configuration.evaluator.noise {
        guard problem.objectives.contains(where: { $0.name == objective }) else {
          let names = problem.objectives.map(\.name).joined(separator: ", ")
          throw CommandError(
            .usage, "evaluator.noise.\(objective): the objectives of \(name) are \(names)")
        }
        problem.noise[objective] = deviation
      }
      return problem
    }
    let hint = NearestName.of(name, among: AnalyticProblem.names).map { "Did you mean '\($0)'?" }
    throw CommandError(
      .usage,
      "evaluator.problem: there is no problem '\(name)'. "
        + (hint ?? "There are: \(AnalyticProblem.names.joined(separator: ", "))"))
  }

  /// The evaluator that a trainer runs for this file.
  package static func evaluator(
    _ configuration: StudyConfiguration, file: URL, device: String, threads: Int?, memoryLimit: Int? = nil
  ) throws -> any TrialEvaluator {
    switch configuration.evaluator.kind {
    case .analytic:
      return AnalyticEvaluator(
        problem: try analyticProblem(configuration), seconds: configuration.evaluator.seconds)
    case .command:
      return CommandEvaluator(
        arguments: configuration.evaluator.command ?? [], objectives: configuration.objectives.map(\.name),
        studyFile: file)
    case .memory:
      return MemoryEvaluator(configuration: configuration, file: file) {
        try Devices.backend(
          device, precision: configuration.base.precision, threads: threads, memoryLimit: memoryLimit)
      }
    }
  }

  /// The un-injected base, which is measured once; nil where there is none.
  package var base: Configuration? { resources == nil ? nil : space.nullConfiguration }

  /// The rules of the study.
  package var policy: StudyPolicy {
    StudyPolicy(
      objectives: objectives, sampler: configuration.sampler, maxCountedAttempts: configuration.coordinator.attempts,
      quarantineAfterFailures: configuration.coordinator.quarantine ?? 8)
  }

  // MARK: The study's home

  /// What never changes in the study that this file describes.
  package var definition: StudyDefinition {
    get throws {
      StudyDefinition(
        name: configuration.name, identifier: UUID().uuidString.lowercased(), seed: configuration.seed,
        objectives: objectives, configurationText: try configuration.canonicalText, fingerprints: fingerprints,
        madeBy: "engram \(BuildInformation.version)")
    }
  }

  /// Opens the study for writing, or begins it; refuses one that was made with other settings.
  package func openStore(_ folder: StudyFolder) throws -> SQLiteStudyStore {
    // Begun where that is still due, also in a file whose maker was killed before it had begun the study.
    let store = try SQLiteStudyStore(folder, beginning: (definition: try definition, budget: configuration.budget))
    try checkSame(as: store.load().definition, in: folder)
    if let report = resources?.report { try DataReportFile.write(report, to: folder) }
    return store
  }

  /// Refuses a study that was made with other settings, another base or other data.
  package func checkSame(as stored: StudyDefinition, in folder: StudyFolder) throws {
    var remedy =
      "Give the changed file another study.name (engram study fork takes over what is still valid), or start over with "
      + "--fresh (the old study is kept aside)"
    let differences = try configuration.differences(from: StoredStudy.configuration(stored))
    if !differences.isEmpty, differences.allSatisfy({ $0.isOfProgram }) {
      remedy =
        "If the program is the same under another name: engram study relocate \(configuration.name) \(file.path). "
        + remedy
    }
    if !differences.isEmpty {
      throw CommandError(
        .conflict,
        "\(folder.url.path) was made with other settings: "
          + differences.map(\.description).joined(separator: "; ") + ". " + remedy)
    }
    let changed = fingerprints.keys.sorted().filter { stored.fingerprints[$0] != fingerprints[$0] }
    if !changed.isEmpty {
      let details = changed.map {
        "\($0) (study \(stored.fingerprints[$0]?.prefix(12) ?? "none"), now \(fingerprints[$0]?.prefix(12) ?? "none"))"
      }
      throw CommandError(
        .conflict,
        "\(folder.url.path) was made with another \(details.joined(separator: " and another ")). " + remedy)
    }
  }
}
