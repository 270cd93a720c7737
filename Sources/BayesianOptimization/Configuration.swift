/// One point of a search space: a memory configuration θ = (α, n, r), or named factors of a generic space.
///
/// JSON: `{"layers":[0,1],"count":4,"rank":16}` or `{"factors":{"name":value}}`. Layers are kept ascending; one switch
/// per layer (`[1,1,0,0]`) is understood as well. A memory
/// configuration without layers or with `count` 0 is the NULL configuration: the un-injected base.
public struct Configuration: Hashable, Sendable {
  /// What the configuration holds.
  public enum Content: Hashable, Sendable {
    /// The active layers (ascending), the number n of parallel LoRAs and their rank r.
    case memory(layers: [Int], count: Int, rank: Int)
    /// Values by factor name.
    case factors([String: FactorValue])
  }

  /// What it consists of.
  public let content: Content

  /// A memory configuration; `layers` may come in any order.
  public static func memory(layers: some Sequence<Int>, count: Int, rank: Int) -> Configuration {
    Configuration(content: .memory(layers: Set(layers).sorted(), count: count, rank: rank))
  }

  /// A configuration of a generic space.
  public static func factors(_ values: [String: FactorValue]) -> Configuration {
    Configuration(content: .factors(values))
  }

  /// The active layers, ascending; nil for a generic configuration.
  public var layers: [Int]? { if case .memory(let layers, _, _) = content { layers } else { nil } }
  /// The number n of LoRAs; nil for a generic configuration.
  public var count: Int? { if case .memory(_, let count, _) = content { count } else { nil } }
  /// The rank r; nil for a generic configuration.
  public var rank: Int? { if case .memory(_, _, let rank) = content { rank } else { nil } }
  /// Values by factor name; nil for a memory configuration.
  public var factors: [String: FactorValue]? { if case .factors(let values) = content { values } else { nil } }

  /// Whether this is the un-injected base: no active layer, or no LoRA; never true of a generic configuration.
  public var isNull: Bool {
    guard case .memory(let layers, let count, _) = content else { return false }
    return layers.isEmpty || count == 0
  }
}

/// The value of one factor of a generic space.
public enum FactorValue: Hashable, Sendable {
  case flag(Bool)
  case integer(Int)
  case number(Double)
  case text(String)
}

extension FactorValue: Codable, CustomStringConvertible {
  /// Reads the form that files have.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let value = try? container.decode(Bool.self) {
      self = .flag(value)
    } else if let value = try? container.decode(Int.self) {
      self = .integer(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else {
      self = .text(try container.decode(String.self))
    }
  }

  /// Writes the form that files have.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .flag(let value): try container.encode(value)
    case .integer(let value): try container.encode(value)
    case .number(let value): try container.encode(value)
    case .text(let value): try container.encode(value)
    }
  }

  /// One line for messages.
  public var description: String {
    switch self {
    case .flag(let value): "\(value)"
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    case .text(let value): value
    }
  }

  /// False for a number without end and for what is not a number: JSON cannot hold them.
  var isFinite: Bool { if case .number(let value) = self { value.isFinite } else { true } }

  /// Whether two values mean the same: numbers compare by value, so that 1 and 1.0 agree.
  public func means(_ other: FactorValue) -> Bool {
    switch (self, other) {
    case (.integer(let a), .number(let b)): Double(a) == b
    case (.number(let a), .integer(let b)): a == Double(b)
    default: self == other
    }
  }
}

extension Configuration: Codable, CustomStringConvertible {
  private enum CodingKeys: String, CodingKey, CaseIterable { case layers, count, rank, factors }

  /// Reads the form that files have.
  public init(from decoder: any Decoder) throws {
    try decoder.refuseUnknownKeys(CodingKeys.allCases.map(\.rawValue), in: "a configuration")
    let container = try decoder.container(keyedBy: CodingKeys.self)
    if container.contains(.factors) {
      guard container.allKeys == [.factors] else {
        throw DecodingError.dataCorruptedError(
          forKey: .factors, in: container,
          debugDescription: "a configuration has either `factors` or `layers`, `count` and `rank`, not both")
      }
      self = .factors(try container.decode([String: FactorValue].self, forKey: .factors))
      return
    }
    let layers = Self.activeLayers(try container.decode([Int].self, forKey: .layers))
    let count = try container.decode(Int.self, forKey: .count)
    let rank = try container.decode(Int.self, forKey: .rank)
    guard Set(layers).count == layers.count, layers.allSatisfy({ $0 >= 0 }) else {
      throw DecodingError.dataCorruptedError(
        forKey: .layers, in: container, debugDescription: "layers must be distinct and not negative: \(layers)")
    }
    guard count >= 0, rank >= 0 else {
      throw DecodingError.dataCorruptedError(
        forKey: .count, in: container,
        debugDescription: "count and rank must not be negative: count \(count), rank \(rank)")
    }
    self = .memory(layers: layers, count: count, rank: rank)
  }

  /// Layer indices from either notation: the active layers themselves, or one switch (0 or 1) per layer.
  ///
  /// Indices are distinct, and switches of three or more layers repeat a value, so the two cannot be confused there.
  static func activeLayers(_ values: [Int]) -> [Int] {
    guard values.count > 2, Set(values).count < values.count, values.allSatisfy({ $0 == 0 || $0 == 1 }) else {
      return values
    }
    return values.indices.filter { values[$0] == 1 }
  }

  /// Writes the form that files have.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    switch content {
    case .memory(let layers, let count, let rank):
      try container.encode(layers, forKey: .layers)
      try container.encode(count, forKey: .count)
      try container.encode(rank, forKey: .rank)
    case .factors(let values):
      try container.encode(values, forKey: .factors)
    }
  }

  /// A short text for logs and tables: `layers 0-3,7 x 4 rank 16`, `a=1 b=x`, `NULL`.
  public var description: String {
    switch content {
    case .memory(let layers, let count, let rank):
      isNull ? "NULL" : "layers \(IndexRanges.text(layers)) x \(count) rank \(rank)"
    case .factors(let values):
      values.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
    }
  }
}

/// Texts for ascending index lists: `0-3,7`.
public enum IndexRanges {
  /// The list with runs written as ranges.
  public static func text(_ indices: [Int]) -> String {
    var parts: [String] = []
    var position = 0
    while position < indices.count {
      var end = position
      while end + 1 < indices.count && indices[end + 1] == indices[end] + 1 { end += 1 }
      parts.append(end == position ? "\(indices[position])" : "\(indices[position])-\(indices[end])")
      position = end + 1
    }
    return parts.joined(separator: ",")
  }
}

private struct AnyKey: CodingKey {
  var stringValue: String
  var intValue: Int? { nil }
  init(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

extension Decoder {
  /// Throws when the keyed container has a key that is not in `known`.
  func refuseUnknownKeys(_ known: [String], in place: String) throws {
    let container = try container(keyedBy: AnyKey.self)
    for key in container.allKeys where !known.contains(key.stringValue) {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: container,
        debugDescription: "unknown key `\(key.stringValue)` in \(place); known: \(known.joined(separator: ", "))")
    }
  }
}
