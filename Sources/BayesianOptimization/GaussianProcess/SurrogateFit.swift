/// What the sampler asks of a surrogate, besides the data.
public struct SurrogateSettings: Sendable, Hashable, Codable {
  /// Prior of the lengthscales.
  public var lengthscalePrior: LengthscalePrior
  /// Transform of the outcomes before the Gaussian process sees them.
  public var outcome: OutcomeTransform.Kind
  /// How the hyperparameter posterior is sampled.
  public var schedule: SamplingSchedule

  /// Settings; by default those that a study has.
  public init(
    lengthscalePrior: LengthscalePrior = .sparseAxisAligned, outcome: OutcomeTransform.Kind = .standardize,
    schedule: SamplingSchedule = .standard
  ) {
    self.lengthscalePrior = lengthscalePrior
    self.outcome = outcome
    self.schedule = schedule
  }
}

/// The prior of the D inverse squared lengthscales rho_d.
public enum LengthscalePrior: String, Sendable, Hashable, Codable {
  /// SAAS: rho_d = tau lam_d, tau ~ HalfCauchy(0.1), lam_d ~ HalfCauchy(1) (Eriksson and Jankowiak, UAI 2021).
  case sparseAxisAligned = "saas"
  /// log l_d ~ Normal(sqrt 2 + log(D)/2, sqrt 3), scaled with the dimension (Hvarfner, Hellsten, Nardi, ICML 2024).
  case logNormal
}

/// How far down the ladder a fit had to go; recorded with the proposal.
package enum SurrogateFallback: String, Sendable, Hashable, Codable {
  /// The draws of the schedule's sampler.
  case none
  /// A draw's covariance needed more jitter than the first rung.
  case jitter
  /// The schedule's sampler failed its diagnostics (see `SurrogateDiagnostics.complaint`): draws of the No-U-Turn sampler
  /// instead.
  case noUTurn = "nuts"
  /// Near-duplicate points were merged before sampling succeeded.
  case mergedDuplicates
  /// The sampler failed or stood still: one draw at the posterior mode.
  case maximumAPosteriori
  /// No usable data: draws from the prior.
  case prior
}

/// How well the hyperparameter posterior was sampled.
package struct SurrogateDiagnostics: Sendable, Hashable, Codable {
  /// Recorded iterations whose trajectory diverged, over all chains.
  package var divergences = 0
  /// Log-joint gradients evaluated during warm-up, over all chains.
  package var warmupGradients = 0
  /// Log-joint gradients evaluated for recorded draws, over all chains.
  package var samplingGradients = 0
  /// The largest split R-hat over the parameters; 1 is ideal.
  package var maximumRHat = 1.0
  /// The smallest bulk effective sample size over the parameters, of all recorded draws.
  package var minimumEffectiveSampleSize = 0.0
  /// The median bulk effective sample size over the parameters.
  package var medianEffectiveSampleSize = 0.0
  /// Mean acceptance probability of the recorded iterations.
  package var meanAcceptance = 0.0
  /// Mean step size over the chains.
  package var stepSize = 0.0
  /// Largest jitter added to a kept draw's covariance, relative to its mean diagonal.
  package var jitter = 0.0
  /// Observations that were left out because a value or coordinate was not finite.
  package var droppedPoints = 0
  /// Whether the chains continued from a warm start.
  package var warmStarted = false
  /// Chains that were moved out of a mode without mass during the warm-up.
  package var relocatedChains = 0
  /// Recorded draws over all chains.
  package var draws = 0
  /// Chains that did not move while they recorded.
  package var stuckChains = 0

  package init() {}

  /// What is wrong with the draws, nil when they may be used.
  ///
  /// Fewer than 32 draws tell nothing. Few draws have large R-hats by chance and two modes have large ones by right, so
  /// that R-hat only counts from 64 draws on and where every chain stayed in a place of its own.
  package var complaint: String? {
    guard draws >= 32 else { return nil }
    if stuckChains > 0 { return "\(stuckChains) chains stood still" }
    if 10 * divergences > draws { return "\(divergences) of \(draws) transitions diverged" }
    if meanAcceptance < 0.3 { return "mean acceptance \(percent(meanAcceptance))" }
    if draws >= 64 && maximumRHat > 2.5 { return "R-hat \((maximumRHat * 100).rounded() / 100)" }
    return nil
  }

  private func percent(_ share: Double) -> String { "\(Int((share * 100).rounded())) %" }
}

/// A fitted surrogate of one objective.
package struct SurrogateFit: Sendable {
  /// The latent posterior, in transformed units.
  package let posterior: SAASPosterior
  /// The fitted transform between the objective's units and the model's.
  package let transform: OutcomeTransform
  /// State from which the fit of the next proposal continues; `nil` after a fallback.
  package let warmStart: SurrogateWarmStart?
  package let diagnostics: SurrogateDiagnostics
  package let fallback: SurrogateFallback
  /// What was wrong with the draws of the schedule's sampler, nil when nothing was.
  package var complaint: String?
  /// Posterior of every factor's inverse squared lengthscale, from all recorded draws.
  package let importances: [FactorImportance]
}
