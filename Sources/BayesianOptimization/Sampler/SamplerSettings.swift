/// How a study's sampler works; plain data with the defaults of the paper where it states them.
public struct SamplerSettings: Sendable, Hashable, Codable {
  /// Which sampler proposes.
  public enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
    /// SAAS Gaussian processes and noisy expected hypervolume improvement (expected improvement for one objective).
    case saasNEHVI = "saas-nehvi"
    case random
    case sobol
    case nsga2
  }

  /// How the initial points are chosen.
  public enum InitialDesign: String, Sendable, Hashable, Codable, CaseIterable { case sobol, random }

  /// The reference point of the hypervolume.
  public enum Reference: Sendable, Hashable {
    /// The un-injected base's values made 10 % worse; inferred while the base is not observed.
    case base
    /// Inferred from the observed front: nadir − 10 % of the range.
    case inferred
    /// Given values by objective name, in the objectives' own units.
    case fixed([String: Double])
  }

  /// Which sampler proposes.
  public var kind: Kind
  /// Number of initial points before the model takes over.
  public var initial: Int
  /// How the initial points are chosen.
  public var initialDesign: InitialDesign
  /// The reference point of the hypervolume.
  public var reference: Reference
  /// Prior, outcome transform and sampling schedule of the surrogates.
  public var surrogate: SurrogateSettings
  /// Whether observed standard errors enter the noise model.
  public var useStandardErrors: Bool
  /// Budget of acquisition values per proposal.
  public var evaluations: Int
  /// Starts of the local search.
  public var starts: Int
  /// Threads used inside a proposal; never changes the result.
  public var threads: Int
  /// Whether out-of-memory observations weight the acquisition.
  public var feasibility: Bool
  /// Convergence: stop when the relative hypervolume gain over the last `convergenceWindow` completed trials is below
  /// this; 0 turns the test off.
  public var convergenceEpsilon: Double
  /// How many trials back convergence looks.
  public var convergenceWindow: Int

  /// Settings; the defaults are those of the paper where it states them.
  public init(
    kind: Kind = .saasNEHVI, initial: Int = 100, initialDesign: InitialDesign = .sobol, reference: Reference = .base,
    surrogate: SurrogateSettings = SurrogateSettings(), useStandardErrors: Bool = false, evaluations: Int = 2_000,
    starts: Int = 10,
    threads: Int = 1, feasibility: Bool = true, convergenceEpsilon: Double = 0, convergenceWindow: Int = 30
  ) {
    self.kind = kind
    self.initial = initial
    self.initialDesign = initialDesign
    self.reference = reference
    self.surrogate = surrogate
    self.useStandardErrors = useStandardErrors
    self.evaluations = evaluations
    self.starts = starts
    self.threads = threads
    self.feasibility = feasibility
    self.convergenceEpsilon = convergenceEpsilon
    self.convergenceWindow = convergenceWindow
  }

  /// The sampler of these settings for a space and its objectives.
  public func makeSampler(space: SearchSpace, objectives: [Objective]) -> any Sampler {
    switch kind {
    case .saasNEHVI: ModelSampler(space: space, objectives: objectives, settings: self)
    case .random: RandomSampler(space: space)
    case .sobol: SobolSampler(space: space)
    case .nsga2: NSGA2Sampler(space: space, objectives: objectives, settings: self)
    }
  }
}

extension SamplerSettings.Reference: Codable {
  /// What stored settings of all versions call the base; study files write `base`.
  private static let storedBase = "null"

  /// Reads the form that files have.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let values = try? container.decode([String: Double].self) {
      self = .fixed(values)
      return
    }
    switch try container.decode(String.self) {
    case Self.storedBase: self = .base
    case "inferred": self = .inferred
    case let other:
      throw DecodingError.dataCorruptedError(
        in: container,
        debugDescription: "reference `\(other)`: use `\(Self.storedBase)`, `inferred` or a value for each objective")
    }
  }

  /// Writes the form that files have.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .base: try container.encode(Self.storedBase)
    case .inferred: try container.encode("inferred")
    case .fixed(let values): try container.encode(values)
    }
  }
}
