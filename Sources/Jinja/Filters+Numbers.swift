import Foundation

extension Filters {
  static let numberFilters: [String: Filter] = [
    "abs": { _, value, arguments in
      _ = try arguments.unnamed("abs", 0...0)
      if case .undefined = value { throw TemplateError(.type, "bad operand type for abs(): 'Undefined'") }
      if let integer = value.asInteger { return .integer(integer.magnitude) }
      if case .double(let number) = value { return .double(abs(number)) }
      throw TemplateError(.type, "bad operand type for abs(): '\(value.typeName)'")
    },
    "int": { interpreter, value, arguments in
      let values = try arguments.bound("do_int", ["default", "base"])
      return try whole(value, values[0] ?? Value(0), values[1].map(integer) ?? 10)
    },
    "float": { _, value, arguments in
      let standard = try arguments.bound("do_float", ["default"])[0] ?? .double(0)
      return try number(value).map { .double($0) } ?? standard
    },
    "round": { _, value, arguments in
      let values = try arguments.bound("do_round", ["precision", "method"])
      let method = values[1] ?? Value("common")
      guard case .text(let name) = method, ["common", "ceil", "floor"].contains(name.string) else {
        throw TemplateError(.filterArgument, "method must be common, ceil or floor")
      }
      return try rounded(value, values[0] ?? Value(0), name.string)
    },
    "filesizeformat": { interpreter, value, arguments in
      let isBinary = isTrue(try arguments.bound("do_filesizeformat", ["binary"])[0])
      guard let size = try number(value) else {
        throw TemplateError(
          value.isText ? .value : .type, "not a size: \(try interpreter.representation(value).string)")
      }
      return Value(fileSize(size, isBinary))
    },
  ]

  /// A number as `float` reads one; nil where Python refuses.
  static func number(_ value: Value) throws -> Double? {
    if case .undefined(let missing) = value { throw missing.error }
    if let integer = value.asInteger {
      let number = integer.double
      guard number.isFinite else { throw TemplateError(.overflow, "int too large to convert to float") }
      return number
    }
    if case .double(let number) = value { return number }
    guard case .text(let text) = value else { return nil }
    return double(text)
  }

  static func double(_ text: Text) -> Double? {
    guard let digits = withoutUnderscores(text.trimmed().scalars) else { return nil }
    let written = Text(digits).string.lowercased()
    let unsigned = written.drop { $0 == "+" || $0 == "-" }
    guard written.utf8.count - unsigned.utf8.count <= 1 else { return nil }
    switch unsigned {
    case "inf", "infinity": return written.hasPrefix("-") ? -.infinity : .infinity
    case "nan": return .nan
    default:
      guard let first = unsigned.utf8.first, first == 46 || (48...57).contains(first),
        unsigned.utf8.allSatisfy({ "0123456789.e+-".utf8.contains($0) }), unsigned != ".", !unsigned.hasPrefix(".e")
      else { return nil }
      // Swift wants a digit before and after the point; C does not.
      let padded = (unsigned.hasPrefix(".") ? "0" : "") + unsigned
      guard isNumber(padded) else { return nil }
      return (written.hasPrefix("-") ? -1 : 1) * strtod(padded, nil)
    }
  }

  private static func isNumber(_ text: String) -> Bool {
    let parts = text.split(separator: "e", maxSplits: 1, omittingEmptySubsequences: false)
    let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    guard mantissa.count <= 2, mantissa.allSatisfy({ $0.allSatisfy(\.isNumber) }) else { return false }
    guard parts.count == 2 else { return true }
    let exponent = parts[1].first.map { $0 == "+" || $0 == "-" } == true ? parts[1].dropFirst() : parts[1]
    return !exponent.isEmpty && exponent.allSatisfy(\.isNumber)
  }

  /// Digits of any script as ASCII, without the underscores that may stand between two digits.
  private static func withoutUnderscores(_ scalars: [Unicode.Scalar]) -> [Unicode.Scalar]? {
    var result: [Unicode.Scalar] = []
    for (index, scalar) in scalars.enumerated() {
      if scalar == "_" {
        guard index > 0, index + 1 < scalars.count, scalars[index - 1].isDecimal, scalars[index + 1].isDecimal else {
          return nil
        }
      } else if scalar.isDecimal, let digit = scalar.properties.numericValue {
        result.append(Unicode.Scalar(UInt8(48 + digit)))
      } else {
        result.append(scalar)
      }
    }
    return result
  }

  private static func whole(_ value: Value, _ standard: Value, _ base: Int) throws -> Value {
    if case .text(let text) = value, let integer = try integer(text, base) { return .integer(integer) }
    if let integer = value.asInteger { return .integer(integer) }
    if case .double(let number) = value {
      if number.isInfinite { throw TemplateError(.overflow, "cannot convert float infinity to integer") }
      return number.isNaN ? standard : .integer(Integer(truncating: number))
    }
    guard let number = try number(value), number.isFinite else { return standard }
    return .integer(Integer(truncating: number))
  }

  /// An integer as Python's `int` reads one; nil where it refuses.
  static func integer(_ text: Text, _ base: Int) throws -> Integer? {
    guard base == 0 || (2...36).contains(base) else { return nil }
    var scalars = text.trimmed().scalars[...]
    var isNegative = false
    if let sign = scalars.first, sign == "+" || sign == "-" {
      isNegative = sign == "-"
      scalars.removeFirst()
    }
    var radix = base
    if scalars.count > 1, scalars.first == "0" {
      let marks: [Unicode.Scalar: Int] = ["b": 2, "B": 2, "o": 8, "O": 8, "x": 16, "X": 16]
      if let marked = marks[scalars[scalars.startIndex + 1]], base == 0 || base == marked {
        radix = marked
        scalars = scalars.dropFirst(2)
        if scalars.first == "_" { scalars.removeFirst() }
      } else if base == 0, !scalars.allSatisfy({ $0 == "0" || $0 == "_" }) {
        return nil
      }
    }
    if radix == 0 { radix = 10 }
    let digits = scalars.filter { $0 != "_" }
    let hasBadUnderscore = zip(scalars, scalars.dropFirst()).contains { $0 == "_" && $1 == "_" }
    guard !hasBadUnderscore, scalars.first != "_", scalars.last != "_", digits.count <= 4300,
      let value = Integer(digits: digits, radix: radix)
    else { return nil }
    return isNegative ? -value : value
  }

  private static func rounded(_ value: Value, _ precision: Value, _ method: String) throws -> Value {
    if case .undefined(let missing) = value { throw missing.error }
    let places = try integer(precision)
    if method == "common" {
      if let integer = value.asInteger { return .integer(try rounded(integer, places)) }
      guard case .double(let number) = value else {
        throw TemplateError(.type, "type \(value.typeName) doesn't define __round__ method")
      }
      return .double(rounded(number, places))
    }
    guard let number = value.asDouble else {
      throw TemplateError(.type, "must be real number, not \(value.typeName)")
    }
    let scale = pow(10, Double(places))
    let scaled = number * scale
    guard scaled.isFinite else {
      throw TemplateError(scaled.isNaN ? .value : .overflow, "cannot convert \(scaled.pythonText) to integer")
    }
    return .double((method == "ceil" ? scaled.rounded(.up) : scaled.rounded(.down)) / scale)
  }

  /// To the nearest, of two that are equally near to the even one.
  private static func rounded(_ value: Integer, _ places: Int) throws -> Integer {
    guard places < 0 else { return value }
    guard places > -5000 else { return Integer(0) }
    let unit = Integer(10).power(-places)
    let (quotient, remainder) = value.dividedDown(by: unit)
    let twice = remainder + remainder
    let isOdd = !quotient.dividedDown(by: Integer(2)).remainder.isZero
    return (twice > unit || twice == unit && isOdd ? quotient + Integer(1) : quotient) * unit
  }

  /// By the decimal digits that the number really has, as Python does.
  private static func rounded(_ value: Double, _ places: Int) -> Double {
    guard value.isFinite, places < 400 else { return value }
    if places < 0 {
      guard places > -400 else { return Double(signOf: value, magnitudeOf: 0) }
      let unit = pow(10, Double(-places))
      return (value / unit).rounded(.toNearestOrEven) * unit
    }
    return strtod(NumberText.fixed(value, places), nil)
  }

  private static func fileSize(_ size: Double, _ isBinary: Bool) -> String {
    let base: Double = isBinary ? 1024 : 1000
    if size == 1 { return "1 Byte" }
    if size < base { return "\(Integer(truncating: size)) Bytes" }
    let letters = ["k", "M", "G", "T", "P", "E", "Z", "Y"]
    for (index, letter) in letters.enumerated() {
      let unit = pow(base, Double(index + 2))
      if size < unit || index == letters.count - 1 {
        let name = isBinary ? letter.uppercased() + "iB" : letter + "B"
        return "\(NumberText.fixed(base * size / unit, 1)) \(name)"
      }
    }
    return ""
  }
}
