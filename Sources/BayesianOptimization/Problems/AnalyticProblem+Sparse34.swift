import Glibc

extension AnalyticProblem {
  /// A sparse 34-dimensional function with the shape of a memory search: 32 layers, n in 0...32, five ranks.
  ///
  /// Six of the layers matter. Objectives: loss (minimised) and rougeL (maximised); reference loss 1.90, rougeL 0.22.
  /// NULL is evaluated as n = 0 with no layers.
  public static var sparse34: AnalyticProblem? {
    guard let space = try? SearchSpace(memory: MemorySpace(layers: 32)) else { return nil }
    return AnalyticProblem(
      name: "sparse34", space: space,
      objectives: [
        Objective(name: "loss", direction: .minimize), Objective(name: "rougeL", direction: .maximize),
      ],
      reference: [1.90, 0.22], noise: [0.02, 0.004], maximumHypervolume: 0.05860962037648048
    ) { configuration in
      let active = Set(configuration.layers ?? [])
      return sparse34(
        bits: (0..<32).map { active.contains($0) ? 1 : 0 }, count: configuration.count ?? 0,
        rank: max(8, configuration.rank ?? 8))
    }
  }

  /// The same function over named factors b0 … b31, n, r: n = 0 with active layers is a configuration of its own.
  public static var sparse34Factors: AnalyticProblem? {
    let ranks = [8, 16, 32, 64, 96]
    let factors =
      (0..<32).map { Factor(name: "b\($0)", domain: .toggle) } + [
        Factor(name: "n", domain: .integer(0...32)),
        Factor(name: "r", domain: .ordinal(ranks.map { .integer($0) })),
      ]
    guard let memory = sparse34, let space = try? SearchSpace(factors: factors) else { return nil }
    return AnalyticProblem(
      name: "sparse34-factors", space: space, objectives: memory.objectives, reference: [1.90, 0.22],
      noise: [0.02, 0.004], maximumHypervolume: memory.maximumHypervolume
    ) { configuration in
      let levels = factors.map { factor in configuration.factors?[factor.name].flatMap(factor.level(of:)) ?? 0 }
      return sparse34(bits: Array(levels[..<32]), count: levels[32], rank: ranks[levels[33]])
    }
  }

  /// [loss, rougeL] of 32 switches, n and r.
  static func sparse34(bits: [Int], count: Int, rank: Int) -> [Double] {
    let weights = [0.9, 0.6, 1.0, 0.8, 0.5, 0.7]
    let a = [2, 7, 13, 18, 23, 29].map { Double(bits[$0]) }
    let g = zip(weights, a).reduce(0) { $0 + $1.0 * $1.1 } / 4.5
    let synergy = 0.35 * a[0] * a[2] - 0.30 * a[1] * a[4] + 0.25 * a[3] * a[5]
    let m = Double(bits.reduce(0, +)) / 32
    let h = log2(Double(rank) / 8) / log2(12)
    let t = Double(count) / 32
    let width = (t - (0.25 + 0.3 * h)) / 0.20
    let u = 0.5 * h * g + 0.45 * exp(-width * width) * (0.4 + 0.6 * g)
    let capacity = g + synergy + u
    let heavy = max(0, m - 0.4)
    let over = 2.2 * heavy * heavy + 0.6 * max(0, h * m - 0.3)
    let memory = 0.6 * a[2] + 0.5 * a[5] - 0.3 * a[0] - 0.2 * a[1]
    let loss = 2.2 - 0.85 * tanh(0.9 * capacity) + 0.25 * over + 0.10 * a[2] * t + 0.06 * a[5] * h
    let peak = (t - 0.80) / 0.30
    let rouge =
      0.16 + 0.10 / (1 + exp(-3 * (capacity - 0.9))) + 0.09 * memory * exp(-peak * peak) + 0.02 * h - 0.05 * over
    return [loss, rouge]
  }
}
