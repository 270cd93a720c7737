import BayesianOptimization
import Foundation

/// The search problem of a space file: `space`, `objectives` and, where given, `sampler`.
///
/// A study's file is a space file too; its other sections are not looked at.
package struct SpaceFile: Sendable {
  package var space: SearchSpace
  package var objectives: [Objective]
  /// Settings of the sampler; `initial` is 0 where the file does not name it.
  package var sampler: SamplerSettings

  /// Reads a space file.
  ///
  /// - Throws: `ConfigurationError` with file, line and key; `SearchSpaceError` when nothing valid is left.
  package init(contentsOf url: URL) throws {
    let text: String
    do {
      text = try String(contentsOf: url, encoding: .utf8)
    } catch {
      throw ConfigurationError(
        file: url.relativePath, message: "no such file, or not UTF-8 text", remedy: "Check the path")
    }
    try self.init(yaml: text, file: url.relativePath)
  }

  /// Reads a space file's text; `file` is named in errors.
  package init(yaml: String, file: String) throws {
    let root = try ConfigurationSection(text: yaml, file: file)
    do {
      try self.init(root, file: file)
    } catch let error as ConfigurationError {
      throw root.all(with: error)
    }
  }

  private init(_ root: ConfigurationSection, file: String) throws {
    for other in [
      "study", "evaluator", "base", "data", "memory", "training", "instructionTuning", "evaluation", "coordinator",
      "artifacts",
    ] {
      _ = root.contains(other)
    }
    let section = try StudyConfiguration.readSpace(root, isMemory: false)
    objectives = try StudyConfiguration.readObjectives(root)
    sampler = try StudyConfiguration.readSampler(root, objectives: objectives, minimumInitial: 0, defaultInitial: 0)
    try root.finish()
    space = try section.makeSpace(base: nil, file: file)
  }
}
