extension Integer: Comparable {
  package static func < (left: Integer, right: Integer) -> Bool {
    if case .small(let a) = left, case .small(let b) = right { return a < b }
    if left.isNegative != right.isNegative { return left.isNegative }
    let order = compare(trimmed(left.digits), trimmed(right.digits))
    return left.isNegative ? order > 0 : order < 0
  }

  static prefix func - (value: Integer) -> Integer {
    if case .small(let small) = value, small != .min { return .small(-small) }
    return Integer(isNegative: !value.isNegative, value.digits)
  }

  static func + (left: Integer, right: Integer) -> Integer {
    if case .small(let a) = left, case .small(let b) = right {
      let (sum, overflows) = a.addingReportingOverflow(b)
      if !overflows { return .small(sum) }
    }
    let (a, b) = (trimmed(left.digits), trimmed(right.digits))
    if left.isNegative == right.isNegative { return Integer(isNegative: left.isNegative, add(a, b)) }
    return compare(a, b) >= 0
      ? Integer(isNegative: left.isNegative, subtract(a, b)) : Integer(isNegative: right.isNegative, subtract(b, a))
  }

  static func - (left: Integer, right: Integer) -> Integer { left + -right }

  static func * (left: Integer, right: Integer) -> Integer {
    if case .small(let a) = left, case .small(let b) = right {
      let (product, overflows) = a.multipliedReportingOverflow(by: b)
      if !overflows { return .small(product) }
    }
    let (a, b) = (left.digits, right.digits)
    var result = [UInt32](repeating: 0, count: a.count + b.count)
    for (i, x) in a.enumerated() where x != 0 {
      var carry: UInt64 = 0
      for (j, y) in b.enumerated() {
        carry += UInt64(x) * UInt64(y) + UInt64(result[i + j])
        result[i + j] = UInt32(truncatingIfNeeded: carry)
        carry >>= 32
      }
      result[i + b.count] = UInt32(carry)
    }
    return Integer(isNegative: left.isNegative != right.isNegative, result)
  }

  /// Quotient rounded down, and the remainder with the sign of the divisor, which is not zero.
  func dividedDown(by divisor: Integer) -> (quotient: Integer, remainder: Integer) {
    var (quotient, remainder) = dividedToZero(by: divisor)
    if !remainder.isZero, remainder.isNegative != divisor.isNegative {
      quotient = quotient - .small(1)
      remainder = remainder + divisor
    }
    return (quotient, remainder)
  }

  private func dividedToZero(by divisor: Integer) -> (Integer, Integer) {
    if case .small(let a) = self, case .small(let b) = divisor {
      let (quotient, overflows) = a.dividedReportingOverflow(by: b)
      if !overflows { return (.small(quotient), .small(a % b)) }
    }
    let digits = Self.trimmed(divisor.digits)
    var quotient = Self.trimmed(self.digits)
    var remainder: [UInt32]
    if digits.count == 1 {
      remainder = [Self.divide(&quotient, by: digits[0])]
    } else {
      (quotient, remainder) = Self.divide(quotient, by: digits)
    }
    return (
      Integer(isNegative: isNegative != divisor.isNegative, quotient), Integer(isNegative: isNegative, remainder)
    )
  }

  /// Bit by bit: integers here have a few hundred digits at most.
  private static func divide(_ value: [UInt32], by divisor: [UInt32]) -> ([UInt32], [UInt32]) {
    var quotient = [UInt32](repeating: 0, count: value.count)
    var remainder: [UInt32] = []
    for bit in (0..<32 * value.count).reversed() {
      var carry = value[bit / 32] >> UInt32(bit % 32) & 1
      for index in remainder.indices {
        let digit = remainder[index]
        remainder[index] = digit << 1 | carry
        carry = digit >> 31
      }
      if carry > 0 { remainder.append(carry) }
      if compare(remainder, divisor) >= 0 {
        remainder = trimmed(subtract(remainder, divisor))
        quotient[bit / 32] |= 1 << UInt32(bit % 32)
      }
    }
    return (quotient, remainder)
  }

  func power(_ exponent: Int) -> Integer {
    var (result, base, rest) = (Integer(1), self, exponent)
    while rest > 0 {
      if rest & 1 == 1 { result = result * base }
      rest >>= 1
      if rest > 0 { base = base * base }
    }
    return result
  }

  // MARK: - Magnitudes

  private static func trimmed(_ digits: [UInt32]) -> [UInt32] {
    var digits = digits
    while digits.last == 0 { digits.removeLast() }
    return digits
  }

  private static func compare(_ a: [UInt32], _ b: [UInt32]) -> Int {
    if a.count != b.count { return a.count < b.count ? -1 : 1 }
    for index in a.indices.reversed() where a[index] != b[index] { return a[index] < b[index] ? -1 : 1 }
    return 0
  }

  private static func add(_ a: [UInt32], _ b: [UInt32]) -> [UInt32] {
    var result: [UInt32] = []
    var carry: UInt64 = 0
    for index in 0..<max(a.count, b.count) {
      carry += (index < a.count ? UInt64(a[index]) : 0) + (index < b.count ? UInt64(b[index]) : 0)
      result.append(UInt32(truncatingIfNeeded: carry))
      carry >>= 32
    }
    result.append(UInt32(carry))
    return result
  }

  /// `a` is at least `b`.
  private static func subtract(_ a: [UInt32], _ b: [UInt32]) -> [UInt32] {
    var result = a
    var borrow: Int64 = 0
    for index in a.indices {
      let difference = Int64(a[index]) - (index < b.count ? Int64(b[index]) : 0) - borrow
      result[index] = UInt32(truncatingIfNeeded: difference)
      borrow = difference < 0 ? 1 : 0
    }
    return result
  }
}
