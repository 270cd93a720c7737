// Noisy expected hypervolume improvement over a posterior mixture, in closed form given the baseline.
//
// S. Daulton, M. Balandat, E. Bakshy, NeurIPS 2021. Instead of sampling the candidate too, its outcomes are integrated
// exactly given each joint sample of the baseline and pending points (Rao-Blackwell): lower variance than plain Monte
// Carlo at the same number of samples, and smooth in the candidate.
//
// Notation
//   m   outcomes, maximised, in model units         b   anchors = pruned baseline + pending points
//   d   hyperparameter draw, outcomes paired        S   samples of the anchors per draw
//   z   normals of a sample, f_B = μ_B + L z        α   (1/(S·draws)) Σ_d Σ_s EHVI(candidate | f_B = sample s)
//
// One outcome: the same formula is expected improvement over the sampled best (noisy EI).

import CKernels
import LinearAlgebra
import RandomStreams

/// Noisy expected hypervolume improvement: build once per proposal, evaluate for many candidates.
public struct NoisyHypervolumeImprovement: Sendable {
  let models: [any PosteriorModel]
  /// Pruned baseline and pending points, b x D.
  let anchors: Matrix
  let plans: [DrawPlan]
  /// Samples per draw, S.
  let samples: Int

  /// Samples the anchors.
  ///
  /// - Parameters:
  ///   - models: one posterior per outcome, maximised; the i-th draws are paired.
  ///   - anchors: pruned baseline followed by the pending points, b x D, b ≥ 1.
  ///   - reference: reference point in model units, m; ignored for one outcome.
  ///   - samplesPerDraw: S.
  ///   - seed, index: key of the random numbers.
  ///   - threads: threads of the construction; the result does not depend on it.
  public init(
    models: [any PosteriorModel], anchors: Matrix, reference: [Double], samplesPerDraw: Int = 16, seed: UInt64,
    index: Int, threads: Int = 1
  ) {
    self.models = models
    self.anchors = anchors
    samples = max(1, samplesPerDraw)
    let draws = models.map(\.drawCount).max() ?? 1
    let normals = AnchorNormals(
      outcomes: models.count, anchors: anchors.rows, draws: draws, samples: samples, seed: seed, index: index)
    let count = samples
    plans = Parallel.map(draws, threads: threads) { draw in
      DrawPlan(
        models: models, anchors: anchors, reference: reference, draw: draw, normals: normals.draw(draw),
        samples: count)
    }
  }

  /// Natural logarithm of the acquisition value of each candidate (n x D); −infinity where it is 0 or not a number.
  ///
  /// - Throws: `AcquisitionError.native` when the native code could not compute them (it found no memory).
  public func logValues(_ candidates: Matrix, threads: Int = 1) throws -> [Double] {
    guard candidates.rows > 0 else { return [] }
    let perDraw = try Parallel.map(plans.count, threads: threads) { draw -> Result<[Double], AcquisitionError> in
      plans[draw].sums(posterior(candidates, draw: draw), candidates: candidates.rows)
    }.map { try $0.get() }
    let scale = 1 / Double(plans.count * samples)
    var values = [Double](repeating: 0, count: candidates.rows)
    for sums in perDraw { for row in values.indices { values[row] += sums[row] } }
    var logs = values.map { $0.isFinite && $0 > 0 ? Scalar.log($0 * scale) : -Double.infinity }
    let faint = logs.indices.filter { !(values[$0] > 1e-250) && !values[$0].isNaN }
    if !faint.isEmpty {
      for (row, value) in zip(faint, faintLogValues(candidates.selectingRows(faint))) { logs[row] = value }
    }
    return logs
  }

  /// Per outcome: means, variances and cross covariances with the anchors, one after the other.
  private func posterior(_ candidates: Matrix, draw: Int) -> [Double] {
    var packed: [Double] = []
    packed.reserveCapacity(models.count * candidates.rows * (2 + anchors.rows))
    for model in models {
      let part = model.posterior(at: candidates, anchors: anchors, draw: draw % model.drawCount)
      packed += part.mean
      packed += part.variance
      packed += part.crossCovariance.elements
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
        terms[row] += plan.logTerms(packed, row: row, candidates: candidates.rows, samples: used)
      }
    }
    let count = Scalar.log(Double(plans.count * used))
    return terms.map { values in
      let sum = LogSpace.sum(values)
      return sum.isNaN ? -.infinity : sum - count
    }
  }
}
