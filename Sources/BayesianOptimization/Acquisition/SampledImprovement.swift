// Noisy expected hypervolume improvement in its plain Monte Carlo form, everything maximised.
//
// S. Daulton, M. Balandat, E. Bakshy, "Parallel Bayesian optimization of multiple noisy objectives with expected
// hypervolume improvement", NeurIPS 2021, eq. 3:
//   HVI_s = HV(baseline_s ∪ pending_s ∪ candidates_s) − HV(baseline_s ∪ pending_s)
//
// The reference against which the closed form (`NoisyHypervolumeImprovement`) is tested.

/// Hypervolume improvement per joint posterior sample.
package enum SampledImprovement {
  /// HVI of a set of q candidates for each of S samples.
  ///
  /// - Parameters:
  ///   - baseline: S x b x m sampled values of the baseline.
  ///   - pending: S x p x m sampled values of the pending points; their own improvement does not count.
  ///   - candidates: S x q x m sampled values of the candidates.
  ///   - reference: reference point, m.
  package static func perSample(
    baseline: [[[Double]]], pending: [[[Double]]], candidates: [[[Double]]], reference: [Double]
  ) -> [Double] {
    candidates.indices.map { sample in
      var known = baseline[sample] + (sample < pending.count ? pending[sample] : [])
      var sum = 0.0
      for row in candidates[sample] {
        sum += Hypervolume.improvement(of: row, over: known, reference: reference)
        known.append(row)
      }
      return sum
    }
  }
}
