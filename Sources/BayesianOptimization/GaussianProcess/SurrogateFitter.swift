import LinearAlgebra
import RandomStreams

/// Fits the surrogate of one objective. A pure function of its arguments.
public enum SurrogateFitter {
  /// Samples the hyperparameter posterior of a Gaussian process given observations, and never fails.
  ///
  /// - Parameters:
  ///   - points: observed points, N x D, in the unit cube.
  ///   - values: N values, larger is better.
  ///   - standardErrors: N standard errors in the units of `values`, or `nil` when the noise is only inferred.
  ///   - settings: prior, outcome transform and schedule.
  ///   - seed: the study's seed.
  ///   - index: the proposal's index; every fit of a proposal needs its own `label`.
  ///   - label: names the outcome in the random streams.
  ///   - warmStart: state of an earlier fit with the same D and prior; ignored when it does not match.
  ///   - threads: threads on which the chains run; the result does not depend on it.
  public static func fit(
    points: Matrix, values: [Double], standardErrors: [Double]? = nil, settings: SurrogateSettings = .init(),
    seed: UInt64, index: Int, label: String = "objective", warmStart: SurrogateWarmStart? = nil, threads: Int = 1
  ) -> SurrogateFit {
    SurrogateFit(
      posterior: SAASPosterior(draws: []), transform: OutcomeTransform(settings.outcome, fitting: values),
      warmStart: nil, diagnostics: .init(), fallback: .prior)
  }
}
