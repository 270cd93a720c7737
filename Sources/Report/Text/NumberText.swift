import Foundation

/// Numbers as people read them in plots and tables; whatever the number, the text is short.
package enum PlotNumber {
  /// About four significant digits.
  package static func short(_ value: Double) -> String {
    guard let plain = usual(value) else { return special(value, digits: 3) }
    if plain >= 100 { return formatted(value, "%.1f") }
    if plain >= 10 { return formatted(value, "%.2f") }
    return plain >= 0.01 ? formatted(value, "%.4f") : formatted(value, "%.3g")
  }

  /// A value in a column: four decimals where they say something, else scientific; never 0.0000 for what is not zero.
  package static func column(_ value: Double) -> String {
    guard let plain = usual(value, upTo: 1e9) else { return special(value, digits: 6) }
    return plain >= 0.01 ? formatted(value, "%.4f") : formatted(value, "%.3g")
  }

  /// A fraction as percent with two decimals, without the sign; what is above 1 cannot be a fraction and stays.
  package static func percent(_ fraction: Double) -> String {
    let value = abs(fraction) <= 1 ? fraction * 100 : fraction
    guard let plain = usual(value, upTo: 1e9) else { return special(value, digits: 3) }
    return plain >= 0.005 ? formatted(value, "%.2f") : formatted(value, "%.2g")
  }

  /// A number for programs: whole numbers without a fraction where they are exact, else the shortest text that reads back.
  package static func exact(_ value: Double) -> String {
    if let whole = Int(exactly: value), abs(value) < 0x1p53 { return "\(whole)" }
    return "\(value)"
  }

  /// A count as 1,234,567; one that is not whole or too large to be counted in short form.
  package static func count(_ value: Double) -> String {
    guard abs(value) < 1e15, let whole = Int(exactly: value) else { return short(value) }
    return grouped(whole)
  }

  /// 1234567 as 1,234,567.
  package static func grouped(_ number: Int) -> String {
    var digits = String(number.magnitude)
    var parts: [String] = []
    while digits.count > 3 {
      parts.insert(String(digits.suffix(3)), at: 0)
      digits.removeLast(3)
    }
    return (number < 0 ? "-" : "") + ([digits] + parts).joined(separator: ",")
  }

  /// Seconds with one decimal, as in 12.3 s.
  package static func seconds(_ value: Double) -> String {
    guard let plain = usual(value, upTo: 1e9) else { return special(value, digits: 3) + " s" }
    return (plain >= 0.05 ? formatted(value, "%.1f") : formatted(value, "%.2g")) + " s"
  }

  /// The magnitude where plain notation is right; nil for zero, for what is not finite and from `limit` on.
  private static func usual(_ value: Double, upTo limit: Double = 1e6) -> Double? {
    value.isFinite && value != 0 && abs(value) < limit ? abs(value) : nil
  }

  private static func special(_ value: Double, digits: Int) -> String {
    guard value.isFinite else { return value.isNaN ? "nan" : value > 0 ? "inf" : "-inf" }
    return value == 0 ? "0" : String(format: "%.\(digits)g", value)
  }

  private static func formatted(_ value: Double, _ format: String) -> String { String(format: format, value) }
}
