import Foundations

extension ConfigurationSection {
  private func note<T>(_ key: String, _ message: String, _ remedy: String) -> T? {
    note(error(key, message, remedy))
    return nil
  }

  /// A whole number within `range`, nil when the key is absent.
  func integer(_ key: String, in range: ClosedRange<Int> = Int.min...Int.max) throws -> Int? {
    guard let text = try string(key) else { return nil }
    guard let value = Int(text.split(separator: "_").joined()) else {
      return note(key, "'\(text)' is not a whole number", "Write digits only")
    }
    guard !Self.hasLeadingZero(text) else { return noteLeadingZero(key, text) }
    guard range.contains(value) else {
      return note(key, "\(value) is outside \(Self.describe(range))", "Choose a value within it")
    }
    return value
  }

  /// 010 is ten for some readers of YAML and eight for others.
  private static func hasLeadingZero(_ text: String) -> Bool {
    let digits = text.drop { $0 == "-" || $0 == "+" }
    return digits.count > 1 && digits.first == "0"
  }

  private func noteLeadingZero<T>(_ key: String, _ text: String) -> T? {
    note(key, "'\(text)' begins with a zero, which some readers of YAML take for octal", "Write it without the zero")
  }

  private static func describe(_ range: ClosedRange<Int>) -> String {
    range.upperBound == Int.max ? "\(range.lowerBound) and above" : "\(range.lowerBound)…\(range.upperBound)"
  }

  /// A finite number within `range`, nil when the key is absent.
  func number(_ key: String, in range: ClosedRange<Double> = -1e300...1e300) throws -> Double? {
    guard let text = try string(key) else { return nil }
    guard let value = Self.decimal(text) else {
      return note(key, "'\(text)' is not a finite number", "Write a number such as 0.0005 or 5e-4")
    }
    guard range.contains(value) else {
      return note(key, "\(text) is outside \(range.lowerBound)…\(range.upperBound)", "Choose a value within it")
    }
    return value
  }

  /// A finite number above 0 and at most `limit`, nil when the key is absent.
  func positive(_ key: String, upTo limit: Double) throws -> Double? {
    guard let value = try number(key, in: -1e300...1e300) else { return nil }
    guard value > 0, value <= limit else {
      return note(key, "\(value) must be above 0 and at most \(limit)", "Choose a value within it")
    }
    return value
  }

  /// A finite decimal number; nil for `inf`, `nan`, hexadecimal and whatever else is none.
  static func decimal(_ text: String) -> Double? {
    guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) || "+-.eE_".utf8.contains($0) }), !text.isEmpty,
      let value = Double(text.split(separator: "_").joined()), value.isFinite
    else { return nil }
    return value
  }

  /// true or false, nil when the key is absent.
  func boolean(_ key: String) throws -> Bool? {
    guard let text = try string(key) else { return nil }
    switch text.lowercased() {
    case "true", "yes", "on": return true
    case "false", "no", "off": return false
    default: return note(key, "'\(text)' is neither true nor false", "Write true or false")
    }
  }

  /// Whole numbers, nil when the key is absent.
  func integers(_ key: String) throws -> [Int]? {
    guard let texts = try strings(key) else { return nil }
    var numbers: [Int] = []
    for text in texts {
      guard let value = Int(text) else { return note(key, "'\(text)' is not a whole number", "Write [8, 16, 32]") }
      guard !Self.hasLeadingZero(text) else { return noteLeadingZero(key, text) }
      numbers.append(value)
    }
    return numbers
  }

  /// One of the raw values of `type`, nil when the key is absent.
  func choice<T: RawRepresentable & CaseIterable>(_ key: String, _ type: T.Type) throws -> T?
  where T.RawValue == String {
    guard let text = try string(key) else { return nil }
    if let value = T(rawValue: text) { return value }
    let names = T.allCases.map(\.rawValue)
    let hint = NearestName.of(text, among: names).map { "Did you mean '\($0)'?" }
    return note(key, "'\(text)' is not one of \(names.joined(separator: ", "))", hint ?? "Choose one of them")
  }

  /// A duration in seconds: a number of seconds or a number with ms, s, min, h or d; nil when the key is absent.
  func seconds(_ key: String, in range: ClosedRange<Double> = 0...1e9) throws -> Double? {
    guard let text = try string(key) else { return nil }
    let digits = text.prefix { $0.isNumber || $0 == "." }
    let unit = text.dropFirst(digits.count).drop { $0 == " " }
    let factors = ["": 1.0, "s": 1, "ms": 0.001, "min": 60, "m": 60, "h": 3600, "d": 86400]
    guard let value = Double(digits), let factor = factors[String(unit)] else {
      return note(key, "'\(text)' is not a duration", "Write it as '5 s', '2 min', '1 h' or a number of seconds")
    }
    guard range.contains(value * factor) else {
      return note(
        key, "\(text) is outside \(range.lowerBound)…\(range.upperBound) seconds", "Choose a value within it")
    }
    return value * factor
  }
}
