import BayesianOptimization
import Foundation
import Study

/// Computes the request of a past proposal again, from what is committed.
///
/// A proposal is a pure function of its request; with the same sampler the answer must be the trial's configuration,
/// byte for byte (same binary and instruction set).
package struct ProposalReplay {
  /// The request as it was.
  package let request: ProposalRequest

  /// Rebuilds the request of the proposal that made trial `number`.
  ///
  /// - Throws: `unknownTrial`; `illegalTransition` if no sampler proposed the trial; what the store throws.
  package init(trial number: Int, in store: any StudyReader) throws {
    let record = try store.load()
    guard record.trials.indices.contains(number) else {
      throw StudyError(.unknownTrial, "there is no trial \(number); the study has \(record.trials.count) trials")
    }
    let provenance = record.trials[number].provenance
    guard let index = provenance.proposalIndex else {
      throw StudyError(
        .illegalTransition, "trial \(number) was not proposed by the sampler (source: \(provenance.source))")
    }
    let events = try store.events(after: 0, limit: provenance.eventNumber)
    var ended: [(trial: Int, state: TrialState)] = []
    for event in events {
      switch event.kind {
      case .trialCompleted(let trial, _, _, _): ended.append((trial, .completed))
      case .trialEnded(let trial, let state):
        ended.removeAll { $0.trial == trial }
        ended.append((trial, state))
      case .trialRequeued(let trial): ended.removeAll { $0.trial == trial }
      default: break
      }
    }
    func trial(_ number: Int) throws -> Trial {
      guard record.trials.indices.contains(number) else {
        throw StudyError(
          .corrupt,
          "the history names trial \(number), but there are only \(record.trials.count). Look at it with: engram doctor"
        )
      }
      return record.trials[number]
    }
    let observations = try ended.compactMap { entry -> Observation? in
      var trial = try trial(entry.trial)
      trial.state = entry.state
      if entry.state != .completed { trial.result = nil }
      return entry.state == .abandoned ? nil : StudyState.observation(of: trial)
    }
    let warmStart = try provenance.warmStartFrom.flatMap { try store.warmStart(trial: $0) }
    request = ProposalRequest(
      seed: record.definition.seed, index: index, observations: observations,
      pending: try provenance.pending.map { try trial($0).configuration }, warmStart: warmStart)
  }
}
