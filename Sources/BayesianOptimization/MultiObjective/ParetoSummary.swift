/// The front and hypervolume of a list of observations, in the objectives' own units.
public struct ParetoSummary: Sendable, Hashable {
  /// Line numbers (from 0) of the non-dominated observations, ascending.
  public let front: [Int]
  /// The volume that the front dominates above the reference point, in the product of the objectives' units.
  public let hypervolume: Double
  /// The reference point that was used, by objective name.
  public let reference: [String: Double]
  /// Whether the reference point was inferred.
  public let isInferred: Bool
  /// Whether nothing was there to summarise.
  public var isEmpty: Bool { front.isEmpty }

  /// Summarises objective vectors; a nil entry (pending, failed, incomplete) keeps its line number and counts nothing.
  ///
  /// - Parameters:
  ///   - values: for each line, values by objective name.
  ///   - objectives: the objectives; values that are missing or not finite make a line incomplete.
  ///   - reference: reference point in the objectives' own units; inferred from the front when nil.
  public init(values: [[String: Double]?], objectives: [Objective], reference: [String: Double]? = nil) {
    var lines: [Int] = []
    var rows: [[Double]] = []
    for (line, entry) in values.enumerated() {
      guard let entry else { continue }
      let row = objectives.compactMap { objective in
        entry[objective.name].flatMap { $0.isFinite ? $0 * objective.direction.sign : nil }
      }
      guard row.count == objectives.count else { continue }
      lines.append(line)
      rows.append(row)
    }
    let kept = Dominance.front(rows)
    front = kept.map { lines[$0] }
    let given = reference.flatMap { reference -> [Double]? in
      let point = objectives.compactMap { objective in reference[objective.name].map { $0 * objective.direction.sign } }
      return point.count == objectives.count ? point : nil
    }
    isInferred = given == nil
    let point = given ?? ReferencePoint.infer(front: kept.map { rows[$0] }) ?? objectives.map { _ in 0 }
    hypervolume = Hypervolume.value(kept.map { rows[$0] }, reference: point)
    self.reference = Dictionary(
      zip(objectives, point).map { ($0.name, $1 * $0.direction.sign) }, uniquingKeysWith: { first, _ in first })
  }

  /// Summarises the lines of an observations file.
  public init(lines: [ObservationLine], objectives: [Objective], reference: [String: Double]? = nil) {
    self.init(
      values: lines.map { line in
        line.pending || (line.outcome ?? .completed) != .completed ? nil : line.objectives
      }, objectives: objectives, reference: reference)
  }
}
