import Foundation
import Foundations
import MemoryRecipe

extension StudyConfiguration {
  /// The resolved configuration as canonical JSON: sorted keys, all defaults filled in.
  ///
  /// - Throws: `EncodingError` where a number is not finite, which the reader refuses.
  package var canonicalText: String {
    get throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
      return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
  }

  /// Reads what `canonicalText` wrote.
  package init(canonicalText: String) throws {
    self = try JSONDecoder().decode(Self.self, from: Data(canonicalText.utf8))
  }

  /// A key whose value differs between two configurations.
  package struct Difference: Sendable, Equatable, CustomStringConvertible {
    package var key: String
    package var stored: String
    package var given: String
    package var description: String { "\(key): the study has \(stored), the file says \(given)" }
  }

  /// What differs from the configuration a study was made with, leaving out what may change on resume: budget, limits,
  /// timing of the coordinator, artifacts and where files and programs lie (the files' content is compared by fingerprint, of
  /// the words of a command that are paths only the last part).
  package func differences(from stored: StudyConfiguration) throws -> [Difference] {
    let (mine, theirs) = (try Self.comparable(self), try Self.comparable(stored))
    return Set(mine.keys).union(theirs.keys).sorted().compactMap { key in
      let (given, old) = (mine[key] ?? "nothing", theirs[key] ?? "nothing")
      return given == old ? nil : Difference(key: key, stored: old, given: given)
    }
  }

  private static func comparable(_ configuration: StudyConfiguration) throws -> [String: String] {
    var flat: [String: String] = [:]
    let value = try JSONSerialization.jsonObject(with: Data(configuration.canonicalText.utf8))
    flatten(value, path: "", into: &flat)
    // Where a program lies decides nothing, as with base and data; which one it is, and its arguments, do.
    for (key, text) in flat where key.hasPrefix("evaluator.command[") && text.contains("/") && !text.contains("://") {
      flat[key] = text.split(separator: "/").last.map(String.init) ?? text
    }
    let free = ["budget", "limits.", "coordinator.", "artifacts.", "base.path", "data.users", "data.samples"]
    return flat.filter { entry in !free.contains { entry.key == $0 || ($0.hasSuffix(".") && entry.key.hasPrefix($0)) } }
  }

  private static func flatten(_ value: Any, path: String, into flat: inout [String: String]) {
    switch value {
    case let object as [String: Any]:
      for (key, child) in object { flatten(child, path: path.isEmpty ? key : "\(path).\(key)", into: &flat) }
    case let list as [Any]:
      // Entry by entry: the text of a dictionary has no fixed order.
      if list.isEmpty { flat[path] = "an empty list" }
      for (index, child) in list.enumerated() { flatten(child, path: "\(path)[\(index)]", into: &flat) }
    default: flat[path] = "\(value)"
    }
  }

  /// SHA-256 of everything that changes a trial's value besides base, data and θ.
  ///
  /// That is evaluator, memory, training, instruction tuning, evaluation, split and templates. Workers and coordinator
  /// must agree on it.
  package var settingsFingerprint: String {
    struct Settings: Encodable {
      var evaluator: EvaluatorSection.Kind
      var problem: String?
      var noise: [String: Double]
      var placement: String
      var memory: TrialRecipe.Memory
      var training: TrialRecipe.Training
      var instructionTuning: TrialRecipe.InstructionTuning
      var evaluation: TrialRecipe.Evaluation
      var split: SplitMode
      var injectTestUserHistory: Bool
      var templates: [String: String]
      var precision: Precision
      var objectives: [String]
    }
    let settings = Settings(
      evaluator: evaluator.kind, problem: evaluator.problem, noise: evaluator.noise,
      placement: space.placement.rawValue, memory: memory, training: training, instructionTuning: instructionTuning,
      evaluation: evaluation, split: data.split, injectTestUserHistory: data.injectTestUserHistory,
      templates: data.templates, precision: base.precision, objectives: objectives.map(\.name))
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // The reader takes finite numbers only; written so, no other could fail to be encoded either.
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    let data = (try? encoder.encode(settings)) ?? Data("settings that cannot be written".utf8)
    return SHA256.hex(of: data)
  }
}
