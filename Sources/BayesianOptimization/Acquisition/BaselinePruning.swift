import LinearAlgebra
import RandomStreams

/// Keeps the observed points that may be on the Pareto front.
///
/// A point is kept when it is non-dominated and above the reference in at least one joint posterior sample (Daulton et
/// al. 2021, §4; BoTorch's `prune_baseline`).
struct BaselinePruning {
  var models: [any PosteriorModel]
  /// Reference point in model units, m; nil for a single objective.
  var reference: [Double]
  /// Joint samples over all hyperparameter draws.
  var samples = 512
  /// Points that take part in the joint sampling; more are cut by their marginals first.
  var widest = 128
  /// Points that are kept at most, by how often they are on the front.
  var largest = 80

  /// Indices of the kept rows of `points` (n x D), ascending; at least one if there is a row.
  func keep(_ points: Matrix, stream: inout RandomStream) -> [Int] {
    guard points.rows > 1 else { return Array(0..<points.rows) }
    // 1) at most `widest` points by their marginals
    let candidates = ranked(points, count: widest)
    let kept = points.selectingRows(candidates)
    let draws = models.map(\.drawCount).max() ?? 1
    let perDraw = max(1, samples / draws)
    var counts = [Int](repeating: 0, count: candidates.count)
    for draw in 0..<draws {
      let joints = models.map { $0.posterior(at: kept, draw: draw % $0.drawCount) }
      let factors = joints.map { LowerTriangle(factorizing: $0.covariance) }
      for _ in 0..<perDraw {
        // 2) one joint sample of all outcomes, rows: n x m
        var rows = [[Double]](repeating: [Double](repeating: 0, count: models.count), count: candidates.count)
        for index in models.indices {
          let normals = rows.indices.map { _ in stream.normal() }
          let values = factors[index].sample(mean: joints[index].mean, normals: normals[...])
          for row in rows.indices { rows[row][index] = values[row] }
        }
        // 3) who is on the front of this sample, above the reference
        for row in Dominance.front(rows) where zip(rows[row], reference).allSatisfy({ $0 > $1 }) { counts[row] += 1 }
      }
    }
    // 4) the most frequent ones
    let order = counts.indices.filter { counts[$0] > 0 }.sorted { (-counts[$0], $0) < (-counts[$1], $1) }
    if order.isEmpty { return [candidates[0]] }
    return order.prefix(largest).map { candidates[$0] }.sorted()
  }

  /// At most `count` rows, ascending: those that may be on the front before the others.
  func promising(_ points: Matrix, count: Int) -> [Int] { ranked(points, count: count).sorted() }

  /// At most `count` rows: by non-dominated rank of mean + 2 sd, then by the sum of the means.
  private func ranked(_ points: Matrix, count: Int) -> [Int] {
    // Marginals come with covariances to some point; any will do.
    let other = points.selectingRows([0])
    var means = [[Double]](repeating: [], count: points.rows)
    var optimistic = means
    for model in models {
      var mean = [Double](repeating: 0, count: points.rows)
      var square = mean
      for draw in 0..<model.drawCount {
        let marginal = model.posterior(at: points, baseline: other, draw: draw)
        for row in 0..<points.rows {
          mean[row] += marginal.mean[row] / Double(model.drawCount)
          square[row] += (marginal.variance[row] + marginal.mean[row] * marginal.mean[row]) / Double(model.drawCount)
        }
      }
      for row in 0..<points.rows {
        means[row].append(mean[row])
        optimistic[row].append(mean[row] + 2 * max(0, square[row] - mean[row] * mean[row]).squareRoot())
      }
    }
    let ranks = Dominance.ranks(optimistic)
    let sums = means.map { $0.reduce(0, +) }
    return (0..<points.rows).sorted { a, b in
      if ranks[a] != ranks[b] { return ranks[a] < ranks[b] }
      if sums[a] != sums[b] { return sums[a] > sums[b] }
      return a < b
    }.prefix(count).map { $0 }
  }
}
