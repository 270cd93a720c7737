// Exact expected hypervolume improvement under independent Gaussian outcomes, everything maximised.
//
//   g_k(c)   = E[(f_k − c)+] = (μ_k − c) Φ(z) + σ_k φ(z),  z = (μ_k − c)/σ_k;   g(∞) = 0
//   EHVI     = Σ_cells Π_k [g_k(l_k) − g_k(u_k)]
//
// Two objectives: the strips of the front (Emmerich, Yang, Deutz, Wang, Fonseca, 2016). More: any box decomposition of
// the non-dominated region (Daulton, Balandat, Bakshy, NeurIPS 2020, eq. 3). One: expected improvement.

import Glibc

/// Exact expected (hypervolume) improvement.
package enum ExpectedImprovement {
  /// E[(f − c)+] for f ~ N(mean, sd²).
  package static func partialExpectation(mean: Double, standardDeviation sd: Double, above c: Double) -> Double {
    guard c < .infinity else { return 0 }
    guard sd > 0 else { return max(0, mean - c) }
    let z = (mean - c) / sd
    let density = exp(-0.5 * z * z) * 0.398_942_280_401_432_7
    let probability = 0.5 * erfc(-z * 0.707_106_781_186_547_5)
    return max(0, sd * (z * probability + density))
  }

  /// Expected hypervolume improvement of one candidate with independent outcomes (m means, m standard deviations).
  package static func hypervolume(
    over decomposition: BoxDecomposition, mean: [Double], standardDeviation sd: [Double]
  ) -> Double {
    let tables = decomposition.thresholds.enumerated().map { index, thresholds in
      thresholds.map { partialExpectation(mean: mean[index], standardDeviation: sd[index], above: $0) }
    }
    return decomposition.cells.reduce(0) { sum, cell in
      var product = 1.0
      for index in tables.indices {
        let upper = cell.upper[index] < 0 ? 0 : tables[index][Int(cell.upper[index])]
        product *= max(0, tables[index][Int(cell.lower[index])] - upper)
      }
      return sum + product
    }
  }

  /// log E[(f − c)+], finite where the value itself underflows; −infinity only for sd = 0 and mean ≤ c.
  ///
  /// S. Ament, S. Daulton, D. Eriksson, M. Balandat, E. Bakshy, "Unexpected improvements to expected improvement",
  /// NeurIPS 2023, §4.1.
  static func logPartialExpectation(mean: Double, standardDeviation sd: Double, above c: Double) -> Double {
    guard c < .infinity else { return -.infinity }
    guard sd > 0 else { return mean > c ? log(mean - c) : -.infinity }
    let z = (mean - c) / sd
    if z > -20 {
      return log(partialExpectation(mean: z, standardDeviation: 1, above: 0)) + log(sd)
    }
    // h(z) = φ(z) (1 − |z| R(|z|)) with the Mills ratio R; 1 − tR(t) = t⁻² − 3 t⁻⁴ + 15 t⁻⁶ − 105 t⁻⁸ …
    let inverse = 1 / (z * z)
    let series = inverse * (1 - inverse * (3 - inverse * (15 - inverse * 105)))
    return -0.5 * z * z - 0.918_938_533_204_672_7 + log(series) + log(sd)
  }

  /// log of `hypervolume(over:mean:standardDeviation:)`, finite where the value itself underflows.
  static func logHypervolume(
    over decomposition: BoxDecomposition, mean: [Double], standardDeviation sd: [Double]
  ) -> Double {
    let tables = decomposition.thresholds.enumerated().map { index, thresholds in
      thresholds.map { logPartialExpectation(mean: mean[index], standardDeviation: sd[index], above: $0) }
    }
    let terms = decomposition.cells.map { cell -> Double in
      var sum = 0.0
      for index in tables.indices {
        let lower = tables[index][Int(cell.lower[index])]
        sum += cell.upper[index] < 0 ? lower : LogSpace.difference(lower, tables[index][Int(cell.upper[index])])
      }
      return sum
    }
    return LogSpace.sum(terms)
  }
}

/// Sums and differences of numbers given by their logarithms.
enum LogSpace {
  /// log Σ exp(x_i); −infinity for none.
  static func sum(_ values: [Double]) -> Double {
    guard let top = values.max(), top > -.infinity else { return -.infinity }
    return top + log(values.reduce(0) { $0 + exp($1 - top) })
  }

  /// log(exp(a) − exp(b)) for a ≥ b; −infinity where they are equal.
  static func difference(_ a: Double, _ b: Double) -> Double {
    guard b > -.infinity else { return a }
    guard a > b else { return -.infinity }
    return a + log(-expm1(b - a))
  }
}
