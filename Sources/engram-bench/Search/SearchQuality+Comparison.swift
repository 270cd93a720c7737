import BayesianOptimization
import RandomStreams

extension SearchQuality {
  /// Curves of one sampler over all initial sets.
  struct Curves: Sendable, Codable {
    var sampler: String
    /// Mean normalised hypervolume after each evaluation.
    var mean: [Double]
    /// Mean difference of the first sampler to this one at each evaluation, over the paired runs.
    var advantage: [Double]
    /// Half-width of the 95 % interval of `advantage` (Student's t).
    var margin: [Double]
    /// Half-width of the 95 % interval of `mean`.
    var band: [Double]
  }

  /// Searches a problem with several samplers from the same random initial sets and pairs the runs.
  ///
  /// - Parameters:
  ///   - settings: the samplers to compare; differences are those of the first to the others.
  ///   - sets: number of initial sets, each with its own noise.
  ///   - initial: size of a set.
  ///   - budget: evaluations of a run, the initial ones included.
  ///   - batch: proposals per round.
  static func compare(
    problem: AnalyticProblem, settings: [SamplerSettings], sets: Int, initial: Int, budget: Int, batch: Int = 1,
    seed: UInt64
  ) throws -> [Curves] {
    try pairedRuns(
      problem: problem, settings: settings, sets: sets, initial: initial, budget: budget, batch: batch, seed: seed
    ).comparison
  }

  fileprivate static func mean(_ values: [Double]) -> Double {
    values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count)
  }

  /// Half-width of the 95 % interval of a mean.
  fileprivate static func margin(_ values: [Double]) -> Double {
    guard values.count > 1 else { return 0 }
    let center = mean(values)
    let variance = values.reduce(0) { $0 + ($1 - center) * ($1 - center) } / Double(values.count - 1)
    return quantile(freedom: values.count - 1) * (variance / Double(values.count)).squareRoot()
  }

  /// The 97.5 % quantile of Student's t: exact to 1 % from two degrees of freedom on.
  private static func quantile(freedom: Int) -> Double {
    let table = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228]
    if freedom <= table.count { return table[max(1, freedom) - 1] }
    let z = 1.959_964
    let n = Double(freedom)
    return z + (z * z * z + z) / (4 * n) + (5 * z * z * z * z * z + 16 * z * z * z + 3 * z) / (96 * n * n)
  }
}

extension SearchQuality.PairedRuns {
  /// Mean curves and the paired differences of the first sampler to each.
  var comparison: [SearchQuality.Curves] {
    samplers.map { sampler in
      let steps = 0..<budget
      func column(_ step: Int) -> [Double] { sets.map { $0.curves[sampler]?[step] ?? 0 } }
      let differences = steps.map { step in
        sets.map { ($0.curves[samplers[0]]?[step] ?? 0) - ($0.curves[sampler]?[step] ?? 0) }
      }
      return SearchQuality.Curves(
        sampler: sampler, mean: steps.map { SearchQuality.mean(column($0)) },
        advantage: differences.map(SearchQuality.mean), margin: differences.map(SearchQuality.margin),
        band: steps.map { SearchQuality.margin(column($0)) })
    }
  }
}
