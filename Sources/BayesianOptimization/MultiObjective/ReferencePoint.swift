// Reference points of the hypervolume, everything maximised; the rules of BoTorch's `infer_reference_point`.

/// Choice of the hypervolume's reference point.
public enum ReferencePoint {
  /// Smallest range that is told apart from rounding, for values of magnitude 1 and above.
  static let minimumRange = 1e-7

  /// The smallest range for values of this magnitude.
  ///
  /// Small units must not look like no range at all: with values around 1e-9 a fixed margin of 1e-8 would dwarf the whole
  /// front, and its hypervolume would seem to stand still.
  static func minimumRange(magnitude: Double) -> Double {
    magnitude > 0 ? max(minimumRange * min(1, magnitude), magnitude * 1e-12) : minimumRange
  }

  /// Infers a reference point a little below a Pareto front.
  ///
  /// - Parameters:
  ///   - front: non-dominated rows, n x m, n ≥ 1 unless `maximum` is given.
  ///   - maximum: the best point that is still acceptable, m; coordinates may be NaN for "unknown".
  ///   - scale: margin as a part of the range.
  ///   - scaleMaximum: whether the margin is also taken below `maximum`.
  /// - Returns: m coordinates; nil for an empty front without `maximum`.
  public static func infer(
    front: [[Double]], maximum: [Double]? = nil, scale: Double = 0.1, scaleMaximum: Bool = false
  ) -> [Double]? {
    guard let first = front.first else {
      guard let maximum, !maximum.contains(where: \.isNaN) else { return nil }
      return scaleMaximum ? maximum.map { $0 - scale * abs($0) } : maximum
    }
    let objectives = first.indices
    let known = objectives.filter { index in maximum.map { !$0[index].isNaN } ?? true }
    let better = maximum.map { limit in front.filter { row in known.allSatisfy { row[$0] > limit[$0] } } } ?? front
    if let maximum, known.count == first.count, !better.isEmpty {
      guard scaleMaximum else { return maximum }
      return objectives.map { index in
        maximum[index] - scale * (better.map { $0[index] }.max().map { $0 - maximum[index] } ?? 0)
      }
    }
    let ranges: [Double]
    var point: [Double]
    if front.count == 1 {
      ranges = first.map { $0 == 0 ? minimumRange : abs($0) }
      point = objectives.map { first[$0] - scale * ranges[$0] }
    } else {
      var nadir = objectives.map { index in front.reduce(Double.infinity) { min($0, $1[index]) } }
      if let maximum { for index in known { nadir[index] = min(nadir[index], maximum[index]) } }
      let ideal = objectives.map { index in front.reduce(-Double.infinity) { max($0, $1[index]) } }
      ranges = objectives.map { index in
        let magnitude = max(abs(ideal[index]), abs(nadir[index]))
        return max(ideal[index] - nadir[index], minimumRange(magnitude: magnitude))
      }
      point = objectives.map { nadir[$0] - scale * ranges[$0] }
    }
    if let maximum, known.count < first.count, !better.isEmpty {
      for index in known { point[index] = scaleMaximum ? maximum[index] - scale * ranges[index] : maximum[index] }
    }
    return point
  }

  /// A reference point one tenth worse than a base's values.
  ///
  /// A value of zero says nothing about its objective's scale (a base that scores 0, or trains no parameter): such
  /// coordinates are inferred from the front.
  ///
  /// - Parameters:
  ///   - base: values of the base, maximised, m.
  ///   - front: non-dominated rows, n x m.
  /// - Returns: m coordinates; nil where one has to be inferred and the front is empty.
  public static func worse(than base: [Double], front: [[Double]]) -> [Double]? {
    let corner = base.map { $0 == 0 ? Double.nan : $0 - 0.1 * abs($0) }
    guard corner.contains(where: \.isNaN) else { return corner }
    guard let inferred = infer(front: front) else { return nil }
    return zip(corner, inferred).map { $0.isNaN ? $1 : $0 }
  }
}
