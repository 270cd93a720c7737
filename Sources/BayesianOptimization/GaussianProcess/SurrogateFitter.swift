import Foundation
import LinearAlgebra
import RandomStreams

/// Fits the surrogate of one objective.
///
/// A pure function of its arguments.
package enum SurrogateFitter {
  /// Samples the hyperparameter posterior of a Gaussian process given observations, and never fails: the ladder is
  /// more jitter, the No-U-Turn sampler, merged near-duplicates, the posterior mode, the prior.
  ///
  /// - Parameters:
  ///   - points: observed points, N x D, in the unit cube. Rows with a non-finite number are left out.
  ///   - values: N values, larger is better.
  ///   - standardErrors: N standard errors in the units of `values`, or `nil` when the noise is only inferred.
  ///   - settings: prior, outcome transform and schedule.
  ///   - seed: the study's seed.
  ///   - index: the proposal's index; every fit of a proposal needs its own `label`.
  ///   - label: names the outcome in the random streams.
  ///   - warmStart: state of an earlier fit with the same D, prior and number of chains; ignored when it does not match
  ///     or when the data have grown by a third since the chains began.
  ///   - threads: threads on which the chains run; the result does not depend on it.
  package static func fit(
    points: Matrix, values: [Double], standardErrors: [Double]? = nil, settings: SurrogateSettings = .init(),
    seed: UInt64, index: Int, label: String = "objective", warmStart: SurrogateWarmStart? = nil, threads: Int = 1
  ) -> SurrogateFit {
    precondition(
      points.rows == values.count && standardErrors?.count ?? values.count == values.count, "sizes differ")
    let usable = values.indices.filter { i in
      values[i].isFinite && (0..<points.columns).allSatisfy { points[i, $0].isFinite }
    }
    let observed = usable.map { values[$0] }
    let transform = OutcomeTransform(settings.outcome, fitting: observed)
    let variances = standardErrors.map { errors in
      transform.standardErrors(usable.map { errors[$0].isFinite ? max(errors[$0], 0) : 0 }).map { min($0 * $0, 1e6) }
    }
    let data = SurrogateData(points: points.selectingRows(usable), values: transform(observed), variances: variances)
    let attempt = FitAttempt(
      settings: settings, seed: seed, index: index, label: label, threads: threads, transform: transform,
      droppedPoints: values.count - usable.count)
    guard !usable.isEmpty else { return attempt.prior(features: points.columns) }
    let first = attempt.sample(data, warmStart: warmStart, fallback: .none)
    if let first, first.diagnostics.complaint == nil { return first }
    if settings.schedule.algorithm != .noUTurn {
      var other = attempt
      other.settings.schedule = settings.schedule.noUTurn
      if var fit = other.sample(data, warmStart: nil, fallback: .noUTurn) {
        fit.complaint = first?.diagnostics.complaint ?? "no chain moved"
        return fit
      }
    }
    // Doubtful draws of the reference sampler are still better than the lower rungs; its diagnostics tell.
    if var first {
      first.complaint = first.diagnostics.complaint
      return first
    }
    let merged = data.mergingNearDuplicates(within: 1e-6)
    if merged.points.rows < data.points.rows,
      let fit = attempt.sample(merged, warmStart: nil, fallback: .mergedDuplicates)
    {
      return fit
    }
    return attempt.mode(merged) ?? attempt.prior(features: points.columns)
  }
}

extension SurrogateData {
  /// Data in which points closer than `distance` in every coordinate are one point: the first one's coordinates, the
  /// mean value and the mean variance divided by the number merged.
  func mergingNearDuplicates(within distance: Double) -> SurrogateData {
    var groups: [(first: Int, members: [Int])] = []
    for i in values.indices {
      let group = groups.firstIndex { group in
        (0..<points.columns).allSatisfy { abs(points[group.first, $0] - points[i, $0]) <= distance }
      }
      if let group { groups[group].members.append(i) } else { groups.append((i, [i])) }
    }
    func mean(_ numbers: [Double], _ members: [Int]) -> Double {
      members.reduce(0) { $0 + numbers[$1] } / Double(members.count)
    }
    return SurrogateData(
      points: points.selectingRows(groups.map(\.first)), values: groups.map { mean(values, $0.members) },
      variances: variances.map { all in groups.map { mean(all, $0.members) / Double($0.members.count) } })
  }
}
