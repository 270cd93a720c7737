// Moments as Python, JavaScript and databases write them (ISO 8601 / RFC 3339), in seconds since 1970-01-01T00:00:00Z.
//
//   2024-05-01                          midnight; also 20240501, 2024-05 and the week dates 2024-W18, 2024-W18-3
//   2024-05-01T12:00:00.123456+02:00    T, t or one blank; seconds and minutes may be missing; a fraction of any length
//   …Z  …+02  …+0200  …+02:00  … UTC    no zone means UTC
//   24:00:00                            the end of the day; nothing else follows 23:59:59 but the leap second 23:59:60
//
// Impossible dates (February 30, month 13) are refused, never carried over.

/// A moment in a record: a number or a text.
package enum RecordTime {
  /// Why a text is no moment.
  package struct Failure: Error, Equatable {
    package var reason: String
    init(_ reason: String) { self.reason = reason }
  }

  /// From here on a number is taken for milliseconds (JavaScript), microseconds and nanoseconds (pandas): as seconds it
  /// would lie beyond the year 5000.
  package static let milliseconds = 1e11
  package static let microseconds = 1e14
  package static let nanoseconds = 1e17

  /// A number of seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by its size; in seconds.
  package static func seconds(of number: Double) -> Double {
    switch abs(number) {
    case ..<milliseconds: number
    case ..<microseconds: number / 1e3
    case ..<nanoseconds: number / 1e6
    default: number / 1e9
    }
  }

  /// The moment that a text names, in seconds; a quoted number counts as that number, eight digits as a date.
  package static func seconds(of text: String) throws -> Double {
    if isNumber(text), !(text.utf8.count == 8 && text.utf8.allSatisfy(isDigit)) {
      guard let number = Double(text), number.isFinite else { throw Failure("the number is too large") }
      return seconds(of: number)
    }
    var reader = Reader(bytes: Array(text.utf8))
    return try reader.moment()
  }

  /// Digits with an optional sign, fraction and exponent: no hexadecimal, no infinity.
  private static func isNumber(_ text: String) -> Bool {
    text.range(of: "^[-+]?[0-9]+(?:\\.[0-9]*)?(?:[eE][-+]?[0-9]+)?$", options: .regularExpression) != nil
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}

extension RecordTime {
  /// Reads a moment from left to right.
  private struct Reader {
    let bytes: [UInt8]
    var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }
    private func isAt(_ character: Unicode.Scalar) -> Bool { current == UInt8(ascii: character) }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
      guard isAt(character) else { return false }
      position += 1
      return true
    }

    /// Exactly `count` digits.
    private mutating func number(_ count: Int, _ what: String) throws -> Int {
      let end = position + count
      guard end <= bytes.count, bytes[position..<end].allSatisfy(isDigit) else {
        throw Failure("the \(what) must have \(count) digits")
      }
      defer { position = end }
      return bytes[position..<end].reduce(0) { 10 * $0 + Int($1 - 0x30) }
    }

    private func digits(from start: Int) -> Int { bytes[start...].prefix(while: isDigit).count }

    mutating func moment() throws -> Double {
      let (day, isWhole) = try date()
      guard current != nil else { return Double(day) * 86_400 }
      guard isWhole else { throw Failure("a time of day needs a whole date before it") }
      guard take("T") || take("t") || take(" ") else { throw Failure("write T or a blank between date and time") }
      let (seconds, fraction) = try timeOfDay()
      let offset = try zone()
      guard current == nil else { throw Failure("there is text after the time") }
      let total = day * 86_400 + seconds.whole - offset.whole
      if seconds.isLeap { try checkLeapSecond(total) }
      return Double(total) + (fraction - offset.fraction)
    }

    /// A leap second is the one after 23:59:59 UTC on June 30 or December 31; it counts as the second that follows it.
    private func checkLeapSecond(_ total: Int) throws {
      let next = Calendar.date(daysSince1970: total / 86_400)
      guard total % 86_400 == 0, next.day == 1, next.month == 1 || next.month == 7 else {
        throw Failure("second 60 is a leap second, and there is none at that moment")
      }
    }

    // MARK: Date

    /// Days since 1970 and whether the day itself was named.
    private mutating func date() throws -> (day: Int, isWhole: Bool) {
      guard digits(from: 0) == 4 || digits(from: 0) == 8 || digits(from: 0) == 6 else {
        throw Failure("a date begins with a year of four digits, as in 2024-05-01")
      }
      let year = try number(4, "year")
      guard year >= 1 else { throw Failure("there is no year 0000") }
      let isExtended = take("-")
      if take("W") { return try weekDate(year, isExtended: isExtended) }
      let month = try number(2, "month")
      guard (1...12).contains(month) else { throw Failure("there is no month \(month)") }
      if isExtended, current == nil { return (Calendar.days(year, month, 1), false) }
      guard isExtended == isAt("-") else { throw Failure("write the date as 2024-05-01 or 20240501") }
      if isExtended { position += 1 }
      let day = try number(2, "day")
      let last = Calendar.length(year, month)
      guard (1...last).contains(day) else {
        throw Failure("there is no day \(day) in month \(month) of \(year), which has \(last)")
      }
      return (Calendar.days(year, month, day), true)
    }

    private mutating func weekDate(_ year: Int, isExtended: Bool) throws -> (day: Int, isWhole: Bool) {
      let week = try number(2, "week")
      guard (1...Calendar.weeks(year)).contains(week) else {
        throw Failure("there is no week \(week) in \(year), which has \(Calendar.weeks(year))")
      }
      let monday = Calendar.firstMonday(year) + 7 * (week - 1)
      let hasDay = isExtended ? isAt("-") : current.map(isDigit) == true
      // A week without its day means Monday, as in Python.
      guard hasDay else { return (monday, true) }
      if isExtended { position += 1 }
      let day = try number(1, "day of the week")
      guard (1...7).contains(day) else { throw Failure("the days of a week are 1 to 7, not \(day)") }
      return (monday + day - 1, true)
    }

    // MARK: Time of day

    private struct Clock {
      var whole: Int
      var isLeap: Bool
    }

    private mutating func timeOfDay() throws -> (Clock, fraction: Double) {
      let hour = try number(2, "hour")
      let isExtended = isAt(":")
      let minute = try field(isExtended, "minute")
      let second = minute == nil ? nil : try field(isExtended, "second")
      let fraction = second == nil ? 0 : try self.fraction()
      guard hour <= 24 else { throw Failure("there is no hour \(hour)") }
      guard minute ?? 0 < 60 else { throw Failure("there is no minute \(minute ?? 0)") }
      let isLeap = second == 60
      guard second ?? 0 < 60 || isLeap else { throw Failure("there is no second \(second ?? 0)") }
      if hour == 24, minute ?? 0 > 0 || second ?? 0 > 0 || fraction > 0 {
        throw Failure("24:00:00 is the end of the day; no time follows it")
      }
      return (Clock(whole: hour * 3600 + (minute ?? 0) * 60 + (second ?? 0), isLeap: isLeap), fraction)
    }

    /// The next two digits of a time, nil where it ends here.
    private mutating func field(_ isExtended: Bool, _ what: String) throws -> Int? {
      if isExtended {
        guard take(":") else { return nil }
      } else {
        guard let current, isDigit(current) else { return nil }
      }
      return try number(2, what)
    }

    /// Digits after a point or a comma, as many as there are.
    private mutating func fraction() throws -> Double {
      guard isAt(".") || isAt(",") else { return 0 }
      let count = digits(from: position + 1)
      guard count > 0 else { throw Failure("there are no digits after the point") }
      let text = String(decoding: bytes[(position + 1)..<(position + 1 + count)], as: UTF8.self)
      position += 1 + count
      return Double("0." + text) ?? 0
    }

    // MARK: Zone

    /// Seconds east of Greenwich; 0 where no zone is named.
    private mutating func zone() throws -> (whole: Int, fraction: Double) {
      if take("Z") || take("z") { return (0, 0) }
      let start = position
      _ = take(" ")
      for name in ["UTC", "GMT"] where bytes[position...].elementsEqual(name.utf8) {
        position = bytes.count
        return (0, 0)
      }
      var sign = 0
      if take("+") { sign = 1 } else if take("-") { sign = -1 } else if takeMinusSign() { sign = -1 }
      guard sign != 0 else {
        guard start == bytes.count else {
          throw Failure("the zone must be Z, UTC or an offset such as +02:00; names and abbreviations are not known")
        }
        return (0, 0)
      }
      let hour = try number(2, "offset's hour")
      let isExtended = isAt(":")
      let minute = try field(isExtended, "offset's minute")
      let second = minute == nil ? nil : try field(isExtended, "offset's second")
      let fraction = second == nil ? 0 : try self.fraction()
      guard minute ?? 0 < 60, second ?? 0 < 60 else { throw Failure("the offset's minutes and seconds are below 60") }
      guard hour < 24 else { throw Failure("an offset is less than 24 hours") }
      return (sign * (hour * 3600 + (minute ?? 0) * 60 + (second ?? 0)), Double(sign) * fraction)
    }

    /// The sign U+2212, which ISO 8601 prefers to the hyphen.
    private mutating func takeMinusSign() -> Bool {
      guard bytes[position...].starts(with: [0xE2, 0x88, 0x92]) else { return false }
      position += 3
      return true
    }
  }

  /// The Gregorian calendar, for all years from 1 on.
  enum Calendar {
    static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    static func length(_ year: Int, _ month: Int) -> Int {
      switch month {
      case 2: isLeap(year) ? 29 : 28
      case 4, 6, 9, 11: 30
      default: 31
      }
    }

    /// Days from 1970-01-01 to a date.
    static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
      let before = year - 1
      let toYear = 365 * before + before / 4 - before / 100 + before / 400
      let toMonth = (1..<month).reduce(0) { $0 + length(year, $1) }
      // 719,162 days lie before 1970-01-01.
      return toYear + toMonth + day - 1 - 719_162
    }

    /// The month and day that lie `days` after 1970-01-01.
    static func date(daysSince1970 days: Int) -> (month: Int, day: Int) {
      var year = 1970 + days / 366
      if days < 0 { year -= 1 }
      while Self.days(year + 1, 1, 1) <= days { year += 1 }
      while Self.days(year, 1, 1) > days { year -= 1 }
      var rest = days - Self.days(year, 1, 1)
      var month = 1
      while rest >= length(year, month) {
        rest -= length(year, month)
        month += 1
      }
      return (month, rest + 1)
    }

    /// 0 = Monday.
    private static func weekday(_ days: Int) -> Int { ((days + 3) % 7 + 7) % 7 }

    /// Monday of the week that holds January 4: the year's first.
    static func firstMonday(_ year: Int) -> Int {
      let fourth = days(year, 1, 4)
      return fourth - weekday(fourth)
    }

    static func weeks(_ year: Int) -> Int { (firstMonday(year + 1) - firstMonday(year)) / 7 }
  }
}
