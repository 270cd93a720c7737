import Foundation
import RandomStreams

extension SAASPriors {
  /// One draw of the hyperparameters from the prior, kept inside [1e-8, 1e8] for the positive ones.
  static func draw(_ stream: inout RandomStream, features: Int, prior: LengthscalePrior) -> HyperparameterDraw {
    func bounded(_ x: Double) -> Double { min(max(x, 1e-8), 1e8) }
    let s = -(log(stream.uniform()) + log(stream.uniform())) / 0.15
    let mean = stream.normal()
    let noise = gamma(0.9, &stream) / 10
    let tau = 0.1 * tan(0.5 * Double.pi * stream.uniform())
    let rho = (0..<features).map { _ in
      switch prior {
      case .sparseAxisAligned: return bounded(tau * tan(0.5 * Double.pi * stream.uniform()))
      case .logNormal:
        return bounded(
          exp(-2 * (2.0.squareRoot() + 0.5 * log(Double(features))) + logNormalDeviation * stream.normal()))
      }
    }
    return HyperparameterDraw(
      outputScale: bounded(s), mean: mean, noise: max(noise, SAASLogJoint.noiseFloor),
      inverseSquaredLengthscales: rho)
  }

  /// Gamma(shape, 1) for shape < 1.
  ///
  /// G. Marsaglia, W. W. Tsang, "A Simple Method for Generating Gamma Variables", 2000.
  private static func gamma(_ shape: Double, _ stream: inout RandomStream) -> Double {
    let d = shape + 1 - 1.0 / 3
    let c = 1 / (9 * d).squareRoot()
    while true {
      let x = stream.normal()
      let v = pow(1 + c * x, 3)
      guard v > 0, log(stream.uniform()) < 0.5 * x * x + d - d * v + d * log(v) else { continue }
      return d * v * pow(stream.uniform(), 1 / shape)
    }
  }
}
