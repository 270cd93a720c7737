// Convergence diagnostics of several chains.
//
// A. Vehtari, A. Gelman, D. Simpson, B. Carpenter, P.-C. Buerkner, "Rank-Normalization, Folding, and Localization: An
// Improved R-hat", Bayesian Analysis 2021: split chains, rank-normalised values, Geyer's initial monotone sequence.
import Foundation

/// R-hat and effective sample size of one quantity.
package enum ChainDiagnostics {
  /// Split R-hat of rank-normalised draws; 1 for fewer than 4 draws a chain or constant draws.
  package static func splitRHat(_ chains: [[Double]]) -> Double {
    let halves = rankNormalized(split(chains))
    guard let length = halves.first?.count, length >= 2, halves.count >= 2 else { return 1 }
    let (within, total) = variances(halves, length: length)
    guard within > 0 else { return 1 }
    return (total / within).squareRoot()
  }

  /// Bulk effective sample size of the pooled draws, at most n log10 n.
  package static func bulkEffectiveSampleSize(_ chains: [[Double]]) -> Double {
    let halves = rankNormalized(split(chains))
    guard let length = halves.first?.count, length >= 4 else { return Double(chains.reduce(0) { $0 + $1.count }) }
    let count = Double(halves.count * length)
    let (within, total) = variances(halves, length: length)
    guard within > 0, total > 0 else { return 1 }
    var covariances = [Double](repeating: 0, count: length)
    for half in halves {
      let mean = half.reduce(0, +) / Double(length)
      for lag in 0..<length {
        var sum = 0.0
        for t in 0..<(length - lag) { sum += (half[t] - mean) * (half[t + lag] - mean) }
        covariances[lag] += sum / Double(length) / Double(halves.count)
      }
    }
    func correlation(_ lag: Int) -> Double {
      let unbiased = covariances[lag] * Double(length) / Double(length - 1)
      return 1 - (within - unbiased) / total
    }
    // Sums of pairs, cut at the first negative one and made monotone.
    var sum = -1.0
    var previous = Double.infinity
    var lag = 0
    while lag + 1 < length {
      let pair = (lag == 0 ? 1 : correlation(lag)) + correlation(lag + 1)
      guard pair > 0 else { break }
      previous = min(previous, pair)
      sum += 2 * previous
      lag += 2
    }
    return count / max(sum, 1 / log10(max(count, 10)))
  }

  /// Fills in the worst R-hat and the smallest and median effective sample size over the P quantities of
  /// chains x draws x P.
  static func summarize(_ draws: [[[Double]]], into diagnostics: inout SurrogateDiagnostics) {
    guard let dimension = draws.first?.first?.count, dimension > 0 else { return }
    var sizes: [Double] = []
    for p in 0..<dimension {
      let chains = draws.map { $0.map { $0[p] } }
      diagnostics.maximumRHat = max(diagnostics.maximumRHat, splitRHat(chains))
      sizes.append(bulkEffectiveSampleSize(chains))
    }
    sizes.sort()
    diagnostics.minimumEffectiveSampleSize = sizes[0]
    diagnostics.medianEffectiveSampleSize = sizes[sizes.count / 2]
  }

  private static func split(_ chains: [[Double]]) -> [[Double]] {
    let length = (chains.map(\.count).min() ?? 0) / 2
    return chains.flatMap { [Array($0.prefix(length)), Array($0.suffix(length))] }
  }

  /// Normal scores of the ranks over all chains; equal values share their mean rank.
  private static func rankNormalized(_ chains: [[Double]]) -> [[Double]] {
    let flat = chains.flatMap { $0 }
    let order = flat.indices.sorted { flat[$0] < flat[$1] || (flat[$0] == flat[$1] && $0 < $1) }
    var scores = [Double](repeating: 0, count: flat.count)
    var first = 0
    while first < order.count {
      var last = first
      while last + 1 < order.count, flat[order[last + 1]] == flat[order[first]] { last += 1 }
      let rank = Double(first + last) / 2 + 1
      let score = NormalDistribution.quantile((rank - 0.375) / (Double(flat.count) + 0.25))
      for k in first...last { scores[order[k]] = score }
      first = last + 1
    }
    var at = 0
    return chains.map { chain in
      defer { at += chain.count }
      return Array(scores[at..<(at + chain.count)])
    }
  }

  private static func variances(_ chains: [[Double]], length: Int) -> (within: Double, total: Double) {
    let n = Double(length)
    let means = chains.map { $0.reduce(0, +) / n }
    let grand = means.reduce(0, +) / Double(means.count)
    let between = means.reduce(0) { $0 + ($1 - grand) * ($1 - grand) } / Double(max(means.count - 1, 1))
    var within = 0.0
    for (chain, mean) in zip(chains, means) {
      within += chain.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (n - 1) / Double(chains.count)
    }
    return (within, within * (n - 1) / n + between)
  }
}
