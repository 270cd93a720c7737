// A discrete search space as a product of finite variables with a canonical form.
//
// Notation
//   variable   one searched factor; fixed factors are neither searched nor encoded
//   level      0-based index of a value of a variable
//   levels     one level per variable: the internal form of a configuration
//   canonical  the one representative of all configurations that mean the same
//   D          number of encoded columns (a categorical variable with more than two values has one column each)

/// A finite search space: the paper's memory space or named factors.
///
/// Everything is a pure function of the declaration. Configurations that mean the same share one canonical form and one
/// key; all configurations without LoRAs share the NULL key and are never valid proposals.
public struct SearchSpace: Sendable, Hashable {
  /// The declaration.
  public enum Form: Sendable, Hashable {
    case memory(MemorySpace)
    case generic([Factor])
  }

  /// One searched variable.
  public struct Variable: Sendable, Hashable {
    enum Kind: Hashable { case toggle, ordered, categorical }
    /// `layer 7`, `count`, `rank`, or the factor's name.
    public let name: String
    /// Number of values, at least 2.
    public let levels: Int
    let kind: Kind
    /// Encoded coordinate of each level in [0, 1] (ordered variables and switches).
    let codes: [Double]
    /// Number of encoded columns.
    var columns: Int { kind == .categorical && levels > 2 ? levels : 1 }
  }

  public let form: Form
  /// The searched variables: layers ascending, then count, then rank; or the factors in their order.
  public let variables: [Variable]
  /// Number D of encoded columns.
  public let dimension: Int
  /// The number of valid canonical configurations.
  public let size: SpaceSize
  let layout: MemoryLayout?

  /// The memory space; throws when the declaration makes no sense or has no valid configuration.
  public init(memory: MemorySpace) throws {
    let layout = try MemoryLayout(memory)
    form = .memory(memory)
    self.layout = layout
    variables = layout.variables
    dimension = variables.reduce(0) { $0 + $1.columns }
    size = Self.size(layout, variables)
    guard size.log2 >= 0 else {
      throw SearchSpaceError(
        .invalidSpace,
        "the space has no valid configuration besides NULL: loosen maxTrainable or maxEffectiveRank, or allow smaller ranks"
      )
    }
  }

  /// A space of named factors; throws when the declaration makes no sense.
  public init(factors: [Factor]) throws {
    form = .generic(factors)
    layout = nil
    variables = try Self.variables(of: factors)
    dimension = variables.reduce(0) { $0 + $1.columns }
    size = Self.size(nil, variables)
  }

  /// The memory space, if this is one.
  public var memory: MemorySpace? { if case .memory(let space) = form { space } else { nil } }
  /// The factors of a generic space.
  public var factors: [Factor]? { if case .generic(let factors) = form { factors } else { nil } }

  /// Names of the encoded columns, D of them.
  public var columnNames: [String] {
    variables.enumerated().flatMap { index, variable -> [String] in
      guard variable.columns > 1 else { return [variable.name] }
      return (0..<variable.levels).map { "\(variable.name)=\(factorValue(variable: index, level: $0))" }
    }
  }

  /// The canonical form of `configuration`; throws `outsideSpace` when it does not belong to the space.
  public func canonical(_ configuration: Configuration) throws -> Configuration {
    if configuration.isNull, memory != nil { return nullConfiguration }
    return self.configuration(canonical(try levels(of: configuration)))
  }

  /// The key that all equivalent configurations share; throws `outsideSpace`.
  public func key(_ configuration: Configuration) throws -> String {
    keyText(try canonical(configuration))
  }

  /// Coordinates in the unit cube, D of them: switches 0/1, n/n_max, index(r)/(|R| − 1).
  public func encode(_ configuration: Configuration) throws -> [Double] {
    encode(levels: canonical(try levels(of: configuration)))
  }

  /// Throws unless `configuration` belongs to the space, is not NULL and keeps within the budget guard.
  public func validate(_ configuration: Configuration) throws {
    if configuration.isNull, memory != nil {
      throw SearchSpaceError(
        .nullConfiguration, "the NULL configuration is the un-injected base; activate a layer and use count ≥ 1")
    }
    let levels = canonical(try levels(of: configuration))
    guard isValid(levels) else { throw budgetError(configuration) }
  }

  /// Whether `configuration` belongs to the space and may be proposed.
  public func isValid(_ configuration: Configuration) -> Bool {
    (try? validate(configuration)) != nil
  }

  /// The NULL configuration of a memory space in canonical form.
  public var nullConfiguration: Configuration { .memory(layers: [], count: 0, rank: layout?.ranks.first ?? 0) }
}
