import RandomStreams

extension SearchQuality {
  /// Curves of one sampler over all initial sets.
  public struct Curves: Sendable, Codable {
    public var sampler: String
    /// Mean normalised hypervolume after each evaluation.
    public var mean: [Double]
    /// Mean difference of the first sampler to this one at each evaluation, over the paired runs.
    public var advantage: [Double]
    /// Half-width of the 95 % interval of `advantage` (Student's t).
    public var margin: [Double]
  }

  /// Searches a problem with several samplers from the same random initial sets and pairs the runs.
  ///
  /// - Parameters:
  ///   - settings: the samplers to compare; differences are those of the first to the others.
  ///   - sets: number of initial sets, each with its own noise.
  ///   - initial: size of a set.
  ///   - budget: evaluations of a run, the initial ones included.
  ///   - batch: proposals per round.
  public static func compare(
    problem: AnalyticProblem, settings: [SamplerSettings], sets: Int, initial: Int, budget: Int, batch: Int = 1,
    seed: UInt64
  ) throws -> [Curves] {
    var curves = [[[Double]]](repeating: [], count: settings.count)
    for set in 0..<max(0, sets) {
      var stream = RandomStream(seed: seed, purpose: "quality/initial", index: UInt64(set))
      var points: [Configuration] = []
      while points.count < initial { points.append(problem.space.random(using: &stream)) }
      for (index, setting) in settings.enumerated() {
        var curve = try run(
          problem: problem, settings: setting, initial: points, budget: budget, batch: batch, seed: seed &+ UInt64(set),
          noiseSeed: seed &+ 7_919 &+ UInt64(set)
        ).curve
        // A search that used up its space stays where it is.
        while curve.count < budget { curve.append(curve.last ?? 0) }
        curves[index].append(curve)
      }
    }
    return settings.indices.map { index in
      let differences = (0..<budget).map { step in
        zip(curves[0], curves[index]).map { $0[step] - $1[step] }
      }
      return Curves(
        sampler: settings[index].kind.rawValue, mean: (0..<budget).map { step in mean(curves[index].map { $0[step] }) },
        advantage: differences.map(mean), margin: differences.map(margin))
    }
  }

  private static func mean(_ values: [Double]) -> Double {
    values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count)
  }

  /// Half-width of the 95 % interval of a mean.
  private static func margin(_ values: [Double]) -> Double {
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
