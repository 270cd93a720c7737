import Foundations
import BayesianOptimization
import Study

/// Numbers by name, as options write them: `loss=1.2,rougeL=0.3`.
package enum NamedValues {
  /// Reads the numbers; `names` are those that exist.
  ///
  /// - Parameters:
  ///   - option: the option's name, for messages.
  ///   - needsAll: whether every name must have a value.
  /// - Throws: `CommandError` for what is not written like that, a name that stands twice, is unknown or is missing.
  package static func parse(_ text: String, option: String, names: [String], needsAll: Bool) throws -> [String: Double]
  {
    func error(_ message: String) -> CommandError {
      CommandError(
        .usage, "\(option) \(text): \(message). Write \(names.map { "\($0)=NUMBER" }.joined(separator: ","))")
    }
    var values: [String: Double] = [:]
    for part in text.split(separator: ",") {
      let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map {
        $0.trimmingPrefix { $0 == " " }.reversed().drop { $0 == " " }.reversed()
      }.map { String($0) }
      guard pair.count == 2, let value = Double(pair[1]) else { throw error("'\(part)' is not name=number") }
      guard names.contains(pair[0]) else {
        // Names of one or two letters are all near each other.
        let near = NearestName.of(
          pair[0], among: names.filter { $0.count > 2 || $0.lowercased() == pair[0].lowercased() })
        throw error("there is no objective '\(pair[0])'\(near.map { "; is '\($0)' meant" } ?? "")")
      }
      guard values.updateValue(value, forKey: pair[0]) == nil else { throw error("\(pair[0]) stands twice") }
    }
    let missing = names.filter { values[$0] == nil }
    guard missing.isEmpty || !needsAll else { throw error("\(missing.joined(separator: ", ")) is missing") }
    return values
  }
}
