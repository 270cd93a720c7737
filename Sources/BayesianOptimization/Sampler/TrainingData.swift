import LinearAlgebra

/// The usable part of a study's history for the surrogates.
struct TrainingData {
  /// Canonical levels of the completed observations with finite values, in committed order.
  var levels: [[Int]] = []
  /// Maximised values, N x m.
  var values: [[Double]] = []
  /// Standard errors, m columns of N; nil for an objective of which no error is known, and where they are not used.
  private(set) var standardErrors: [StandardErrorColumn?] = []
  /// Canonical levels of configurations that ran out of memory.
  var infeasible: [[Int]] = []
  /// Maximised values of the un-injected base, if it was observed.
  var base: [Double]?
  /// Power of two by which each outcome is divided so that squares cannot overflow; usually 1.
  var scales: [Double] = []

  init(space: SearchSpace, objectives: [Objective], observations: [Observation], useStandardErrors: Bool) {
    var errors: [[Double?]] = []
    for observation in observations {
      let values = observation.maximizedValues(objectives)
      if observation.configuration.isNull, let values { base = values }
      guard let raw = try? space.levels(of: observation.configuration) else { continue }
      let canonical = space.canonical(raw)
      if observation.outcome == .outOfMemory { infeasible.append(canonical) }
      guard let values else { continue }
      levels.append(canonical)
      self.values.append(values)
      errors.append(objectives.map { observation.standardErrors?[$0.name] })
    }
    standardErrors = objectives.indices.map { index in
      useStandardErrors ? StandardErrorColumn(errors.map { $0[index] }) : nil
    }
    scales = objectives.indices.map { index in
      let largest = values.reduce(0) { max($0, abs($1[index])) }
      guard largest > 1e100 || (largest > 0 && largest < 1e-100) else { return 1 }
      return Double(sign: .plus, exponent: largest.exponent, significand: 1)
    }
  }

  var count: Int { levels.count }

  /// Encoded points, N x D.
  func points(_ space: SearchSpace) -> Matrix {
    var matrix = Matrix(rows: count, columns: space.dimension)
    for (row, item) in levels.enumerated() {
      for (column, value) in space.encode(levels: item).enumerated() { matrix[row, column] = value }
    }
    return matrix
  }

  /// Scaled values of one outcome.
  func column(_ index: Int) -> [Double] { values.map { $0[index] / scales[index] } }

  /// Scaled standard errors of one outcome; nil where none is known.
  func errorColumn(_ index: Int) -> [Double]? { standardErrors[index].map { $0.values.map { $0 / scales[index] } } }

  /// What was put in for errors that are not known, a sentence per objective.
  func errorNotes(_ objectives: [Objective]) -> [String] {
    zip(objectives, standardErrors).compactMap { objective, column in
      guard let column, column.unknown > 0 else { return nil }
      let count = column.values.count
      return
        "\(objective.name): the standard error of \(column.unknown) of \(count) observations is not known; the median of "
        + "the others, \(column.median), stands for it"
    }
  }

  /// Indices of the non-dominated observations.
  var front: [Int] { Dominance.front(values) }

  /// The reference point, maximised, in the objectives' units.
  func reference(_ choice: SamplerSettings.Reference, objectives: [Objective]) -> [Double] {
    if case .fixed(let values) = choice {
      let point = objectives.compactMap { objective in
        values[objective.name].map { $0 * objective.direction.sign }
      }
      if point.count == objectives.count, point.allSatisfy(\.isFinite) { return point }
    }
    let best = front.map { values[$0] }
    if case .base = choice, let base, let point = ReferencePoint.worse(than: base, front: best) { return point }
    return ReferencePoint.infer(front: best) ?? objectives.map { _ in 0 }
  }
}
