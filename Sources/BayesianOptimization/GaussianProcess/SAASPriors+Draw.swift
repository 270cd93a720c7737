import Foundation
import RandomStreams

extension SAASPriors {
  /// One draw of the hyperparameters from the prior, kept inside [1e-8, 1e8] for the positive ones.
  static func draw(_ stream: inout RandomStream, features: Int, prior: LengthscalePrior) -> HyperparameterDraw {
    func bounded(_ x: Double) -> Double { min(max(x, 1e-8), 1e8) }
    let s = -(log(stream.uniform()) + log(stream.uniform())) / outputScaleRate
    let mean = stream.normal()
    let noise = stream.gamma(shape: noiseShape) / noiseRate
    let tau = globalShrinkage * tan(0.5 * Double.pi * stream.uniform())
    let rho = (0..<features).map { _ in
      switch prior {
      case .sparseAxisAligned: return bounded(tau * tan(0.5 * Double.pi * stream.uniform()))
      case .logNormal:
        return bounded(
          exp(logNormalMean(features: features) + logNormalDeviation * stream.normal()))
      }
    }
    return HyperparameterDraw(
      outputScale: bounded(s), mean: mean, noise: max(noise, SAASLogJoint.noiseFloor),
      inverseSquaredLengthscales: rho)
  }
}
