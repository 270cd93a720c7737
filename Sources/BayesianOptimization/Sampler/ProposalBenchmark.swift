// Wall-clock times of a proposal and of its parts on given observations, for `engram-bench proposal`.

import Foundation
import LinearAlgebra
import RandomStreams

/// Measures what `ModelSampler` does for one proposal: fit, acquisition values, and the whole, cold and warm.
package enum ProposalBenchmark {
  /// One repetition, seconds of wall clock.
  ///
  /// Every repetition has its own seed.
  package struct Repetition: Sendable, Hashable, Codable {
    /// Both surrogates from a cold start, as a proposal fits them (side by side).
    package var fitSeconds = 0.0
    /// Processor seconds of that fit, all threads: the steadier number on a busy machine.
    package var fitProcessorSeconds = 0.0
    /// Smallest bulk effective sample size over all parameters and outcomes, and all recorded draws.
    package var minimumEffectiveSampleSize = 0.0
    /// Largest split R-hat over all parameters and outcomes.
    package var maximumRHat = 0.0
    /// Log-joint gradients over all chains and outcomes.
    package var gradients = 0
    /// Pruning of the baseline and joint samples at the anchors.
    package var buildSeconds = 0.0
    /// Baseline points that are left, b.
    package var anchors = 0
    /// Acquisition values of all given candidates.
    package var candidatesSeconds = 0.0
    /// A whole proposal without and with the state of the proposal before it (one observation fewer).
    package var coldProposalSeconds = 0.0
    package var warmProposalSeconds = 0.0
    /// Acquisition values during the cold proposal.
    package var evaluations = 0

    package init() {}
  }

  /// Runs `repetitions` proposals for N observations; `candidates` outside the space are left out.
  package static func run(
    space: SearchSpace, objectives: [Objective], settings: SamplerSettings, observations: [Observation],
    candidates: [Configuration], repetitions: Int, seed: UInt64 = 1
  ) -> [Repetition] {
    let data = TrainingData(
      space: space, objectives: objectives, observations: observations, useStandardErrors: settings.useStandardErrors)
    let levels = candidates.compactMap { (try? space.levels(of: $0)).map { space.canonical($0) } }
    let sampler = ModelSampler(space: space, objectives: objectives, settings: settings)
    return (0..<max(1, repetitions)).map { repetition in
      var result = Repetition()
      var request = ProposalRequest(
        seed: seed &+ UInt64(repetition), index: observations.count, observations: observations)
      var surrogates: Surrogates?
      let before = clock()
      result.fitSeconds = seconds {
        surrogates = Surrogates(
          space: space, objectives: objectives, data: data, settings: settings, request: request)
      }
      result.fitProcessorSeconds = Double(clock() - before) / Double(CLOCKS_PER_SEC)
      guard let surrogates else { return result }
      let reports = surrogates.fits.map(\.diagnostics)
      result.minimumEffectiveSampleSize = reports.map(\.minimumEffectiveSampleSize).min() ?? 0
      result.maximumRHat = reports.map(\.maximumRHat).max() ?? 0
      result.gradients = reports.reduce(0) { $0 + $1.warmupGradients + $1.samplingGradients }
      var acquisition: AcquisitionProblem?
      result.buildSeconds = seconds {
        acquisition = AcquisitionProblem(
          space: space, objectives: objectives, data: data, surrogates: surrogates, settings: settings,
          request: request)
      }
      result.anchors = acquisition?.baselineCount ?? 0
      // A failure is not hidden by this: the proposal that follows falls back and has no evaluations.
      result.candidatesSeconds = seconds { _ = try? acquisition?.scores(levels, threads: settings.threads) }
      let earlier = proposal(sampler, request, observations: Array(observations.dropLast()))
      result.coldProposalSeconds = seconds {
        result.evaluations = Int(
          proposal(sampler, request, observations: observations)?.diagnostics["acquisition.evaluations"] ?? 0)
      }
      request.warmStart = earlier?.warmStart
      result.warmProposalSeconds = seconds { _ = proposal(sampler, request, observations: observations) }
      return result
    }
  }

  private static func proposal(
    _ sampler: ModelSampler, _ request: ProposalRequest, observations: [Observation]
  ) -> Proposal? {
    var request = request
    request.observations = observations
    request.index = observations.count
    guard case .proposal(let proposal) = sampler.propose(request, phase: .model) else { return nil }
    return proposal
  }

  private static func seconds(_ body: () -> Void) -> Double {
    let time = ContinuousClock().measure(body).components
    return Double(time.seconds) + Double(time.attoseconds) * 1e-18
  }
}
