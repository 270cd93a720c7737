import BayesianOptimization
import LinearAlgebra
import TestSupport

/// The reference numbers of `goldens/bo` as Swift values.
enum Goldens {
  struct LogJoint: Decodable {
    struct Point: Decodable {
      let name: String
      let u: [Double]
      let log_joint: Double
      let grad: [Double]
    }
    let X: [[Double]]
    let y: [Double]
    let points: [Point]

    var data: SurrogateData { SurrogateData(points: Matrix(X), values: y) }
  }

  struct Posterior: Decodable {
    struct Sample: Decodable {
      let outputscale: Double
      let mean: Double
      let noise: Double
      let lengthscale: [Double]
    }
    let Xtest: [[Double]]
    let samples: [Sample]
    let per_sample_mean: [[Double]]
    let per_sample_var: [[Double]]
    let mixture_mean: [Double]
    let mixture_var: [Double]
    let mixture_var_with_obs_noise: [Double]
    let per_sample_cov: [[[Double]]]?
    let mixture_cov: [[Double]]?

    var draws: [HyperparameterDraw] {
      samples.map {
        HyperparameterDraw(
          outputScale: $0.outputscale, mean: $0.mean, noise: max($0.noise, 1e-4),
          inverseSquaredLengthscales: $0.lengthscale.map { 1 / ($0 * $0) })
      }
    }
  }

  struct Moments: Decodable {
    let mean: [Double]
    let sd: [Double]
    let mcse: [Double]
  }
  struct ReferencePosterior: Decodable {
    let u: Moments
    let log_inv_length_sq: Moments
  }

  static let sets = ["n12d5", "n40d14", "n100d34"]

  static func logJoint(_ set: String) throws -> LogJoint {
    try Fixtures.decode(LogJoint.self, from: "goldens/bo/saas_logjoint_\(set).json")
  }
  static func posterior(_ set: String) throws -> Posterior {
    try Fixtures.decode(Posterior.self, from: "goldens/bo/saas_posterior_\(set).json")
  }
  static func reference(_ set: String) throws -> ReferencePosterior {
    try Fixtures.decode(ReferencePosterior.self, from: "goldens/bo/saas_reference_posterior_\(set).json")
  }
}

/// The largest |a - b|.
func largestDifference(_ a: [Double], _ b: [Double]) -> Double {
  zip(a, b).reduce(a.count == b.count ? 0 : .infinity) { max($0, abs($1.0 - $1.1)) }
}
