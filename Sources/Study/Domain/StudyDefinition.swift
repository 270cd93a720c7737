import BayesianOptimization

/// What never changes in a study: name, seed, objectives and everything that decides the results.
package struct StudyDefinition: Hashable, Sendable, Codable {
  /// Name of the study and of its folder.
  package var name: String
  /// Random identifier, so that two studies of one name are never mixed up.
  package var identifier: String
  /// Seed of every random number.
  package var seed: UInt64
  /// What is optimised, in the order of the configuration file.
  package var objectives: [Objective]
  /// The resolved configuration as text, for people and for comparison on resume.
  package var configurationText: String
  /// Fingerprints by what they cover (`base`, `data`, `settings`, `space`, `sampler` …), hexadecimal.
  package var fingerprints: [String: String]
  /// Version of the program that made the study.
  package var madeBy: String
  /// The study whose observations this one began with; nil where it began empty.
  package var forkedFrom: StudyOrigin?

  package init(
    name: String, identifier: String, seed: UInt64, objectives: [Objective], configurationText: String = "",
    fingerprints: [String: String] = [:], madeBy: String = "", forkedFrom: StudyOrigin? = nil
  ) {
    self.name = name
    self.identifier = identifier
    self.seed = seed
    self.objectives = objectives
    self.configurationText = configurationText
    self.fingerprints = fingerprints
    self.madeBy = madeBy
    self.forkedFrom = forkedFrom
  }
}

/// Another study, as it was at one moment.
package struct StudyOrigin: Hashable, Sendable, Codable {
  /// Its name.
  package var name: String
  /// Its identifier.
  package var identifier: String
  /// Number of its last event at that moment.
  package var event: Int

  package init(name: String, identifier: String, event: Int) {
    self.name = name
    self.identifier = identifier
    self.event = event
  }
}

/// Why a study has ended.
package enum StopReason: String, Hashable, Sendable, Codable, CaseIterable {
  /// The budget is used up.
  case budget
  /// The time limit is reached.
  case time
  /// Every configuration of the space is known.
  case spaceExhausted
  /// The hypervolume has stopped growing.
  case converged
  /// So many trials in a row failed that going on would only waste time.
  case failing
}

/// What changes in a study besides its trials; one row that every transition may rewrite.
package struct StudyHeader: Hashable, Sendable, Codable {
  /// Search trials to finish, the base not counted.
  package var budget: Int
  /// No new attempts while true.
  package var isPaused: Bool
  /// Set when the study has ended.
  package var stopReason: StopReason?
  /// Number of the last event; 0 before the first.
  package var lastEvent: Int
  /// Token the next attempt gets.
  package var nextToken: Int
  /// Index the next proposal gets.
  package var nextProposal: Int
  /// How often a coordinator has opened the study.
  package var epoch: Int
  /// The coordinator process that opened it last: with the epoch, the identity of everything that it commits.
  ///
  /// Nil in studies of older versions, and before the first opening.
  package var writer: String?
  /// Names of workers that get no more trials.
  package var quarantined: Set<String>
  /// Reference point of the hypervolume by objective, in the objectives' own units; nil until it is fixed.
  package var referencePoint: [String: Double]?

  package init(budget: Int) {
    self.budget = budget
    isPaused = false
    lastEvent = 0
    nextToken = 1
    nextProposal = 0
    epoch = 0
    quarantined = []
  }

  /// Sets have no order of their own: sorted, so that equal headers have equal texts.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(budget, forKey: .budget)
    try container.encode(isPaused, forKey: .isPaused)
    try container.encodeIfPresent(stopReason, forKey: .stopReason)
    try container.encode(lastEvent, forKey: .lastEvent)
    try container.encode(nextToken, forKey: .nextToken)
    try container.encode(nextProposal, forKey: .nextProposal)
    try container.encode(epoch, forKey: .epoch)
    try container.encodeIfPresent(writer, forKey: .writer)
    try container.encode(quarantined.sorted(), forKey: .quarantined)
    try container.encodeIfPresent(referencePoint, forKey: .referencePoint)
  }
}
