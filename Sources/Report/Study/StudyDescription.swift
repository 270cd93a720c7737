import BayesianOptimization
import Study

/// `study show --format json`.
package struct StudyDescription: CompleteRow {
  package struct Point: CompleteRow {
    package var number: Int
    package var configuration: Configuration
    package var objectives: [String: Double]
    package var standardErrors: [String: Double]?
  }
  package var name: String
  package var identifier: String
  package var seed: UInt64
  package var budget: Int
  package var finished: Int
  package var counts: [String: Int]
  package var state: String
  package var stopReason: String?
  package var objectives: [Objective]
  package var referencePoint: [String: Double]?
  package var front: [Point]
  package var chosen: Int?
  package var chosenBy: String?
  package var warnings: [String]
  package var hypervolume: Double?
  package var hypervolumeHistory: [Double]
  package var anchor: [String: Double]?
  package var fingerprints: [String: String]
  package var events: Int
  package var madeBy: String
  package var forkedFrom: StudyOrigin?
  package var quarantined: [String]
  /// What the records are, from whoever knows; null for evaluators without records.
  package var data: (any Encodable)?

  package init(_ summary: StudySummary, data: (any Encodable)? = nil) {
    self.data = data
    let record = summary.record
    name = record.definition.name
    identifier = record.definition.identifier
    seed = record.definition.seed
    budget = record.header.budget
    finished = summary.finished
    counts = Dictionary(uniqueKeysWithValues: TrialState.allCases.map { ($0.rawValue, summary.count($0)) })
    state = record.header.stopReason != nil ? "ended" : record.header.isPaused ? "paused" : "open"
    stopReason = record.header.stopReason?.rawValue
    objectives = summary.objectives
    referencePoint = record.header.referencePoint
    front = summary.front.map {
      Point(
        number: $0.number, configuration: $0.configuration, objectives: $0.result?.objectives ?? [:],
        standardErrors: $0.result?.standardErrors)
    }
    let choice = StudySummary.Choice.standard(summary.objectives)
    chosen = summary.chosen(choice)?.number
    chosenBy = chosen == nil ? nil : choice.name
    warnings = summary.warnings
    hypervolume = summary.hypervolumes.last
    hypervolumeHistory = summary.hypervolumes
    anchor = summary.base?.result?.objectives
    fingerprints = record.definition.fingerprints
    events = record.header.lastEvent
    madeBy = record.definition.madeBy
    forkedFrom = record.definition.forkedFrom
    quarantined = record.header.quarantined.sorted()
  }
}
