import Foundation

extension Interpreter {
  func combine(_ operation: Arithmetic, _ left: Value, _ right: Value) throws -> Value {
    // Text and what is not defined decide first, as in Python: `%` of a text formats anything.
    if case .remainder = operation, case .text(let format) = left { return .text(try percentFormat(format, right)) }
    if case .undefined(let missing) = left { throw missing.error }
    if case .undefined(let missing) = right { throw missing.error }
    if let a = left.asInteger, let b = right.asInteger { return try integers(operation, a, b) }
    if let a = left.asDouble, let b = right.asDouble { return try doubles(operation, a, b) }
    switch operation {
    case .add: return try concatenate(left, right)
    case .multiply:
      if let count = right.asInteger { if let value = try repeated(left, count) { return value } }
      if let count = left.asInteger { if let value = try repeated(right, count) { return value } }
    default: break
    }
    if case .multiply = operation, left.isSequence || right.isSequence {
      throw TemplateError(
        .type, "can't multiply sequence by non-int of type '\((left.isSequence ? right : left).typeName)'")
    }
    throw unsupported(operation.rawValue == "**" ? "** or pow()" : operation.rawValue, left, right)
  }

  private func unsupported(_ sign: String, _ left: Value, _ right: Value) -> TemplateError {
    TemplateError(.type, "unsupported operand type(s) for \(sign): '\(left.typeName)' and '\(right.typeName)'")
  }

  private func concatenate(_ left: Value, _ right: Value) throws -> Value {
    switch (left, right) {
    case (.text(let a), .text(let b)):
      if a.isMarkup || b.isMarkup {
        let joined = a.escapedForHTML + b.escapedForHTML
        return .text(Text(try checked(joined).scalars, isMarkup: true))
      }
      return .text(try checked(a + b))
    case (.list(let a), .list(let b)): return .list(ListValue(try checked(a.items + b.items)))
    case (.tuple(let a), .tuple(let b)): return .tuple(TupleValue(try checked(a.items + b.items)))
    case (.text, _):
      throw TemplateError(.type, "can only concatenate str (not \"\(right.typeName)\") to str")
    case (.list, _), (.tuple, _):
      throw TemplateError(
        .type, "can only concatenate \(left.typeName) (not \"\(right.typeName)\") to \(left.typeName)")
    default: throw unsupported("+", left, right)
    }
  }

  private func repeated(_ value: Value, _ count: Integer) throws -> Value? {
    guard let length = value.count, value.isSequence else { return nil }
    let times = max(0, count.clamped)
    let (size, overflows) = length.multipliedReportingOverflow(by: times)
    guard !overflows, size <= limits.size else { throw tooLarge }
    try step(size / 16)
    switch value {
    case .text(let text):
      return .text(Text((0..<times).reduce(into: []) { all, _ in all += text.scalars }, isMarkup: text.isMarkup))
    case .list(let list): return .list(ListValue((0..<(length == 0 ? 0 : times)).flatMap { _ in list.items }))
    case .tuple(let tuple): return .tuple(TupleValue((0..<(length == 0 ? 0 : times)).flatMap { _ in tuple.items }))
    default: return nil
    }
  }

  private func integers(_ operation: Arithmetic, _ a: Integer, _ b: Integer) throws -> Value {
    func result(_ value: Integer) throws -> Value {
      guard value.bitWidth <= Limits.bits else { throw tooLarge }
      return .integer(value)
    }
    switch operation {
    case .add: return try result(a + b)
    case .subtract: return try result(a - b)
    case .multiply: return try result(a * b)
    case .divide:
      if b.isZero { throw TemplateError(.zeroDivision, "division by zero") }
      let (x, y) = (a.double, b.double)
      guard x.isFinite, y.isFinite else {
        throw TemplateError(.overflow, "integer division result too large for a float")
      }
      return .double(x / y)
    case .divideDown:
      if b.isZero { throw TemplateError(.zeroDivision, "integer division or modulo by zero") }
      return .integer(a.dividedDown(by: b).quotient)
    case .remainder:
      if b.isZero { throw TemplateError(.zeroDivision, "integer modulo by zero") }
      return .integer(a.dividedDown(by: b).remainder)
    case .power:
      if b.isNegative { return try doubles(.power, a.double, b.double) }
      if a.bitWidth > 1 || a.isNegative, !(a == .small(-1)) {
        guard b <= Integer(Limits.bits), a.bitWidth * b.clamped <= 2 * Limits.bits else { throw tooLarge }
      }
      // Of 0, 1, and -1 only the lowest digit of the exponent counts.
      let exponent = a.bitWidth > 1 ? b.clamped : b.isZero ? 0 : b.dividedDown(by: .small(2)).remainder.isZero ? 2 : 1
      return try result(a.power(exponent))
    }
  }

  private func doubles(_ operation: Arithmetic, _ a: Double, _ b: Double) throws -> Value {
    switch operation {
    case .add: return .double(a + b)
    case .subtract: return .double(a - b)
    case .multiply: return .double(a * b)
    case .divide:
      if b == 0 { throw TemplateError(.zeroDivision, "float division by zero") }
      return .double(a / b)
    case .divideDown, .remainder:
      let isDivision = operation == .divideDown
      if b == 0 { throw TemplateError(.zeroDivision, isDivision ? "float floor division by zero" : "float modulo") }
      let (quotient, remainder) = Self.dividedDown(a, b)
      return .double(isDivision ? quotient : remainder)
    case .power:
      if a == 0, b < 0 {
        throw TemplateError(.zeroDivision, "0.0 cannot be raised to a negative power")
      }
      if a < 0, a.isFinite, b.isFinite, b != b.rounded() {
        throw TemplateError(.unsupported, "complex numbers are not supported")
      }
      let power = pow(a, b)
      if power.isInfinite, a.isFinite, b.isFinite {
        throw TemplateError(.overflow, "(34, 'Numerical result out of range')")
      }
      return .double(power)
    }
  }

  /// As Python divides numbers: the remainder has the sign of the divisor.
  private static func dividedDown(_ a: Double, _ b: Double) -> (quotient: Double, remainder: Double) {
    var remainder = fmod(a, b)
    var quotient = (a - remainder) / b
    if remainder != 0 {
      if (b < 0) != (remainder < 0) {
        remainder += b
        quotient -= 1
      }
    } else {
      remainder = Double(signOf: b, magnitudeOf: 0)
    }
    guard quotient != 0 else { return (Double(signOf: a / b, magnitudeOf: 0), remainder) }
    let down = quotient.rounded(.down)
    return (quotient - down > 0.5 ? down + 1 : down, remainder)
  }

  func negate(_ value: Value, isMinus: Bool) throws -> Value {
    if case .undefined(let missing) = value { throw missing.error }
    if let integer = value.asInteger { return .integer(isMinus ? -integer : integer) }
    if case .double(let number) = value { return .double(isMinus ? -number : number) }
    throw TemplateError(.type, "bad operand type for unary \(isMinus ? "-" : "+"): '\(value.typeName)'")
  }
}

extension Value {
  /// Text, list, or tuple: what can be repeated.
  var isSequence: Bool {
    switch self {
    case .text, .list, .tuple: true
    default: false
    }
  }
}
