/// An integer of any size, as Python's.
package enum Integer: Hashable, Sendable {
  case small(Int)
  /// Outside of `Int`: sign, and digits to the base 2³², lowest first.
  case large(isNegative: Bool, [UInt32])

  init(_ value: Int) { self = .small(value) }

  init(isNegative: Bool, _ digits: [UInt32]) {
    var digits = digits
    while digits.last == 0 { digits.removeLast() }
    if digits.count <= 2 {
      let magnitude = digits.reversed().reduce(UInt64(0)) { $0 << 32 | UInt64($1) }
      if let value = Int(exactly: magnitude) {
        self = .small(isNegative ? -value : value)
        return
      }
      if isNegative, magnitude == Int.min.magnitude {
        self = .small(.min)
        return
      }
    }
    self = .large(isNegative: isNegative, digits)
  }

  /// The whole part of a finite number.
  init(truncating value: Double) {
    if let small = Int(exactly: value.rounded(.towardZero)) {
      self = .small(small)
      return
    }
    let bits = value.significandBitPattern | 1 << 52
    let magnitude = Integer(isNegative: value < 0, [UInt32(truncatingIfNeeded: bits), UInt32(bits >> 32)])
    // Numbers outside of Int have an exponent of at least 63.
    self = magnitude.shiftedLeft(Int(value.exponent) - 52)
  }

  var isNegative: Bool {
    switch self {
    case .small(let value): value < 0
    case .large(let isNegative, _): isNegative
    }
  }

  var isZero: Bool { self == .small(0) }

  /// The value where it fits.
  var int: Int? { if case .small(let value) = self { value } else { nil } }

  /// The value, or the nearest that fits.
  var clamped: Int { int ?? (isNegative ? .min : .max) }

  var digits: [UInt32] {
    switch self {
    case .small(let value): [UInt32(truncatingIfNeeded: value.magnitude), UInt32(value.magnitude >> 32)]
    case .large(_, let digits): digits
    }
  }

  var bitWidth: Int {
    let digits = digits
    guard let top = digits.lastIndex(where: { $0 != 0 }) else { return 0 }
    return 32 * top + 32 - digits[top].leadingZeroBitCount
  }

  /// The nearest number; infinite where it is too large.
  var double: Double {
    switch self {
    case .small(let value): Double(value)
    // The text of an integer is a number.
    case .large: Double(description) ?? .nan
    }
  }

  var magnitude: Integer { isNegative ? -self : self }

  func shiftedLeft(_ count: Int) -> Integer {
    var result = [UInt32](repeating: 0, count: count / 32)
    var carry: UInt64 = 0
    for digit in digits {
      let wide = UInt64(digit) << UInt64(count % 32) | carry
      result.append(UInt32(truncatingIfNeeded: wide))
      carry = wide >> 32
    }
    result.append(UInt32(carry))
    return Integer(isNegative: isNegative, result)
  }
}

extension Integer: CustomStringConvertible {
  package var description: String { text(radix: 10) }

  /// Digits to a base of at most 36, lower case.
  func text(radix: Int) -> String {
    guard case .large(let isNegative, let digits) = self else { return String(clamped, radix: radix) }
    // As many places at once as one digit holds.
    var (chunk, places) = (radix, 1)
    while chunk * radix < 1 << 32 { (chunk, places) = (chunk * radix, places + 1) }
    var rest = digits
    var parts: [String] = []
    while !rest.isEmpty {
      let part = String(Self.divide(&rest, by: UInt32(chunk)), radix: radix)
      parts.append(rest.isEmpty ? part : String(repeating: "0", count: places - part.count) + part)
    }
    return (isNegative ? "-" : "") + parts.reversed().joined()
  }

  /// Divides in place, drops leading zeros, and gives the remainder.
  static func divide(_ digits: inout [UInt32], by divisor: UInt32) -> UInt32 {
    var remainder: UInt64 = 0
    for index in digits.indices.reversed() {
      let wide = remainder << 32 | UInt64(digits[index])
      digits[index] = UInt32(wide / UInt64(divisor))
      remainder = wide % UInt64(divisor)
    }
    while digits.last == 0 { digits.removeLast() }
    return UInt32(remainder)
  }

  /// Reads digits to a base; nil where one is none.
  init?(digits text: some Sequence<Unicode.Scalar>, radix: Int) {
    var value: [UInt32] = []
    var isEmpty = true
    for scalar in text {
      guard let digit = Self.digit(scalar), digit < radix else { return nil }
      var carry = UInt64(digit)
      for index in value.indices {
        carry += UInt64(value[index]) * UInt64(radix)
        value[index] = UInt32(truncatingIfNeeded: carry)
        carry >>= 32
      }
      if carry > 0 { value.append(UInt32(carry)) }
      isEmpty = false
    }
    if isEmpty { return nil }
    self.init(isNegative: false, value)
  }

  private static func digit(_ scalar: Unicode.Scalar) -> Int? {
    switch scalar {
    case "0"..."9": Int(scalar.value) - 48
    case "a"..."z": Int(scalar.value) - 87
    case "A"..."Z": Int(scalar.value) - 55
    default: scalar.properties.numericType == .decimal ? scalar.properties.numericValue.map { Int($0) } : nil
    }
  }
}
