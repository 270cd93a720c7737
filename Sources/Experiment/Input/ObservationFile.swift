import BayesianOptimization
import Foundation
import Foundations
import Study

/// The observations that `suggest` and `pareto` read: read once, so that a pipe will do, and checked line by line.
package struct ObservationFile {
  package struct Line {
    package var number: Int
    package var value: ObservationLine
    /// The layers as they stand in the file.
    package var layers: [Int]?
  }

  package let file: InputFile
  package let lines: [Line]

  private struct Raw: Decodable {
    struct Layers: Decodable { var layers: [Int]? }
    var configuration: Layers?
  }

  /// - Throws: `CommandError` with the line that is wrong.
  package init(_ path: String, objectives: [Objective]) throws {
    file = try InputFile(path)
    lines = try file.lines.map { number, text in
      let value = try JSONLines.value(ObservationLine.self, text, at: "\(InputFile.place(path)):\(number)")
      // The same text was decoded a line before: what could be wrong with it was said there.
      let raw = try? JSONDecoder().decode(Raw.self, from: text)
      return Line(number: number, value: value, layers: raw?.configuration?.layers)
    }
    for line in lines { try check(line, objectives) }
  }

  /// Where a line is, for messages.
  package func place(_ line: Int) -> String { "\(file.place):\(line)" }

  private func check(_ line: Line, _ objectives: [Objective]) throws {
    func refuse(_ message: String) throws -> Never { throw CommandError(.usage, "\(place(line.number)): \(message)") }
    let isCompleted = !line.value.pending && (line.value.outcome ?? .completed) == .completed
    let values = line.value.objectives ?? [:]
    let names = objectives.map(\.name)
    if isCompleted, let missing = names.first(where: { values[$0] == nil }) {
      let other = NearestName.of(missing, among: values.keys.filter { !names.contains($0) }.sorted())
      let hint = other.map { "'\($0)' is there: is it meant? Names are told apart by case" } ?? "Add it to the line"
      try refuse("the objective '\(missing)' is missing. \(hint)")
    }
    for objective in objectives {
      if let problem = values[objective.name].flatMap(objective.magnitudeProblem) { try refuse(problem) }
    }
    for (name, error) in (line.value.standardErrors ?? [:]).sorted(by: { $0.key < $1.key }) {
      guard names.contains(name) || values[name] != nil else {
        let hint = NearestName.of(name, among: names).map { "Did you mean '\($0)'?" }
        try refuse(
          "standardErrors: there is no objective '\(name)'. \(hint ?? "The objectives are \(names.joined(separator: ", "))")"
        )
      }
      guard error >= 0 else {
        try refuse(
          "standardErrors.\(name) is \(error). Write a number from 0 up, or null for an error that is not known")
      }
    }
  }

  /// That scores in two units stand side by side; nil where they do not.
  package func mixedUnits(_ objectives: [Objective]) -> String? {
    for objective in objectives where objective.isFraction {
      let values = lines.compactMap { line in line.value.objectives?[objective.name].map { (line.number, $0) } }
      guard values.count(where: { $0.1 > 0 && $0.1 <= 1 }) > 0, let percent = values.first(where: { $0.1 > 1.5 }) else {
        continue
      }
      return
        "\(objective.name) is \(percent.1) in line \(percent.0) and a fraction in others: percent and fractions must not be "
        + "mixed"
    }
    return nil
  }
}
