import Foundation
import StrictJSON

/// A number as it stands in the file: large identifiers would lose digits as floating point.
struct RecordNumber {
  /// Whole numbers up to here are exact as floating point, 2^53.
  static let exactLimit = 0x1p53

  /// As it was written.
  var text: String
  var value: Double

  /// The number that a reader has kept as it was written; nil for other values.
  init?(_ value: JSONValue?) {
    guard case .numberText(let text)? = value, let value = Double(text) else { return nil }
    self.text = text
    self.value = value
  }

  /// Whether it was written with digits only, so that its text is the number itself.
  var isDigits: Bool { !text.contains { ".eE".contains($0) } }

  /// The whole number that it names, written out; nil for others, and where floating point has lost its last digits.
  var whole: String? {
    if isDigits { return text == "-0" ? "0" : text }
    guard value == value.rounded(), abs(value) <= Self.exactLimit else { return nil }
    return String(Int64(value))
  }

  /// The number written out: digits as they stand, others in their shortest form.
  var written: String { isDigits ? text : NSNumber(value: value).stringValue }
}
