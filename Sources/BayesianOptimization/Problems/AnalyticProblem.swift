import RandomStreams

/// A published test function over a discrete grid: for benchmarks, fault and scale tests.
public struct AnalyticProblem: Sendable {
  /// The name by which the `analytic` evaluator finds it.
  public let name: String
  /// Where the function is defined.
  public let space: SearchSpace
  /// What it returns.
  public let objectives: [Objective]
  /// Reference point in the objectives' own units.
  public let reference: [String: Double]
  /// Standard deviation of the observation noise, by objective name.
  public var noise: [String: Double]
  /// The largest hypervolume on the grid, where it is known.
  public let maximumHypervolume: Double?
  private let function: @Sendable (Configuration) -> [Double]

  init(
    name: String, space: SearchSpace, objectives: [Objective], reference: [Double], noise: [Double],
    maximumHypervolume: Double? = nil, function: @escaping @Sendable (Configuration) -> [Double]
  ) {
    self.name = name
    self.space = space
    self.objectives = objectives
    self.reference = Dictionary(zip(objectives.map(\.name), reference), uniquingKeysWith: { first, _ in first })
    self.noise = Dictionary(zip(objectives.map(\.name), noise), uniquingKeysWith: { first, _ in first })
    self.maximumHypervolume = maximumHypervolume
    self.function = function
  }

  /// Noise-free objectives; throws `SearchSpaceError` when the configuration does not belong to the space.
  public func evaluate(_ configuration: Configuration) throws -> [String: Double] {
    _ = try space.canonical(configuration)
    return Dictionary(zip(objectives.map(\.name), function(configuration)), uniquingKeysWith: { first, _ in first })
  }

  /// Objectives with the problem's noise, drawn from (seed, index).
  public func observe(_ configuration: Configuration, seed: UInt64, index: Int) throws -> [String: Double] {
    var values = try evaluate(configuration)
    for (objective, error) in zip(objectives, noise(seed: seed, index: index)) {
      values[objective.name, default: 0] += error
    }
    return values
  }

  /// The noise of evaluation `index` in the objectives' own units and order.
  package func noise(seed: UInt64, index: Int) -> [Double] {
    var stream = RandomStream(seed: seed, purpose: "analytic/noise", index: UInt64(max(0, index)))
    return objectives.map { (noise[$0.name] ?? 0) * stream.normal() }
  }

  /// The reference point, maximised, in the order of the objectives.
  public var maximizedReference: [Double] { objectives.map { (reference[$0.name] ?? 0) * $0.direction.sign } }

  /// All problems by name.
  public static let names = [
    "sparse34", "sparse34-factors", "zdt1", "zdt2", "dtlz2", "branin-currin", "vehicle-safety",
  ]

  /// The problem of the given name; nil when there is none (`names` lists them).
  public static func named(_ name: String) -> AnalyticProblem? {
    switch name {
    case "sparse34": sparse34
    case "sparse34-factors": sparse34Factors
    case "zdt1": zdt(1)
    case "zdt2": zdt(2)
    case "dtlz2": dtlz2
    case "branin-currin": braninCurrin
    case "vehicle-safety": vehicleSafety
    default: nil
    }
  }
}
