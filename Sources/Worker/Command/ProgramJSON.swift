import Foundations
import StrictJSON

/// JSON as programs print it.
///
/// Beside strict JSON it takes what Python's `json.dumps` and others write for numbers that are not finite (`NaN`,
/// `Infinity`, `-Infinity`, `inf`), numbers beyond the range of a double, bytes that are not UTF-8 and half surrogate pairs.
/// The first two are read as null (not finite), the last two as U+FFFD.
enum ProgramJSON {
  /// Why a line cannot be read, in words for people.
  struct Failure: Error { var reason: String }

  /// Reads one JSON text.
  static func parse(_ line: [UInt8]) throws(Failure) -> JSONValue {
    var rules = JSONRules()
    rules.elements = 1 << 16
    rules.values = 1024 + line.count / 16
    rules.replacesSurrogates = true
    rules.readsNotFinite = true
    do throws(JSONError) {
      return try JSONValue(parsing: String(decoding: line, as: UTF8.self), rules: rules)
    } catch {
      if case .doubledKey(let name) = error.problem {
        throw Failure(reason: "the name \"\(name.printable(limit: 60))\" stands twice")
      }
      throw Failure(reason: error.safeMessage)
    }
  }
}
