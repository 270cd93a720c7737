import BayesianOptimization
import Foundation
import RandomStreams

extension SearchQuality {
  /// Searches of one problem by several samplers from the same random initial sets, with the numbers that another
  /// program needs to search from them too.
  struct PairedRuns: Sendable, Codable {
    /// One initial set and what the samplers made of it.
    struct Start: Sendable, Codable {
      /// Levels of the initial configurations, initial x variables.
      var initial: [[Int]]
      /// Their noise-free objectives, maximised, initial x m.
      var values: [[Double]]
      /// What is added to the maximised objectives of the k-th evaluation, budget x m.
      var noise: [[Double]]
      /// Normalised hypervolume after each evaluation, by sampler.
      var curves: [String: [Double]]
      /// Wall-clock seconds of the search, by sampler.
      var seconds: [String: Double]
      /// Number of proposals that took a rung of the fallback ladder, by sampler.
      var fallbacks: [String: Int]
    }

    var problem: String
    var samplers: [String]
    /// Levels of every variable of the space.
    var levels: [Int]
    /// Reference point, maximised.
    var reference: [Double]
    /// The hypervolume by which the curves are divided; 1 where the largest is not known.
    var scale: Double
    /// Evaluations that are given, in all, and per round.
    var initial: Int
    var budget: Int
    var batch: Int
    var seed: UInt64
    var sets: [Start]
  }

  /// Runs every sampler from every initial set.
  ///
  /// - Parameters:
  ///   - sets: number of initial sets, each with its own noise and the same noise for every sampler.
  ///   - initial: size of a set.
  ///   - budget: evaluations of a run, the initial ones included.
  ///   - batch: proposals per round.
  ///   - finished: called after each set.
  static func pairedRuns(
    problem: AnalyticProblem, settings: [SamplerSettings], sets: Int, initial: Int, budget: Int, batch: Int = 1,
    seed: UInt64, finished: (Int) -> Void = { _ in }
  ) throws -> PairedRuns {
    var result = PairedRuns(
      problem: problem.name, samplers: settings.map(\.kind.rawValue), levels: problem.space.variables.map(\.levels),
      reference: problem.maximizedReference, scale: problem.maximumHypervolume ?? 1, initial: initial, budget: budget,
      batch: batch, seed: seed, sets: [])
    for set in 0..<max(0, sets) {
      var stream = RandomStream(seed: seed, purpose: "quality/initial", index: UInt64(set))
      let points = (0..<initial).map { _ in problem.space.random(using: &stream) }
      let noiseSeed = seed &+ 7_919 &+ UInt64(set)
      var start = PairedRuns.Start(
        initial: try points.map { try problem.space.levels(of: $0) },
        values: try points.map { configuration in
          let values = try problem.evaluate(configuration)
          return problem.objectives.map { (values[$0.name] ?? 0) * $0.direction.sign }
        },
        noise: (0..<budget).map { index in
          zip(problem.noise(seed: noiseSeed, index: index), problem.objectives).map { $0 * $1.direction.sign }
        },
        curves: [:], seconds: [:], fallbacks: [:])
      for setting in settings {
        var found: Run?
        let time = try ContinuousClock().measure {
          found = try run(
            problem: problem, settings: setting, initial: points, budget: budget, batch: batch,
            seed: seed &+ UInt64(set),
            noiseSeed: noiseSeed)
        }
        var curve = found?.curve ?? []
        // A search that used up its space stays where it is.
        while curve.count < budget { curve.append(curve.last ?? 0) }
        start.curves[setting.kind.rawValue] = curve
        start.seconds[setting.kind.rawValue] =
          Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18
        start.fallbacks[setting.kind.rawValue] = found?.fallbacks.count ?? 0
      }
      result.sets.append(start)
      finished(set)
    }
    return result
  }
}
