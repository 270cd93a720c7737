import Foundation

/// The time that `strftime_now` tells: that of the machine, or one that is given.
package struct Clock: Sendable {
  let parts: DateComponents
  let nanosecond: Int

  package static var now: Clock { Clock(Date(), TimeZone.current) }

  package init(_ date: Date, _ zone: TimeZone) {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = zone
    parts = calendar.dateComponents([.year, .month, .day, .hour, .minute, .second, .nanosecond], from: date)
    nanosecond = parts.nanosecond ?? 0
  }

  /// A time as in `2025-03-14T15:09:26`; nil where it is none.
  package init?(_ text: String) {
    let numbers = text.split { !$0.isASCII || !$0.isNumber }.compactMap { Int($0) }
    guard (3...6).contains(numbers.count), text.utf8.allSatisfy({ "0123456789-: T".utf8.contains($0) }) else {
      return nil
    }
    let fields = numbers + Array(repeating: 0, count: 6 - numbers.count)
    let parts = DateComponents(
      year: fields[0], month: fields[1], day: fields[2], hour: fields[3], minute: fields[4], second: fields[5])
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = .gmt
    guard (1...9999).contains(fields[0]), (0..<24).contains(fields[3]), (0..<60).contains(fields[4]),
      (0..<60).contains(fields[5]), let date = calendar.date(from: parts),
      calendar.dateComponents([.year, .month, .day], from: date)
        == DateComponents(year: fields[0], month: fields[1], day: fields[2])
    else { return nil }
    self.parts = parts
    nanosecond = 0
  }

  private static let months = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
  ]
  private static let days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

  private var year: Int { parts.year ?? 1 }
  private var month: Int { parts.month ?? 1 }
  private var day: Int { parts.day ?? 1 }
  private var hour: Int { parts.hour ?? 0 }
  private var minute: Int { parts.minute ?? 0 }
  private var second: Int { parts.second ?? 0 }

  private static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

  /// Day of the year, from 1.
  private var dayOfYear: Int {
    let lengths = [31, Self.isLeap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    return lengths.prefix(month - 1).reduce(day, +)
  }

  /// Day of the week, Sunday 0.
  private var weekday: Int {
    let before = year - 1
    return (before * 365 + before / 4 - before / 100 + before / 400 + dayOfYear) % 7
  }

  /// Year and week of ISO 8601: a week belongs to the year of its Thursday.
  private var isoWeek: (year: Int, week: Int) {
    let monday = (weekday + 6) % 7
    let thursday = dayOfYear - monday + 3
    let length = Self.isLeap(year) ? 366 : 365
    if thursday < 1 {
      return (year - 1, (thursday + (Self.isLeap(year - 1) ? 366 : 365) - 1) / 7 + 1)
    }
    return thursday > length ? (year + 1, 1) : (year, (thursday - 1) / 7 + 1)
  }

  func formatted(_ format: [Unicode.Scalar]) throws -> [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    var index = 0
    while index < format.count {
      let scalar = format[index]
      index += 1
      guard scalar == "%", index < format.count else {
        result.append(scalar)
        continue
      }
      var letter = format[index]
      index += 1
      // The C library leaves out padding after a minus sign.
      let isPlain = letter == "-" && index < format.count
      if isPlain {
        letter = format[index]
        index += 1
      }
      guard let field = field(letter, isPlain) else {
        result += isPlain ? ["%", "-", letter] : ["%", letter]
        continue
      }
      result += field.unicodeScalars
    }
    return result
  }

  private func field(_ letter: Unicode.Scalar, _ isPlain: Bool) -> String? {
    func number(_ value: Int, _ width: Int = 2, _ padding: Character = "0") -> String {
      let digits = String(value)
      return isPlain ? digits : String(repeating: padding, count: max(0, width - digits.count)) + digits
    }
    let hour12 = hour % 12 == 0 ? 12 : hour % 12
    switch letter {
    case "Y": return String(year)
    case "y": return number(year % 100)
    case "C": return number(year / 100)
    case "m": return number(month)
    case "d": return number(day)
    case "e": return number(day, 2, " ")
    case "H": return number(hour)
    case "k": return number(hour, 2, " ")
    case "I": return number(hour12)
    case "l": return number(hour12, 2, " ")
    case "M": return number(minute)
    case "S": return number(second)
    case "f": return String(String(1_000_000 + nanosecond / 1000).dropFirst())
    case "j": return number(dayOfYear, 3)
    case "B": return Self.months[month - 1]
    case "b", "h": return String(Self.months[month - 1].prefix(3))
    case "A": return Self.days[weekday]
    case "a": return String(Self.days[weekday].prefix(3))
    case "p": return hour < 12 ? "AM" : "PM"
    case "P": return hour < 12 ? "am" : "pm"
    case "w": return String(weekday)
    case "u": return String(weekday == 0 ? 7 : weekday)
    case "U": return number((dayOfYear + 6 - weekday) / 7)
    case "W": return number((dayOfYear + 6 - (weekday + 6) % 7) / 7)
    case "V": return number(isoWeek.week)
    case "G": return String(isoWeek.year)
    case "g": return number(isoWeek.year % 100)
    case "n": return "\n"
    case "t": return "\t"
    case "%": return "%"
    case "z", "Z": return ""
    default:
      return compound(letter).map { compounds in compounds.compactMap { field($0, false) ?? String($0) }.joined() }
    }
  }

  /// Fields of several parts, in the form of the C locale: letters, and what is between them.
  private func compound(_ letter: Unicode.Scalar) -> [Unicode.Scalar]? {
    switch letter {
    case "F": ["Y", "-", "m", "-", "d"]
    case "T", "X": ["H", ":", "M", ":", "S"]
    case "R": ["H", ":", "M"]
    case "D", "x": ["m", "/", "d", "/", "y"]
    case "r": ["I", ":", "M", ":", "S", " ", "p"]
    case "c": ["a", " ", "b", " ", "e", " ", "H", ":", "M", ":", "S", " ", "Y"]
    default: nil
    }
  }
}
