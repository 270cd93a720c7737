import BayesianOptimization
import Foundation

/// Steps of the study as a whole: creation, opening, budget, pause, proposals.
extension StudyState {
  /// The first step of a new study; `base` is the un-injected base with its key, where the space has one.
  package func create(base: (configuration: Configuration, key: String)?, time: Double) -> Transition {
    var draft = TransitionDraft(self, time: time)
    draft.emit(.studyCreated(identifier: definition.identifier))
    if let base {
      let provenance = Provenance(source: TrialKind.base.rawValue, eventNumber: 0)
      draft.add(.base, configuration: base.configuration, key: base.key, provenance: provenance)
    }
    return draft.finish()
  }

  /// A coordinator opens the study: counts the epoch, takes over the budget, goes on where that is possible.
  ///
  /// - Parameter writer: names the coordinator's process; nobody else may write from here on (``StudyStore``).
  package func open(budget: Int, writer: String? = nil, time: Double) -> Transition {
    var draft = TransitionDraft(self, time: time)
    draft.header.epoch += 1
    draft.header.writer = writer
    draft.emit(.coordinatorStarted(epoch: draft.header.epoch))
    if budget != header.budget {
      draft.header.budget = budget
      draft.emit(.budgetChanged(from: header.budget, to: budget))
    }
    // The time limit is one of a run: a new run has its own.
    let hasMoreBudget = header.stopReason == .budget && (finishedCount < budget || !isIdle)
    if hasMoreBudget || header.stopReason == .time {
      draft.header.stopReason = nil
      draft.emit(.studyContinued)
    }
    draft.checkForStop()
    return draft.finish()
  }

  /// Adds a trial to the queue: a proposal of the sampler (`kind` search) or one of the user's (attached).
  ///
  /// - Throws: `duplicateKey` if the configuration is a trial already.
  package func enqueue(
    _ kind: TrialKind, configuration: Configuration, key: String, provenance: Provenance, warmStart: Data? = nil,
    time: Double
  ) throws(StudyError) -> Transition {
    if let known = trial(key: key) {
      throw StudyError(
        .duplicateKey,
        "\(configuration) is trial \(known.number) of study \(definition.name) already (\(known.state.rawValue)); "
          + "a configuration is evaluated once")
    }
    var draft = TransitionDraft(self, time: time)
    let number = draft.add(kind, configuration: configuration, key: key, provenance: provenance)
    if let warmStart { draft.warmStarts[number] = warmStart }
    if kind == .search { draft.header.nextProposal += 1 }
    return draft.finish()
  }

  /// Adds a trial whose result is known, for example from an earlier study.
  ///
  /// - Throws: `duplicateKey`, or `invalidResult` if an objective is missing or not finite.
  package func attach(
    configuration: Configuration, key: String, result: TrialResult, time: Double
  ) throws(StudyError) -> Transition {
    if let known = trial(key: key) {
      throw StudyError(.duplicateKey, "\(configuration) is trial \(known.number) of study \(definition.name) already")
    }
    guard result.maximized(definition.objectives) != nil, result.nonFiniteNames.isEmpty else {
      throw StudyError(
        .invalidResult,
        "the result of \(configuration) needs finite values for \(definition.objectives.map(\.name).joined(separator: ", "))"
      )
    }
    if let fault = result.extremeObjective ?? result.negativeStandardError {
      throw StudyError(.invalidResult, "the result of \(configuration): \(fault)")
    }
    var draft = TransitionDraft(self, time: time)
    let provenance = Provenance(source: "attached", eventNumber: header.lastEvent)
    let number = draft.add(.attached, configuration: configuration, key: key, provenance: provenance)
    if var trial = draft.trials[number] { draft.complete(&trial, result: result, token: nil) }
    return draft.finish()
  }

  /// No new attempts until ``resume(time:)``; running ones go on.
  ///
  /// Empty if already paused.
  package func pause(time: Double) -> Transition {
    var draft = TransitionDraft(self, time: time)
    if !header.isPaused {
      draft.header.isPaused = true
      draft.emit(.studyPaused)
    }
    return draft.finish()
  }

  /// Ends a pause.
  ///
  /// Empty if not paused.
  package func resume(time: Double) -> Transition {
    var draft = TransitionDraft(self, time: time)
    if header.isPaused {
      draft.header.isPaused = false
      draft.emit(.studyResumed)
    }
    return draft.finish()
  }

  /// Ends the study for a reason that the coordinator sees: time, exhausted space.
  ///
  /// Empty if it has ended.
  package func stop(_ reason: StopReason, time: Double) -> Transition {
    var draft = TransitionDraft(self, time: time)
    if header.stopReason == nil { draft.stop(reason) }
    return draft.finish()
  }

  /// Lets an ended study go on, for example after it had stopped because everything failed.
  package func proceed(time: Double) -> Transition {
    var draft = TransitionDraft(self, time: time)
    if header.stopReason != nil {
      draft.header.stopReason = nil
      draft.emit(.studyContinued)
      draft.checkForStop()
    }
    return draft.finish()
  }

  /// Lets a quarantined worker take trials again.
  ///
  /// Empty if it is not quarantined.
  package func reinstate(worker: String, time: Double) -> Transition {
    var draft = TransitionDraft(self, time: time)
    if draft.header.quarantined.remove(worker) != nil { draft.emit(.workerReinstated(worker: worker)) }
    return draft.finish()
  }
}

extension TransitionDraft {
  /// Adds a queued trial and returns its number.
  @discardableResult
  mutating func add(
    _ kind: TrialKind, configuration: Configuration, key: String, provenance: Provenance
  ) -> Int {
    let number = state.trials.count
    let trial = Trial(
      number: number, kind: kind, configuration: configuration, configurationKey: key, seed: state.seed(trial: number),
      provenance: provenance)
    trials[number] = trial
    emit(.trialQueued(trial: number, kind: kind, key: key))
    return number
  }
}
