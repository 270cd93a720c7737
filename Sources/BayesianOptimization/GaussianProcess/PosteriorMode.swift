import Foundation

/// The mode of a log density by L-BFGS from several starts.
///
/// J. Nocedal, S. J. Wright, "Numerical Optimization", algorithm 7.5, with backtracking line search.
enum PosteriorMode {
  /// A point, the log density there, and what it took to find it.
  struct Found {
    var position: [Double]
    var value: Double
    var gradients: Int
  }

  /// The best point found, `nil` when the density is zero at every start.
  static func find(_ density: any LogDensity, starts: [[Double]], iterations: Int = 150) -> Found? {
    var best: Found?
    for start in starts {
      guard let found = climb(density, from: start, iterations: iterations) else { continue }
      if found.value > best?.value ?? -.infinity { best = found }
    }
    return best
  }

  private static func evaluate(_ density: any LogDensity, _ q: [Double]) -> (value: Double, gradient: [Double]) {
    var gradient = [Double](repeating: 0, count: q.count)
    let value = gradient.withUnsafeMutableBufferPointer { g in
      q.withUnsafeBufferPointer { q in
        guard let g = g.baseAddress, let q = q.baseAddress else { return -Double.infinity }
        return density.evaluate(q, g)
      }
    }
    return (value, gradient)
  }

  /// Ascends from one start; `nil` when the density is zero there.
  static func climb(_ density: any LogDensity, from start: [Double], iterations: Int) -> Found? {
    var q = start
    var gradients = 1
    var (value, gradient) = evaluate(density, q)
    guard value > -.infinity else { return nil }
    var pairs: [(s: [Double], y: [Double], inverse: Double)] = []
    for _ in 0..<iterations {
      var direction = self.direction(gradient, pairs)
      var slope = dot(direction, gradient)
      if !(slope > 0) {
        pairs = []
        direction = gradient
        slope = dot(gradient, gradient)
      }
      guard slope > 1e-12 else { break }
      // A step moves no coordinate (a logarithm) by more than 2.
      let longest = direction.reduce(0) { max($0, abs($1)) }
      var step = min(1, 2 / longest)
      if pairs.isEmpty { step = min(step, 1 / longest) }
      var next: (value: Double, gradient: [Double]) = (-.infinity, [])
      var moved = q
      for _ in 0..<30 {
        for i in q.indices { moved[i] = q[i] + step * direction[i] }
        next = evaluate(density, moved)
        gradients += 1
        if next.value >= value + 1e-4 * step * slope { break }
        step *= 0.5
      }
      guard next.value > value else { break }
      let s = zip(moved, q).map { $0 - $1 }
      let y = zip(gradient, next.gradient).map { $0 - $1 }
      let curvature = dot(s, y)
      if curvature > 1e-10 * dot(y, y).squareRoot() { pairs.append((s, y, 1 / curvature)) }
      if pairs.count > 8 { pairs.removeFirst() }
      let gain = next.value - value
      q = moved
      value = next.value
      gradient = next.gradient
      if gain < 1e-9 * max(1, abs(value)) { break }
    }
    return Found(position: q, value: value, gradients: gradients)
  }

  /// The ascent direction H grad by the two-loop recursion.
  private static func direction(
    _ gradient: [Double], _ pairs: [(s: [Double], y: [Double], inverse: Double)]
  ) -> [Double] {
    var r = gradient
    var weights: [Double] = []
    for pair in pairs.reversed() {
      let weight = pair.inverse * dot(pair.s, r)
      weights.append(weight)
      for i in r.indices { r[i] -= weight * pair.y[i] }
    }
    if let last = pairs.last {
      let scale = 1 / (last.inverse * dot(last.y, last.y))
      for i in r.indices { r[i] *= scale }
    }
    for (pair, weight) in zip(pairs, weights.reversed()) {
      let other = pair.inverse * dot(pair.y, r)
      for i in r.indices { r[i] += (weight - other) * pair.s[i] }
    }
    return r
  }

  private static func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
}
