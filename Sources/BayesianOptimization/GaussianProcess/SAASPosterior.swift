// Posterior of the latent function for every hyperparameter draw (Rasmussen and Williams 2006, section 2.2).
//
// | symbol | meaning                                                    |
// |--------|------------------------------------------------------------|
// | K      | s k(X, X) + max(nu, 1e-4) I (+ known variances), N x N      |
// | L      | Cholesky factor of K                                       |
// | alpha  | K^-1 (y - m), N                                            |
// | B      | L^-1 s k(X, X*), N x M: the whitened cross covariance      |
// mean = m + k*' alpha, covariance = s k(X*, X*) - B' B.
import CKernels
import LinearAlgebra
import Synchronization

/// One draw of the hyperparameters.
package struct HyperparameterDraw: Sendable, Hashable, Codable {
  /// Variance of the latent function, s.
  package var outputScale: Double
  /// Constant mean, m.
  package var mean: Double
  /// Variance of the observation noise as predictions use it: max(nu, 1e-4).
  package var noise: Double
  /// Inverse squared lengthscales rho_d, D.
  package var inverseSquaredLengthscales: [Double]

  package init(outputScale: Double, mean: Double, noise: Double, inverseSquaredLengthscales: [Double]) {
    self.outputScale = outputScale
    self.mean = mean
    self.noise = noise
    self.inverseSquaredLengthscales = inverseSquaredLengthscales
  }
}

/// The latent posterior of a Gaussian process with Matern-5/2 kernel: one component per hyperparameter draw.
///
/// Factorisations are made once; predictions cost one triangular solve per block of candidates. The whitened cross
/// covariances of the most recent baseline are remembered, so that repeated calls with the same baseline do not pay for
/// them again.
package struct SAASPosterior: PosteriorModel {
  /// The draws of the mixture.
  package let draws: [HyperparameterDraw]
  /// The observed data, in transformed units.
  package let data: SurrogateData
  /// Number of hyperparameter draws in the mixture.
  package var drawCount: Int { draws.count }
  /// Largest jitter that a factorisation needed, relative to the mean diagonal; 0 for none.
  package let jitter: Double
  let components: [Component]
  private let cache: BaselineCache

  /// Prepares predictions; draws whose covariance cannot be factorised even with jitter are left out.
  ///
  /// `nil` when no draw remains.
  package init?(data: SurrogateData, draws: [HyperparameterDraw]) {
    let center = (0..<data.points.columns).map { d in
      data.points.rows == 0
        ? 0 : (0..<data.points.rows).reduce(0) { $0 + data.points[$1, d] } / Double(data.points.rows)
    }
    var kept: [HyperparameterDraw] = []
    var components: [Component] = []
    for draw in draws {
      guard let component = Component(data: data, draw: draw, center: center) else { continue }
      kept.append(draw)
      components.append(component)
    }
    guard !kept.isEmpty else { return nil }
    self.data = data
    self.draws = kept
    self.components = components
    jitter = components.reduce(0) { max($0, $1.relativeJitter) }
    cache = BaselineCache(count: components.count)
  }

  /// The prior: no data, at least one draw with positive, finite parameters.
  init(priorDraws draws: [HyperparameterDraw], features: Int) {
    let data = SurrogateData(points: Matrix(rows: 0, columns: features), values: [])
    let center = [Double](repeating: 0, count: features)
    self.data = data
    self.draws = draws
    components = draws.compactMap { Component(data: data, draw: $0, center: center) }
    precondition(!draws.isEmpty && components.count == draws.count, "invalid prior draws")
    jitter = 0
    cache = BaselineCache(count: draws.count)
  }

  /// Joint posterior of the latent function at `points` (m x D) under hyperparameter draw `draw`.
  package func posterior(at points: Matrix, draw: Int) -> JointPosterior {
    let component = components[draw]
    let scaled = component.scaled(points)
    var (mean, whitened) = component.whiten(scaled)
    var covariance = component.covariance(scaled, scaled)
    let product = Matrix.product(whitened, whitened, transposingLeft: true)
    for i in 0..<points.rows {
      for j in 0...i {
        let value = i == j ? component.draw.outputScale - product[i, i] : covariance[i, j] - product[i, j]
        covariance[i, j] = value
        covariance[j, i] = value
      }
    }
    mean.removeLast(mean.count - points.rows)
    return JointPosterior(mean: mean, covariance: covariance)
  }

  /// Marginal posterior at each of `candidates` (m x D) and its covariance with `baseline` (b x D), under draw `draw`.
  package func posterior(at candidates: Matrix, baseline: Matrix, draw: Int) -> CandidatePosterior {
    let component = components[draw]
    let known = cache.entry(baseline, draw: draw) {
      let scaled = component.scaled(baseline)
      return BaselineCache.Entry(points: baseline, scaled: scaled, whitened: component.whiten(scaled).whitened)
    }
    let scaled = component.scaled(candidates)
    var (mean, whitened) = component.whiten(scaled)
    mean.removeLast(mean.count - candidates.rows)
    let variance = component.variances(whitened)
    var cross = component.covariance(scaled, known.scaled)
    let product = Matrix.product(whitened, known.whitened, transposingLeft: true)
    for i in cross.elements.indices { cross.elements[i] -= product.elements[i] }
    return CandidatePosterior(mean: mean, variance: variance, crossCovariance: cross)
  }

  /// Marginal posterior at each of `candidates` (m x D) under draw `draw`.
  package func marginals(at candidates: Matrix, draw: Int) -> (mean: [Double], variance: [Double]) {
    let component = components[draw]
    var (mean, whitened) = component.whiten(component.scaled(candidates))
    mean.removeLast(mean.count - candidates.rows)
    return (mean, component.variances(whitened))
  }
}

/// The last baseline of every draw, behind a lock.
///
/// Results do not depend on what it holds.
private final class BaselineCache: Sendable {
  struct Entry: Sendable {
    let points: Matrix
    let scaled: ScaledPoints
    let whitened: Matrix
  }
  private let entries: Mutex<[Entry?]>

  init(count: Int) { entries = Mutex([Entry?](repeating: nil, count: count)) }

  func entry(_ points: Matrix, draw: Int, make: () -> Entry) -> Entry {
    if let entry = entries.withLock({ $0[draw] }), entry.points == points { return entry }
    let entry = make()
    entries.withLock { $0[draw] = entry }
    return entry
  }
}
