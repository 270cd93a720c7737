/// What is known about one evaluated configuration, in the objectives' own units and signs.
public struct Observation: Hashable, Sendable {
  /// How the evaluation ended.
  public enum Outcome: String, Hashable, Sendable, Codable, CaseIterable {
    /// Objectives were measured.
    case completed
    /// The configuration cannot be evaluated because it needs too much memory; feeds the feasibility model.
    case outOfMemory
    /// It failed for another reason (diverged, bug): never proposed again, tells nothing else.
    case failed
  }

  /// What was evaluated.
  public var configuration: Configuration
  /// Values by objective name; one that is not finite makes the observation count as failed.
  public var objectives: [String: Double]
  /// Standard errors of the values, by objective name, where they are known.
  public var standardErrors: [String: Double]?
  /// How the evaluation ended.
  public var outcome: Outcome

  /// What is known about one configuration; completed unless said otherwise.
  public init(
    configuration: Configuration, objectives: [String: Double], standardErrors: [String: Double]? = nil,
    outcome: Outcome = .completed
  ) {
    self.configuration = configuration
    self.objectives = objectives
    self.standardErrors = standardErrors
    self.outcome = outcome
  }

  /// The maximised objective vector in the order of `objectives`; nil when the observation is not completed or a value
  /// is missing or not finite.
  public func maximizedValues(_ objectives: [Objective]) -> [Double]? {
    guard outcome == .completed else { return nil }
    var values: [Double] = []
    for objective in objectives {
      guard let value = self.objectives[objective.name], value.isFinite else { return nil }
      values.append(value * objective.direction.sign)
    }
    return values
  }
}

/// One line of an observations file (JSON Lines), as `suggest` and `pareto` read it.
///
/// `{"configuration":{…},"objectives":{…},"standardErrors":{…}?,"outcome":"outOfMemory"?}`; a pending one has
/// `"pending":true` and no objectives; `pareto` allows a line without configuration. A `null` objective is not a number.
public struct ObservationLine: Sendable, Codable, Hashable {
  /// What was evaluated; nil where `pareto` reads values alone.
  public var configuration: Configuration?
  /// Values by objective name; NaN for `null`.
  public var objectives: [String: Double]?
  /// Standard errors of the values that have one.
  public var standardErrors: [String: Double]?
  /// Whether the evaluation is still to end.
  public var pending: Bool
  /// How the evaluation ended; nil means completed.
  public var outcome: Observation.Outcome?

  /// One line.
  public init(
    configuration: Configuration?, objectives: [String: Double]? = nil, standardErrors: [String: Double]? = nil,
    pending: Bool = false, outcome: Observation.Outcome? = nil
  ) {
    self.configuration = configuration
    self.objectives = objectives
    self.standardErrors = standardErrors
    self.pending = pending
    self.outcome = outcome
  }

  private enum CodingKeys: String, CodingKey, CaseIterable {
    case configuration, objectives, standardErrors, pending, outcome
  }

  /// Reads the form that files have.
  public init(from decoder: any Decoder) throws {
    try decoder.refuseUnknownKeys(CodingKeys.allCases.map(\.rawValue), in: "an observation")
    let container = try decoder.container(keyedBy: CodingKeys.self)
    configuration = try container.decodeIfPresent(Configuration.self, forKey: .configuration)
    objectives = try container.decodeIfPresent([String: Double?].self, forKey: .objectives)?
      .mapValues { $0 ?? .nan }
    standardErrors = try container.decodeIfPresent([String: Double?].self, forKey: .standardErrors)?
      .compactMapValues { $0 }
    pending = try container.decodeIfPresent(Bool.self, forKey: .pending) ?? false
    outcome = try container.decodeIfPresent(String.self, forKey: .outcome).map { text in
      guard let outcome = Observation.Outcome(rawValue: text) else {
        let known = Observation.Outcome.allCases.map(\.rawValue).joined(separator: ", ")
        throw DecodingError.dataCorruptedError(
          forKey: .outcome, in: container, debugDescription: "there is no outcome `\(text)`; known: \(known)")
      }
      return outcome
    }
    if pending && (objectives != nil || outcome != nil) {
      throw DecodingError.dataCorruptedError(
        forKey: .pending, in: container, debugDescription: "a pending observation has no objectives and no outcome")
    }
    if !pending && objectives == nil && (outcome ?? .completed) == .completed {
      throw DecodingError.dataCorruptedError(
        forKey: .objectives, in: container,
        debugDescription: "an observation needs `objectives`, `\"pending\":true` or an `outcome` other than completed")
    }
  }

  /// Writes the form that files have.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encodeIfPresent(configuration, forKey: .configuration)
    try container.encodeIfPresent(objectives?.mapValues { $0.isFinite ? $0 : nil }, forKey: .objectives)
    try container.encodeIfPresent(standardErrors, forKey: .standardErrors)
    if pending { try container.encode(true, forKey: .pending) }
    if let outcome, outcome != .completed { try container.encode(outcome, forKey: .outcome) }
  }

  /// The finished observation of this line; nil when it is pending or has no configuration.
  public var observation: Observation? {
    guard !pending, let configuration else { return nil }
    return Observation(
      configuration: configuration, objectives: objectives ?? [:], standardErrors: standardErrors,
      outcome: outcome ?? .completed)
  }
}
