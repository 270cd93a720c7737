import BayesianOptimization
import Study

extension StudyPolicy {
  /// The policy that goes with a sampler's settings: reference point, hypervolume, convergence.
  ///
  /// The reference point is fixed once: given values at the first completed trial; the un-injected base's values
  /// made 10 % worse as soon as it has been measured (values of zero give no scale and are inferred); otherwise inferred
  /// from the front when the initial design (at
  /// least two trials) is complete.
  package init(
    objectives: [Objective], sampler: SamplerSettings, maxCountedAttempts: Int = 3, quarantineAfterFailures: Int = 8
  ) {
    let initial = max(2, sampler.initial)
    let reference = sampler.reference
    self.init(
      maxCountedAttempts: maxCountedAttempts, quarantineAfterFailures: quarantineAfterFailures,
      convergenceEpsilon: sampler.convergenceEpsilon,
      convergenceWindow: sampler.convergenceWindow,
      referencePoint: { Self.referencePoint($0, objectives: objectives, rule: reference, initial: initial) },
      hypervolume: { Hypervolume.value($0, reference: $1) })
  }

  private static func referencePoint(
    _ observations: [Observation], objectives: [Objective], rule: SamplerSettings.Reference, initial: Int
  ) -> [String: Double]? {
    if case .fixed(let values) = rule { return values }
    let points = observations.compactMap { $0.maximizedValues(objectives) }
    var corner: [Double]?
    if rule == .base, let base = observations.first(where: { $0.configuration.isNull }),
      let values = base.maximizedValues(objectives)
    {
      // Coordinates that are inferred wait for the initial design, as below.
      let front = points.count > initial ? Dominance.front(points).map { points[$0] } : []
      corner = ReferencePoint.worse(than: values, front: front)
    } else if points.count >= initial {
      corner = ReferencePoint.infer(front: Dominance.front(points).map { points[$0] })
    }
    guard let corner else { return nil }
    return Dictionary(
      uniqueKeysWithValues: zip(objectives, corner).map { ($0.name, $1 * $0.direction.sign) })
  }
}
