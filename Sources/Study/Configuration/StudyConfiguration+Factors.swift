import BayesianOptimization

extension StudyConfiguration {
  /// The named factors of a generic space, nil where the file names none.
  static func readFactors(_ space: ConfigurationSection) throws -> [Factor]? {
    guard let sections = try space.sections("factors") else { return nil }
    let factors = try sections.map { try readFactor($0) }
    if factors.isEmpty { throw space.error("factors", "the list is empty", "Name at least one factor") }
    if let twice = firstRepeated(factors.map(\.name)) {
      throw sections[twice].error(
        "name", "the factor '\(factors[twice].name)' stands twice", "Give every factor its own name")
    }
    return factors
  }

  private enum FactorKind: String, CaseIterable { case `switch`, integer, ordinal, categorical }

  private static func readFactor(_ section: ConfigurationSection) throws -> Factor {
    guard let name = try section.name("name"), !name.isEmpty else {
      throw section.error("name", "a factor needs a name", "Write '- {name: depth, type: integer, min: 1, max: 8}'")
    }
    guard let kind = try section.choice("type", FactorKind.self) else {
      throw section.error("type", "a factor needs a type", "Choose switch, integer, ordinal or categorical")
    }
    let values = try section.strings("values")
    let domain: Factor.Domain =
      switch kind {
      case .switch: .toggle
      case .integer: .integer(try readRange(section))
      case .ordinal: .ordinal(try readLevels(values, section))
      case .categorical: .categorical(try readCategories(values, section))
      }
    let factor = Factor(name: name, domain: domain)
    guard let text = try section.string("fixed") else { return factor }
    guard let fixed = level(text, of: factor) else {
      throw section.error("fixed", "\(text) is not a value of \(name)", "Choose one of its values")
    }
    return Factor(name: name, domain: domain, fixed: fixed)
  }

  /// The value of a factor that `text` names, in the notation of the factor's own list.
  private static func level(_ text: String, of factor: Factor) -> FactorValue? {
    let value: FactorValue? =
      switch factor.domain {
      case .toggle:
        ["true": .flag(true), "1": .flag(true), "false": .flag(false), "0": .flag(false)][text.lowercased()]
      case .integer: Int(text).map { .integer($0) }
      case .ordinal: ConfigurationSection.decimal(text).map { Int(exactly: $0).map { .integer($0) } ?? .number($0) }
      case .categorical: .text(text)
      }
    guard let value, let level = factor.level(of: value) else { return nil }
    return factor.value(at: level)
  }

  private static func readRange(_ section: ConfigurationSection) throws -> ClosedRange<Int> {
    guard let low = try section.integer("min"), let high = try section.integer("max"), low <= high else {
      throw section.error("min", "an integer factor needs min ≤ max", "Write min: 1, max: 8")
    }
    let (span, overflow) = high.subtractingReportingOverflow(low)
    guard !overflow, span < Factor.largestCount else {
      throw section.error(
        "max", "\(low)…\(high) has more than \(Factor.largestCount) values", "Use a coarser grid (type: ordinal)")
    }
    return low...high
  }

  private static func readLevels(_ texts: [String]?, _ section: ConfigurationSection) throws -> [FactorValue] {
    guard let texts, !texts.isEmpty, texts.count <= Factor.largestCount else {
      throw section.error(
        "values", "an ordinal factor needs 1 to \(Factor.largestCount) ascending numbers", "Write values: [8, 16, 32]")
    }
    var last: Double?
    return try texts.map { text in
      guard let number = ConfigurationSection.decimal(text) else {
        throw section.error("values", "'\(text)' is not a finite number", "Write values: [8, 16, 32]")
      }
      if let whole = Int(text), Int(exactly: number) != whole || abs(number) > 0x1p53 {
        throw section.error(
          "values", "\(text) is too large to be exact as a number", "Use values up to 2^53, or type: categorical")
      }
      if let last, !(last < number) {
        throw section.error(
          "values", number == last ? "\(text) stands twice" : "\(text) does not ascend", "Write values: [8, 16, 32]")
      }
      last = number
      return number == number.rounded() && abs(number) < 1e15 ? .integer(Int(number)) : .number(number)
    }
  }

  private static func readCategories(_ names: [String]?, _ section: ConfigurationSection) throws -> [FactorValue] {
    guard let names, !names.isEmpty else {
      throw section.error("values", "a categorical factor needs different names", "Write values: [relu, gelu]")
    }
    if let twice = firstRepeated(names) {
      throw section.error("values", "'\(names[twice])' stands twice", "Give every category its own name")
    }
    return names.map { .text($0) }
  }
}
