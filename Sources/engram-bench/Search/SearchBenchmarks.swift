import BayesianOptimization
import CKernels
import Foundation
import LinearAlgebra
import RandomStreams

/// Measurements of the surrogate on simulated data, for `engram-bench search`.
///
/// The data: N points with D - 2 binary and 2 graded coordinates, values that depend on five of them, and noise.
enum SearchBenchmarks {
  /// One log-joint gradient.
  struct GradientTiming: Sendable, Hashable, Codable {
    let points: Int
    let features: Int
    /// Shortest and median time of one evaluation, microseconds.
    let minimumMicroseconds: Double
    let medianMicroseconds: Double
    /// (N^3 + 2 N^2 D) / minimum time: the inverse, the Gram matrix and W X; the Matern function is not counted.
    let gigaflops: Double
    /// Multiply-adds in registers on one core, measured beside it.
    let limitGigaflops: Double
  }

  /// The fit of several outcomes, one after the other, each with all threads.
  struct FitTiming: Sendable, Hashable, Codable {
    let points: Int
    let features: Int
    let outcomes: Int
    let schedule: String
    /// Seconds of wall clock for all outcomes from a cold start, and continued with one point more.
    let coldSeconds: Double
    let warmSeconds: Double
    /// Diagnostics of the first outcome.
    let cold: SurrogateDiagnostics
    let warm: SurrogateDiagnostics
    /// The smallest of the effective sample sizes over the outcomes.
    let minimumEffectiveSampleSize: Double
  }

  /// Simulated points (N x D) and the values of one outcome.
  static func data(points n: Int, features d: Int, outcome: Int = 0) -> (points: Matrix, values: [Double]) {
    var stream = RandomStream(seed: 20240, purpose: "bench/points")
    var points = Matrix(rows: n, columns: d)
    for i in 0..<n {
      for k in 0..<d {
        points[i, k] = k + 2 < d ? (stream.uniform() < 0.5 ? 0 : 1) : Double(stream.integer(below: 9)) / 8
      }
    }
    var noise = RandomStream(seed: 20240, purpose: "bench/values", index: UInt64(outcome))
    let active = (0..<5).map { (d - 1 + $0 * 7 + 3 * outcome) % max(d, 1) }
    let values = (0..<n).map { i in
      let a = active.map { points[i, $0] }
      return sin(3 * a[0]) + a[1] * a[2] - 0.7 * a[3] + 0.4 * (a[4] - 0.3) * (a[4] - 0.3) + 0.1 * noise.normal()
    }
    return (points, values)
  }

  /// Times the gradient at a typical point.
  static func gradient(
    points: Int, features: Int, repetitions: Int = 200, kernel: GradientKernel = .best
  ) -> GradientTiming? {
    let (x, y) = data(points: points, features: features)
    let transformed = OutcomeTransform(.standardize, fitting: y)(y)
    guard let density = SAASLogJoint(SurrogateData(points: x, values: transformed), version: kernel) else { return nil }
    let position = [0.3, 0.1, -3, -3] + (0..<features).map { -3 - 0.1 * Double($0 % 5) }
    let times = measure(repetitions) { _ = density(position) }
    let n = Double(points)
    let operations = n * n * n + 2 * n * n * Double(features)
    return GradientTiming(
      points: points, features: features, minimumMicroseconds: times[0] * 1e6,
      medianMicroseconds: times[times.count / 2] * 1e6, gigaflops: operations / times[0] * 1e-9,
      limitGigaflops: limit(kernel))
  }

  /// Multiply-adds in registers on one core, 10^9 operations a second.
  static func limit(_ kernel: GradientKernel = .best) -> Double {
    let rounds = 20_000
    let times = measure(60) { _ = engram_saas_multiply_add(rounds, Int32(kernel.rawValue)) }
    return 192 * Double(rounds) / times[0] * 1e-9
  }

  /// Times the fit of `outcomes` outcomes.
  static func fit(
    points: Int, features: Int, outcomes: Int = 2, schedule: SamplingSchedule = .standard, threads: Int = 2,
    seed: UInt64 = 1
  ) -> FitTiming {
    let settings = SurrogateSettings(schedule: schedule)
    let sets = (0..<outcomes).map { data(points: points + 1, features: features, outcome: $0) }
    let rows = Array(0..<points)
    var cold: [SurrogateFit] = []
    let coldSeconds = measure(1) {
      cold = sets.enumerated().map { index, set in
        SurrogateFitter.fit(
          points: set.points.selectingRows(rows), values: rows.map { set.values[$0] }, settings: settings, seed: seed,
          index: 0, label: "bench/\(index)", threads: threads)
      }
    }
    var warm: [SurrogateFit] = []
    let warmSeconds = measure(1) {
      warm = sets.enumerated().map { index, set in
        SurrogateFitter.fit(
          points: set.points, values: set.values, settings: settings, seed: seed, index: 1, label: "bench/\(index)",
          warmStart: cold[index].warmStart, threads: threads)
      }
    }
    return FitTiming(
      points: points, features: features, outcomes: outcomes, schedule: schedule.name, coldSeconds: coldSeconds[0],
      warmSeconds: warmSeconds[0], cold: cold[0].diagnostics, warm: warm[0].diagnostics,
      minimumEffectiveSampleSize: cold.reduce(.infinity) { min($0, $1.diagnostics.minimumEffectiveSampleSize) })
  }

  /// Seconds for the marginals of `candidates` points and their covariances to `anchors` points under every draw, the
  /// second time the same anchors are used.
  static func posterior(points: Int, features: Int, candidates: Int, anchors: Int) -> Double {
    let (x, y) = data(points: points, features: features)
    let settings = SurrogateSettings(schedule: .short)
    let short = SurrogateFitter.fit(points: x, values: y, settings: settings, seed: 1, index: 0)
    let draws = (0..<16).map { short.posterior.draws[$0 % short.posterior.drawCount] }
    guard let posterior = SAASPosterior(data: short.posterior.data, draws: draws) else { return .nan }
    let (at, _) = data(points: candidates, features: features, outcome: 1)
    let base = x.selectingRows(Array(0..<min(anchors, points)))
    let times = measure(5) {
      for draw in 0..<posterior.drawCount { _ = posterior.posterior(at: at, baseline: base, draw: draw) }
    }
    return times[0]
  }

  /// Sorted times of `repetitions` runs, seconds.
  private static func measure(_ repetitions: Int, _ body: () -> Void) -> [Double] {
    let clock = ContinuousClock()
    return (0..<max(repetitions, 1)).map { _ in
      let time = clock.measure(body).components
      return Double(time.seconds) + Double(time.attoseconds) * 1e-18
    }.sorted()
  }
}
