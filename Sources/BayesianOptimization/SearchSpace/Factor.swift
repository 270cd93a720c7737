/// One factor of a generic space.
///
/// JSON: `{"name":"dropout","type":"ordinal","values":[0,0.1,0.2]}`, `{"name":"depth","type":"integer","min":1,"max":8}`,
/// `{"name":"bias","type":"switch"}`, `{"name":"kind","type":"categorical","values":["a","b"]}`; `"fixed":value` takes
/// the factor out of the search.
public struct Factor: Sendable, Hashable {
  public enum Domain: Sendable, Hashable {
    /// Off or on, encoded 0 or 1.
    case toggle
    /// Whole numbers, encoded (v − min)/(max − min).
    case integer(ClosedRange<Int>)
    /// Ordered choices, encoded index/(count − 1).
    case ordinal([FactorValue])
    /// Unordered choices, one column each.
    case categorical([FactorValue])
  }

  public var name: String
  public var domain: Domain
  /// The value of the factor when it is not searched.
  public var fixed: FactorValue?

  public init(name: String, domain: Domain, fixed: FactorValue? = nil) {
    self.name = name
    self.domain = domain
    self.fixed = fixed
  }

  /// Most values of one factor.
  public static let largestCount = 1 << 16

  /// Number of values.
  public var levels: Int {
    switch domain {
    case .toggle: 2
    case .integer(let range): Self.size(of: range)
    case .ordinal(let values), .categorical(let values): values.count
    }
  }

  /// Number of whole numbers in `range`; `Int.max` where it does not fit (the whole range of 64 bits has 2^64).
  static func size(of range: ClosedRange<Int>) -> Int {
    let (span, overflow) = range.upperBound.subtractingReportingOverflow(range.lowerBound)
    return overflow || span == .max ? .max : span + 1
  }

  /// The value at `level` (0-based).
  public func value(at level: Int) -> FactorValue {
    switch domain {
    case .toggle: .flag(level == 1)
    case .integer(let range): .integer(range.lowerBound + level)
    case .ordinal(let values), .categorical(let values): values[level]
    }
  }

  /// The level of `value`, nil when it is not in the domain; a switch also takes 0 and 1.
  public func level(of value: FactorValue) -> Int? {
    switch (domain, value) {
    case (.toggle, .flag(let flag)): return flag ? 1 : 0
    case (.toggle, .integer(let number)): return number == 0 || number == 1 ? number : nil
    case (.integer(let range), .integer(let number)): return Self.level(of: number, in: range)
    case (.integer(let range), .number(let number)):
      return Int(exactly: number).flatMap { Self.level(of: $0, in: range) }
    case (.ordinal(let values), _), (.categorical(let values), _): return values.firstIndex { $0.means(value) }
    default: return nil
    }
  }
}

extension Factor {
  /// The distance from the lower end; nil outside the range, and where the distance does not fit into 64 bits.
  private static func level(of number: Int, in range: ClosedRange<Int>) -> Int? {
    guard range.contains(number) else { return nil }
    let (level, overflow) = number.subtractingReportingOverflow(range.lowerBound)
    return overflow ? nil : level
  }
}

extension Factor: Codable {
  private enum CodingKeys: String, CodingKey, CaseIterable { case name, type, min, max, values, fixed }
  private enum Kind: String, Codable, CaseIterable { case `switch`, integer, ordinal, categorical }

  public init(from decoder: any Decoder) throws {
    try decoder.refuseUnknownKeys(CodingKeys.allCases.map(\.rawValue), in: "a factor")
    let container = try decoder.container(keyedBy: CodingKeys.self)
    name = try container.decode(String.self, forKey: .name)
    fixed = try container.decodeIfPresent(FactorValue.self, forKey: .fixed)
    let kind = try container.decode(Kind.self, forKey: .type)
    switch kind {
    case .switch: domain = .toggle
    case .integer:
      let lower = try container.decode(Int.self, forKey: .min)
      let upper = try container.decode(Int.self, forKey: .max)
      guard lower <= upper else {
        throw DecodingError.dataCorruptedError(
          forKey: .max, in: container, debugDescription: "factor `\(name)`: min \(lower) is above max \(upper)")
      }
      domain = .integer(lower...upper)
    case .ordinal: domain = .ordinal(try container.decode([FactorValue].self, forKey: .values))
    case .categorical: domain = .categorical(try container.decode([FactorValue].self, forKey: .values))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(name, forKey: .name)
    switch domain {
    case .toggle: try container.encode(Kind.switch, forKey: .type)
    case .integer(let range):
      try container.encode(Kind.integer, forKey: .type)
      try container.encode(range.lowerBound, forKey: .min)
      try container.encode(range.upperBound, forKey: .max)
    case .ordinal(let values):
      try container.encode(Kind.ordinal, forKey: .type)
      try container.encode(values, forKey: .values)
    case .categorical(let values):
      try container.encode(Kind.categorical, forKey: .type)
      try container.encode(values, forKey: .values)
    }
    try container.encodeIfPresent(fixed, forKey: .fixed)
  }
}
