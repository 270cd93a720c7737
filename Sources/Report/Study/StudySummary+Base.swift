import BayesianOptimization
import Study

extension StudySummary {
  /// What must be said about the result, a sentence each: nothing better than the base, a reference point nobody reaches.
  package var warnings: [String] { [baseNote ?? dominanceNote, referenceNote].compactMap { $0 } }

  /// That no trial is better than the base, with the values and their standard errors; nil when one is.
  package var baseNote: String? {
    guard let base, base.state == .completed, let measured = base.result, !completed.isEmpty else {
      return nil
    }
    var parts: [String] = []
    var isWithinNoise = false
    for objective in objectives {
      guard let value = measured.objectives[objective.name], value.isFinite,
        let best = best(completed, in: objective), let found = best.result?.objectives[objective.name]
      else { continue }
      let gain = (found - value) * objective.direction.sign
      if gain > 0 {
        guard let errors = combined(base, best, objective.name), gain <= errors else { return nil }
        isWithinNoise = true
      }
      parts.append(
        Self.text(value, error: error(base, objective.name), name: objective.name)
          + " against at best \(Self.value(found, error: error(best, objective.name), name: objective.name))"
          + " (trial \(best.number))")
    }
    guard !parts.isEmpty else { return nil }
    let how = isWithinNoise ? " by more than its standard error" : ""
    return "No trial is better than the base without memory\(how): \(parts.joined(separator: "; ")). "
      + "More trials, data or epochs, or another learning rate, may find one"
  }

  /// That no trial dominates the base, though some are better in one objective; nil when one does.
  package var dominanceNote: String? {
    guard let base, let result = base.result,
      StudyFront.isDominated(base, by: completed, objectives: objectives) == false
    else { return nil }
    let values = objectives.compactMap { objective in
      result.objectives[objective.name].map {
        Self.text($0, error: error(base, objective.name), name: objective.name)
      }
    }
    return
      "No trial dominates the base without memory (\(values.joined(separator: ", "))): every trial that is better in "
      + "one objective is worse in another"
  }

  /// That every hypervolume is 0 because nobody reaches the reference point; nil when somebody does.
  package var referenceNote: String? {
    guard let point = record.header.referencePoint else { return nil }
    return ReferencePoint.unreachedNote(
      values: completed.compactMap { $0.result?.objectives }, objectives: objectives, reference: point
    ).map { "Warning: \($0)" }
  }

  private func best(_ trials: [Trial], in objective: Objective) -> Trial? {
    let measured = trials.filter { $0.result?.objectives[objective.name]?.isFinite ?? false }
    return measured.max { left, right in
      let (a, b) = (left.result?.objectives[objective.name] ?? 0, right.result?.objectives[objective.name] ?? 0)
      return a * objective.direction.sign < b * objective.direction.sign
    }
  }

  private func error(_ trial: Trial, _ name: String) -> Double? { trial.result?.standardErrors?[name] }

  /// Standard error of the difference; nil where one of the two is not known.
  private func combined(_ a: Trial, _ b: Trial, _ name: String) -> Double? {
    guard let first = error(a, name), let second = error(b, name) else { return nil }
    return (first * first + second * second).squareRoot()
  }
}
