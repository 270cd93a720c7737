extension ConfigurationSection {
  /// A whole number within `range`, nil when the key is absent.
  func integer(_ key: String, in range: ClosedRange<Int> = Int.min...Int.max) throws -> Int? {
    guard let text = try string(key) else { return nil }
    guard let value = Int(text.split(separator: "_").joined()) else {
      throw error(key, "'\(text)' is not a whole number", "Write digits only")
    }
    // 010 is eight to some readers of YAML and ten to others.
    if text.drop(while: { $0 == "-" || $0 == "+" }).count > 1, text.drop(while: { $0 == "-" || $0 == "+" }).first == "0"
    {
      throw error(key, "'\(text)' begins with a zero", "Write \(value)")
    }
    guard range.contains(value) else {
      throw error(key, "\(value) is outside \(Self.describe(range))", "Choose a value within it")
    }
    return value
  }

  private static func describe(_ range: ClosedRange<Int>) -> String {
    range.upperBound == Int.max ? "\(range.lowerBound) and above" : "\(range.lowerBound)…\(range.upperBound)"
  }

  /// A finite number within `range`, nil when the key is absent.
  func number(_ key: String, in range: ClosedRange<Double> = -1e300...1e300) throws -> Double? {
    guard let text = try string(key) else { return nil }
    guard let value = Double(text), value.isFinite else {
      throw error(key, "'\(text)' is not a number", "Write a number such as 0.0005 or 5e-4")
    }
    guard range.contains(value) else {
      throw error(key, "\(text) is outside \(range.lowerBound)…\(range.upperBound)", "Choose a value within it")
    }
    return value
  }

  /// true or false, nil when the key is absent.
  func boolean(_ key: String) throws -> Bool? {
    guard let text = try string(key) else { return nil }
    switch text.lowercased() {
    case "true", "yes", "on": return true
    case "false", "no", "off": return false
    default: throw error(key, "'\(text)' is neither true nor false", "Write true or false")
    }
  }

  /// Whole numbers, nil when the key is absent.
  func integers(_ key: String) throws -> [Int]? {
    try strings(key)?.map { text in
      guard let value = Int(text) else { throw error(key, "'\(text)' is not a whole number", "Write [8, 16, 32]") }
      return value
    }
  }

  /// One of the raw values of `type`, nil when the key is absent.
  func choice<T: RawRepresentable & CaseIterable>(_ key: String, _ type: T.Type) throws -> T?
  where T.RawValue == String {
    guard let text = try string(key) else { return nil }
    if let value = T(rawValue: text) { return value }
    let names = T.allCases.map(\.rawValue)
    let hint = NearestName.of(text, among: names).map { "Did you mean '\($0)'?" }
    throw error(
      key, "'\(text)' is not one of \(names.joined(separator: ", "))", hint ?? "Choose one of them")
  }

  /// A duration in seconds: a number of seconds or a number with ms, s, min, h or d; nil when the key is absent.
  func seconds(_ key: String, in range: ClosedRange<Double> = 0...1e9) throws -> Double? {
    guard let text = try string(key) else { return nil }
    let digits = text.prefix { $0.isNumber || $0 == "." }
    let unit = text.dropFirst(digits.count).drop { $0 == " " }
    let factors = ["": 1.0, "s": 1, "ms": 0.001, "min": 60, "m": 60, "h": 3600, "d": 86400]
    guard let value = Double(digits), let factor = factors[String(unit)] else {
      throw error(key, "'\(text)' is not a duration", "Write it as '5 s', '2 min', '1 h' or a number of seconds")
    }
    guard range.contains(value * factor) else {
      throw error(
        key, "\(text) is outside \(range.lowerBound)…\(range.upperBound) seconds", "Choose a value within it")
    }
    return value * factor
  }
}
