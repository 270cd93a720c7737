import BayesianOptimization

/// A new study that begins with what another one has measured, where that is valid in its own space.
///
/// Pure: reads a record, gives the one transition with which the new study begins. Completed trials come with their
/// results, diverged and infeasible ones as what they are (the sampler learns from them, too); trials that are open,
/// failed for a reason that has nothing to do with them, or were taken out stay behind. A carried trial keeps its
/// configuration, seed, result and standard errors, and says where it came from (``Provenance/origin``).
package struct StudyFork: Sendable {
  /// A trial that was taken over.
  package struct Carried: Hashable, Sendable, Codable {
    /// Its number in the source.
    package var source: Int
    /// Its number in the new study.
    package var trial: Int
  }

  /// A trial that was not.
  package struct LeftOut: Hashable, Sendable, Codable {
    /// Its number in the source.
    package var source: Int
    package var configuration: Configuration
    package var reason: String
  }

  /// The first step of the new study.
  package let transition: Transition
  package let carried: [Carried]
  package let leftOut: [LeftOut]
  /// The new study after that step.
  package let state: StudyState

  /// - Parameters:
  ///   - source: the study to begin from.
  ///   - definition: the new study; its ``StudyDefinition/forkedFrom`` should name the source.
  ///   - budget: search trials to finish; carried ones count.
  ///   - initial: size of the initial design: carried observations take its first places.
  ///   - policy: reference point and hypervolume of the new study.
  ///   - base: its un-injected base with the key, where it has one.
  ///   - key: canonical key in the new space; throws what is wrong where a configuration is not valid there.
  ///   - time: seconds since 1970, for the record.
  package init(
    of source: StudyRecord, as definition: StudyDefinition, budget: Int, initial: Int, policy: StudyPolicy,
    base: (configuration: Configuration, key: String)?, key: (Configuration) throws -> String, time: Double
  ) throws {
    var policy = policy
    // What is carried over must not end the new study.
    policy.convergenceEpsilon = 0
    var builder = Builder(
      state: StudyState(
        record: StudyRecord(definition: definition, header: StudyHeader(budget: budget)), policy: policy),
      source: source.definition, time: time)
    builder.take(builder.state.create(base: base, time: time))
    if let known = source.trials.first(where: { !$0.isInSearch }), base != nil {
      try builder.carryAnchor(known)
    }
    let order = source.trials.sorted { ($0.endedEvent ?? .max, $0.number) < ($1.endedEvent ?? .max, $1.number) }
    for trial in order where trial.isInSearch { try builder.carry(trial, key: key) }
    let finished = builder.carried.count { builder.state.trials[$0.trial].isInSearch }
    transition = Transition(
      events: builder.events, header: builder.state.skippingInitialPoints(min(initial, finished)),
      trials: Array(builder.state.trials))
    state = builder.state
    carried = builder.carried
    leftOut = builder.leftOut.sorted { $0.source < $1.source }
  }

  private struct Builder {
    var state: StudyState
    let source: StudyDefinition
    let time: Double
    var events: [StudyEvent] = []
    var carried: [Carried] = []
    var leftOut: [LeftOut] = []

    mutating func take(_ step: Transition) {
      events += step.events
      state.apply(step)
    }

    mutating func leave(_ trial: Trial, _ reason: String) {
      leftOut.append(LeftOut(source: trial.number, configuration: trial.configuration, reason: reason))
    }

    func provenance(_ trial: Trial) -> Provenance {
      Provenance(
        source: "forked", eventNumber: state.header.lastEvent,
        origin: TrialOrigin(
          study: source.name, identifier: source.identifier, trial: trial.number, source: trial.provenance.source))
    }

    /// The result in terms of the new objectives; a name that is missing as error text.
    func translate(_ result: TrialResult) -> Result<TrialResult, Missing> {
      let names = state.definition.objectives.map(\.name)
      if Set(names) == Set(result.objectives.keys) { return .success(result) }
      let measured = (result.metrics ?? [:]).merging(result.objectives) { $1 }
      if let name = names.first(where: { measured[$0] == nil }) { return .failure(Missing(name: name)) }
      let wanted = Set(names)
      var translated = result
      translated.objectives = measured.filter { wanted.contains($0.key) }
      let others = measured.filter { !wanted.contains($0.key) }
      translated.metrics = others.isEmpty ? nil : others
      translated.standardErrors = result.standardErrors?.filter { wanted.contains($0.key) }
      return .success(translated)
    }

    mutating func carryAnchor(_ trial: Trial) throws {
      guard trial.state == .completed, let result = trial.result else {
        return leave(trial, "the base is \(trial.state.rawValue) there; it is measured again")
      }
      switch translate(result) {
      case .failure(let missing): leave(trial, "\(missing); the base is measured again")
      case .success(let result):
        take(try state.fulfil(trial: 0, from: trial, result: result, provenance: provenance(trial), time: time))
        carried.append(Carried(source: trial.number, trial: 0))
      }
    }

    mutating func carry(_ trial: Trial, key: (Configuration) throws -> String) throws {
      var result: TrialResult?
      switch trial.state {
      case .completed:
        switch trial.result.map(translate) {
        case .success(let translated)?: result = translated
        case .failure(let missing)?: return leave(trial, "\(missing)")
        case nil: return leave(trial, "it has no result")
        }
      case .diverged, .infeasible: break
      case .queued, .running: return leave(trial, "it is \(trial.state.rawValue) there")
      case .failed: return leave(trial, "it failed there; it may be proposed again")
      case .abandoned: return leave(trial, "it was abandoned there")
      }
      let own: String
      do {
        own = try key(trial.configuration)
      } catch {
        return leave(trial, "\(error)")
      }
      do throws(StudyError) {
        let number = state.trials.count
        take(try state.carryOver(trial, result: result, key: own, provenance: provenance(trial), time: time))
        carried.append(Carried(source: trial.number, trial: number))
      } catch {
        leave(trial, error.message)
      }
    }
  }

  private struct Missing: Error, CustomStringConvertible {
    var name: String
    var description: String { "`\(name)` was not measured there" }
  }
}
