import Foundation
import Foundations
import StrictJSON
import Study
import WireProtocol

/// Reads the result line of a program: every objective must be a number; what cannot be kept beside them is named.
struct CommandResult {
  private let objectives: [String]
  private let output: CommandOutput
  private let line: String
  private var values: [String: Double] = [:]
  private var errors: [String: Double] = [:]
  private var metrics: [String: Double] = [:]
  private var extras: [String: Double] = [:]
  private var notes: [String] = []
  /// Names of values that are not finite, and of what is no number, beside the objectives.
  private var notFinite: [String] = []
  private var noNumber: [String] = []

  /// - Throws: ``EvaluationError``: `diverged` where an objective is not finite, `bug` for everything that is the
  ///   program's to correct.
  static func read(_ output: CommandOutput, objectives: [String]) throws -> EvaluationResult {
    var reader = CommandResult(objectives: objectives, output: output)
    return try reader.read()
  }

  private init(objectives: [String], output: CommandOutput) {
    self.objectives = objectives
    self.output = output
    line = output.last.printable()
  }

  private mutating func read() throws -> EvaluationResult {
    var top = try object()
    var nested: JSONObject?
    if !objectives.contains("objectives"), let section = top.removeValue(forKey: "objectives") {
      guard case .object(let inner) = section else {
        throw bug("\"objectives\" is \(section.programKind), not an object of numbers")
      }
      nested = inner
    }
    try takeObjectives(nested ?? top)
    for (name, value) in top {
      guard case .object(let section) = value, !objectives.contains(name) else { continue }
      if name == "metrics" { for (metric, value) in section { keep(metric, value, in: \.metrics) } }
      if name == "standardErrors" { try takeErrors(section) }
      if ["metrics", "standardErrors"].contains(name) { top[name] = nil }
    }
    for (name, value) in nested ?? [:] { top[name] = value }
    for (name, value) in top where !objectives.contains(name) {
      keep(name, value, in: \.extras)
    }
    guard metrics.count <= WireLimits.metrics else {
      throw bug("\(metrics.count) metrics; at most \(WireLimits.metrics) can be kept", "print fewer metrics")
    }
    let broken = objectives.filter { values[$0]?.isFinite == false }
    guard broken.isEmpty else {
      throw EvaluationError.diverged("not finite: \(broken.joined(separator: ", ")); the command printed \(line)")
    }
    return result()
  }

  private func bug(_ text: String, _ nextStep: String? = nil) -> EvaluationError {
    EvaluationError(.failed(.bug), "\(text); the command printed \(line)", nextStep: nextStep ?? hint)
  }

  private var hint: String {
    let example = objectives.prefix(2).map { "\"\($0)\": 1.0" }.joined(separator: ", ")
    return "the last line of standard output must be a JSON object such as {\(example)}"
  }

  // MARK: The line

  private func object() throws -> JSONObject {
    guard output.lineCount > 0 else {
      throw EvaluationError(.failed(.bug), "the command printed nothing on standard output", nextStep: hint)
    }
    guard output.last.count <= CommandOutput.resultBytes else {
      throw bug("the last line is longer than \(CommandOutput.resultBytes) bytes, the most that is read")
    }
    let value: JSONValue
    do throws(ProgramJSON.Failure) {
      value = try ProgramJSON.parse(output.last)
    } catch {
      throw noObject(error.reason)
    }
    guard case .object(let fields) = value else { throw noObject("it is \(value.programKind)") }
    return fields
  }

  /// The last line is something else: what it is, where the output begins, and what may have been meant.
  private func noObject(_ reason: String) -> EvaluationError {
    var text = "the last line of standard output is no JSON object (\(reason)): \(line)"
    if output.lineCount > 1 {
      text += "; the first of \(output.lineCount) lines is \(output.first.printable(limit: 100))"
    }
    var next = hint
    if output.isSpread {
      text += "; the last lines together are one"
      next = "print the JSON object on one line (in Python json.dumps without indent)"
    } else if let earlier = output.earlierObject {
      text += "; an earlier line is one: \(earlier.printable(limit: 100))"
      next = "print the result last, or everything else to standard error"
    } else if output.last.first == UInt8(ascii: "{"), output.last.contains(UInt8(ascii: "'")) {
      next = "it looks like a Python dictionary: print it with json.dumps"
    }
    return EvaluationError(.failed(.bug), text, nextStep: next)
  }

  // MARK: Values

  private mutating func takeObjectives(_ fields: JSONObject) throws {
    let missing = objectives.filter { fields[$0] == nil }
    guard missing.isEmpty else { throw lacking(missing, fields) }
    for name in objectives {
      guard let value = fields[name] else { continue }
      guard let number = value.programNumber else { throw bug("\(name) is \(value.programKind), not a number") }
      values[name] = number
    }
  }

  private func lacking(_ missing: [String], _ fields: JSONObject) -> EvaluationError {
    let unknown = fields.keys.filter { !objectives.contains($0) && !["standardErrors", "metrics"].contains($0) }
      .sorted()
    let has =
      unknown.isEmpty
      ? "the objectives are \(objectives.joined(separator: ", "))" : "it has \(Self.list(unknown)), no objective's name"
    let renamed = missing.compactMap { name in
      NearestName.of(name, among: unknown).map { "print \(name) instead of \($0.printable(limit: 40))" }
    }
    return bug(
      "the result lacks \(missing.joined(separator: ", ")); \(has)",
      renamed.isEmpty ? nil : renamed.joined(separator: ", ") + ", or correct objectives in the study's file")
  }

  /// Standard errors of the objectives; one that is not finite costs only itself.
  private mutating func takeErrors(_ fields: JSONObject) throws {
    for (name, value) in fields.sorted(by: { $0.key < $1.key }) {
      guard objectives.contains(name) else {
        let meant = NearestName.of(name, among: objectives).map { "; is \($0) meant?" } ?? ""
        notes.append("a standard error of \(name.printable(limit: 40)), which is no objective, was left out\(meant)")
        continue
      }
      guard let number = value.programNumber else {
        noNumber.append("the standard error of \(name)")
        continue
      }
      guard number.isFinite else {
        notFinite.append("the standard error of \(name)")
        continue
      }
      guard number >= 0 else {
        throw bug(
          "the standard error of \(name) is negative (\(number))", "print a number of at least 0, or leave it out")
      }
      errors[name] = number
    }
  }

  /// Keeps a number that stands beside the objectives; anything else is named.
  private mutating func keep(_ name: String, _ value: JSONValue, in place: WritableKeyPath<Self, [String: Double]>) {
    guard let number = value.programNumber, !name.isEmpty, name.utf8.count <= WireLimits.standard.nameBytes else {
      noNumber.append(name)
      return
    }
    if number.isFinite { self[keyPath: place][name] = number } else { notFinite.append(name) }
  }

  private mutating func result() -> EvaluationResult {
    let room = WireLimits.metrics - metrics.count - 2
    let kept = extras.filter { metrics[$0.key] == nil }.sorted { $0.key < $1.key }
    for (name, value) in kept.prefix(max(0, room)) { metrics[name] = value }
    if kept.count > room {
      notes.append("\(kept.count - max(0, room)) number(s) beside the objectives were left out: too many to keep")
    }
    if !noNumber.isEmpty { notes.append("left out, no numbers or names too long: \(Self.list(noNumber))") }
    if !notFinite.isEmpty { notes.append("left out, not finite: \(Self.list(notFinite)); the command printed \(line)") }
    notes += output.notes
    let lost = notFinite.count + output.droppedValues
    if lost > 0, metrics.count < WireLimits.metrics { metrics["valuesLeftOut"] = Double(lost) }
    let thinned = output.thinner.seen - output.thinner.passed
    if thinned > 0, metrics.count < WireLimits.metrics { metrics["reportsLeftOut"] = Double(thinned) }
    return EvaluationResult(
      TrialResult(objectives: values, standardErrors: errors, metrics: metrics), notes: notes)
  }

  private static func list(_ names: [String]) -> String {
    let shown = names.sorted().prefix(8).map { $0.printable(limit: 40) }.joined(separator: ", ")
    return names.count > 8 ? "\(shown) and \(names.count - 8) more" : shown
  }
}
