import LinearAlgebra

extension Suggestion {
  /// What the surrogate of one objective has learnt, and how far it can be trusted.
  public struct Explanation: Sendable, Hashable, Codable {
    /// Name of the objective.
    public var objective: String
    /// Every factor, the most important first.
    public var factors: [Factor]
    /// How far the model can be trusted.
    public var check: Check

    /// Inverse squared lengthscale rho_d of one encoded factor: median and central 90 % interval over the draws.
    public struct Factor: Sendable, Hashable, Codable {
      /// Name of the factor.
      public var name: String
      /// Median of rho_d over the draws.
      public var median: Double
      /// 5 % quantile.
      public var lower: Double
      /// 95 % quantile.
      public var upper: Double
    }

    /// Leave-one-out check over the N observations the model was fitted to (noise included; Rasmussen and Williams
    /// 2006, equation 5.12, the hyperparameters being those that saw all data).
    public struct Check: Sendable, Hashable, Codable {
      /// N.
      public var observations: Int
      /// Share of the observations' variance that the predictions explain; 0 is as good as the mean, below is worse.
      public var explained: Double
      /// Standard deviation of (observed − mean) / predictive deviation; 1 is ideal, above the model is too sure.
      public var residualDeviation: Double
      /// Share of observations within the central 90 % of their prediction; 0.9 is ideal.
      public var coverage90: Double
      /// What the sampler had to fall back to, `none` when nothing.
      public var fallback: String
      /// The worst R-hat over the hyperparameters; 1 is ideal.
      public var maximumRHat: Double
      /// The smallest effective sample size over the hyperparameters.
      public var minimumEffectiveSampleSize: Double
    }
  }

  /// Importance of every factor and a leave-one-out check, one entry per objective.
  ///
  /// `observations` needs two finished ones at least; with fewer the result is empty.
  public func explanation(observations: [Observation], seed: UInt64 = 0) -> [Explanation] {
    let data = TrainingData(
      space: space, objectives: objectives, observations: observations, useStandardErrors: settings.useStandardErrors)
    guard data.count >= 2 else { return [] }
    let request = ProposalRequest(seed: seed, index: observations.count, observations: observations)
    let surrogates = Surrogates(
      space: space, objectives: objectives, data: data, settings: settings, request: request)
    let names = space.columnNames
    return zip(objectives, surrogates.fits).map { objective, fit in
      let factors = fit.importances
        .map { Explanation.Factor(name: names[$0.feature], median: $0.median, lower: $0.lower, upper: $0.upper) }
        .enumerated()
        .sorted { ($0.element.median, $1.offset) > ($1.element.median, $0.offset) }
        .map(\.element)
      return Explanation(objective: objective.name, factors: factors, check: Self.check(fit))
    }
  }

  private static func check(_ fit: SurrogateFit) -> Explanation.Check {
    let predictions = fit.posterior.leaveOneOut()
    let count = Double(max(1, predictions.count))
    let residuals = predictions.map(\.standardizedResidual)
    let errors = predictions.map { $0.standardizedResidual * $0.variance.squareRoot() }
    let observed = zip(predictions, errors).map { $0.mean + $1 }
    let mean = observed.reduce(0, +) / count
    let variance = observed.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    let unexplained = errors.reduce(0) { $0 + $1 * $1 }
    let squares = residuals.reduce(0) { $0 + $1 * $1 }
    return Explanation.Check(
      observations: predictions.count, explained: variance > 0 ? 1 - unexplained / variance : 0,
      residualDeviation: (squares / count).squareRoot(),
      coverage90: Double(residuals.count { abs($0) <= 1.6448536269514722 }) / count,
      fallback: fit.fallback.rawValue, maximumRHat: fit.diagnostics.maximumRHat,
      minimumEffectiveSampleSize: fit.diagnostics.minimumEffectiveSampleSize)
  }
}
