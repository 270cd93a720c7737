// Noisy expected hypervolume improvement over a posterior mixture, in closed form given the baseline.
//
// S. Daulton, M. Balandat, E. Bakshy, "Parallel Bayesian Optimization of Multiple Noisy Objectives with Expected Hypervolume
// Improvement", NeurIPS 2021 (NEHVI, section 4). Instead of sampling the candidate too, its outcomes are integrated exactly given
// each joint sample of the baseline and pending points (Rao-Blackwell): lower variance than plain Monte Carlo at the same number
// of samples, and smooth in the candidate.
//
// Notation
//   m   outcomes, maximised, in model units         b   baseline: pruned observed points + pending points
//   n   candidates                                  S   samples of the baseline per draw
//   d   hyperparameter draw, outcomes paired        z   normals of a sample, f_B = μ_B + L z
//
//   α(x) = (1 / (S · draws)) Σ_d Σ_s EHVI(x | f_B = sample s of draw d)
//
// One outcome: the same formula is expected improvement over the sampled best (noisy EI).

import Glibc
import LinearAlgebra

/// Noisy expected hypervolume improvement: build once per proposal, evaluate for many candidates.
package struct NoisyHypervolumeImprovement: Sendable {
  let models: [any PosteriorModel]
  /// Pruned observed points and pending points, b x D (BoTorch's X_baseline with X_pending).
  let baseline: Matrix
  let plans: [DrawPlan]
  /// Samples per draw, S.
  let samples: Int

  /// Samples the baseline.
  ///
  /// - Parameters:
  ///   - models: one posterior per outcome, maximised; the i-th draws are paired.
  ///   - baseline: pruned observed points followed by the pending ones, b x D, b ≥ 1.
  ///   - reference: reference point in model units, m; ignored for one outcome.
  ///   - samplesPerDraw: S.
  ///   - seed, index: key of the random numbers.
  ///   - threads: threads of the construction; the result does not depend on it.
  package init(
    models: [any PosteriorModel], baseline: Matrix, reference: [Double], samplesPerDraw: Int = 16, seed: UInt64,
    index: Int, threads: Int = 1
  ) {
    self.models = models
    self.baseline = baseline
    samples = max(1, samplesPerDraw)
    let draws = models.map(\.drawCount).max() ?? 1
    let normals = BaselineNormals(
      outcomes: models.count, baseline: baseline.rows, draws: draws, samples: samples, seed: seed, index: index)
    let count = samples
    plans = Parallel.map(draws, threads: threads) { draw in
      DrawPlan(
        models: models, baseline: baseline, reference: reference, draw: draw, normals: normals.draw(draw),
        samples: count)
    }
  }

  /// Natural logarithm of the acquisition value of each candidate (n x D); −infinity where it is 0 or not a number.
  ///
  /// - Throws: `AcquisitionError.native` when the native code could not compute them (it found no memory).
  package func logValues(_ candidates: Matrix, threads: Int = 1) throws -> [Double] {
    guard candidates.rows > 0 else { return [] }
    // 1) Σ_s EHVI_s of every draw, draws x n
    let perDraw = try Parallel.map(plans.count, threads: threads) { draw -> Result<[Double], AcquisitionError> in
      plans[draw].sums(posterior(candidates, draw: draw))
    }.map { try $0.get() }
    // 2) the mean over draws and samples, n
    let scale = 1 / Double(plans.count * samples)
    var values = [Double](repeating: 0, count: candidates.rows)
    for sums in perDraw { for row in values.indices { values[row] += sums[row] } }
    // 3) logarithms; values that underflow are computed again as such
    var logs = values.map { $0.isFinite && $0 > 0 ? log($0 * scale) : -Double.infinity }
    let faint = logs.indices.filter { !(values[$0] > 1e-250) && !values[$0].isNaN }
    if !faint.isEmpty {
      for (row, value) in zip(faint, faintLogValues(candidates.selectingRows(faint))) { logs[row] = value }
    }
    return logs
  }

  /// The posterior of n candidates under one draw, with their covariances to the baseline.
  private func posterior(_ candidates: Matrix, draw: Int) -> PackedPosterior {
    var packed = PackedPosterior(outcomes: models.count, candidates: candidates.rows, baseline: baseline.rows)
    for model in models {
      packed.append(model.posterior(at: candidates, baseline: baseline, draw: draw % model.drawCount))
    }
    return packed
  }

  /// Log values of candidates whose values underflow, from two samples per draw.
  private func faintLogValues(_ candidates: Matrix) -> [Double] {
    let used = min(2, samples)
    var terms = [[Double]](repeating: [], count: candidates.rows)
    for (draw, plan) in plans.enumerated() {
      let packed = posterior(candidates, draw: draw)
      for row in 0..<candidates.rows {
        terms[row] += plan.logTerms(packed, row: row, samples: used)
      }
    }
    let count = log(Double(plans.count * used))
    return terms.map { values in
      let sum = LogSpace.sum(values)
      return sum.isNaN ? -.infinity : sum - count
    }
  }
}
