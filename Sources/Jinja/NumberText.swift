import Foundation

/// Numbers with a given number of digits, as C and Python print them.
enum NumberText {
  /// Digits after the point, the number as it really is.
  static func fixed(_ value: Double, _ places: Int) -> String { printed("%.*f", value, places) }

  static func exponential(_ value: Double, _ places: Int) -> String { printed("%.*e", value, places) }

  /// With so many digits in all, with an exponent where it is shorter.
  static func general(_ value: Double, _ digits: Int, keepsZeros: Bool) -> String {
    printed(keepsZeros ? "%#.*g" : "%.*g", value, digits)
  }

  private static func printed(_ format: String, _ value: Double, _ places: Int) -> String {
    if value.isNaN { return "nan" }
    if value.isInfinite { return value < 0 ? "-inf" : "inf" }
    return withVaList([Int32(clamping: places), value]) { arguments in
      var buffer = [CChar](repeating: 0, count: 400 + max(0, places))
      let count = Int(vsnprintf(&buffer, buffer.count, format, arguments))
      return String(decoding: buffer.prefix(min(count, buffer.count - 1)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
  }
}

/// The part of a format after the colon: `[[fill]align][sign][z][#][0][width][grouping][.precision][type]`.
struct FormatSpecification {
  var fill: Unicode.Scalar = " "
  var align: Unicode.Scalar?
  var sign: Unicode.Scalar = "-"
  var isAlternate = false
  var width = 0
  var grouping: Unicode.Scalar?
  var precision: Int?
  var type: Unicode.Scalar?

  init() {}

  init(_ text: Text) throws {
    var scalars = text.scalars[...]
    let aligns: Set<Unicode.Scalar> = ["<", ">", "=", "^"]
    if scalars.count > 1, aligns.contains(scalars[scalars.startIndex + 1]) {
      fill = scalars.removeFirst()
      align = scalars.removeFirst()
    } else if let first = scalars.first, aligns.contains(first) {
      align = scalars.removeFirst()
    }
    if let first = scalars.first, ["+", "-", " "].contains(first) { sign = scalars.removeFirst() }
    if scalars.first == "#" {
      isAlternate = true
      scalars.removeFirst()
    }
    if scalars.first == "0", align == nil {
      (fill, align) = ("0", "=")
      scalars.removeFirst()
    }
    width = try Self.number(&scalars) ?? 0
    if let first = scalars.first, first == "," || first == "_" { grouping = scalars.removeFirst() }
    if scalars.first == "." {
      scalars.removeFirst()
      guard let digits = try Self.number(&scalars) else {
        throw TemplateError(.value, "Format specifier missing precision")
      }
      precision = digits
    }
    type = scalars.popFirst()
    if !scalars.isEmpty { throw TemplateError(.value, "Invalid format specifier") }
  }

  private static func number(_ scalars: inout ArraySlice<Unicode.Scalar>) throws -> Int? {
    let digits = scalars.prefix { ("0"..."9").contains($0) }
    if digits.isEmpty { return nil }
    scalars = scalars.dropFirst(digits.count)
    guard let value = Integer(digits: digits, radix: 10)?.int, value <= 100_000 else {
      throw TemplateError(.limit, "a width or precision of more than 100000")
    }
    return value
  }

  /// Fills up to the width.
  ///
  /// Signs of numbers stay in front of a filling with `=`.
  func padded(_ text: Text, standard: Unicode.Scalar, prefix: Int = 0) -> Text {
    let missing = max(0, width - text.count)
    func filling(_ count: Int) -> [Unicode.Scalar] { Array(repeating: fill, count: count) }
    switch align ?? standard {
    case "<": return Text(text.scalars + filling(missing))
    case "^": return Text(filling(missing / 2) + text.scalars + filling(missing - missing / 2))
    case "=": return Text(text.scalars.prefix(prefix) + filling(missing) + text.scalars.dropFirst(prefix))
    default: return Text(filling(missing) + text.scalars)
    }
  }
}
