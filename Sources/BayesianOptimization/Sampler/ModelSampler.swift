// The default sampler: one SAAS Gaussian process per objective and noisy expected hypervolume improvement.

import Foundation
import LinearAlgebra
import RandomStreams

/// SAAS-GP and NEHVI (noisy expected improvement for one objective) behind the sampler contract.
public struct ModelSampler: Sampler {
  let space: SearchSpace
  let objectives: [Objective]
  let settings: SamplerSettings

  /// A sampler for a space and 1 to 4 objectives; with others it proposes Sobol points and says so.
  public init(space: SearchSpace, objectives: [Objective], settings: SamplerSettings) {
    self.space = space
    self.objectives = objectives
    self.settings = settings
  }

  /// Whether a proposal comes from the initial design or from the model.
  enum Phase { case automatic, initial, model }

  /// The next configuration; never fails (see `Sampler`).
  public func propose(_ request: ProposalRequest) -> ProposalOutcome { propose(request, phase: .automatic) }

  func propose(_ request: ProposalRequest, phase: Phase) -> ProposalOutcome {
    let known = KnownConfigurations(space, request)
    guard !known.isExhausted else { return .spaceExhausted }
    let data = TrainingData(
      space: space, objectives: objectives, observations: request.observations,
      useStandardErrors: settings.useStandardErrors)
    var fallbacks: [String] = []
    if known.strangers > 0 { fallbacks.append("ignored \(known.strangers) configurations outside the space") }
    let isInitial =
      switch phase {
      case .automatic: request.index < settings.initial || data.count < 2
      case .initial: true
      case .model: data.count < 2
      }
    if isInitial { return initial(request, known: known, source: "initial", fallbacks: fallbacks) }
    if objectives.count > 4 || objectives.isEmpty {
      fallbacks.append("sobol: \(objectives.count) objectives, the model handles 1 to 4")
      return initial(request, known: known, source: "sobol", fallbacks: fallbacks)
    }
    let surrogates = Surrogates(
      space: space, objectives: objectives, data: data, settings: settings, request: request)
    fallbacks += data.errorNotes(objectives) + surrogates.fallbacks(objectives)
    if surrogates.fits.allSatisfy(\.transform.isConstant) {
      fallbacks.append("sobol: every objective is constant so far")
      return initial(request, known: known, source: "sobol", fallbacks: fallbacks)
    }
    return modelled(request, known: known, data: data, surrogates: surrogates, fallbacks: fallbacks)
  }

  private func modelled(
    _ request: ProposalRequest, known: KnownConfigurations, data: TrainingData, surrogates: Surrogates,
    fallbacks: [String]
  ) -> ProposalOutcome {
    let acquisition = AcquisitionProblem(
      space: space, objectives: objectives, data: data, surrogates: surrogates, settings: settings, request: request)
    let optimizer = DiscreteOptimizer(
      space: space, excluded: known.levels, evaluations: max(16, settings.evaluations), starts: max(1, settings.starts))
    var stream = RandomStream(
      seed: request.seed, purpose: "acquisition/search", index: UInt64(max(0, request.index)))
    let fallbacks = fallbacks + acquisition.notes
    let warmStart = WarmStart.encode(surrogates.fits.map(\.warmStart))
    let best: DiscreteOptimizer.Result
    do {
      let found = try optimizer.maximize(pareto: data.front.map { data.levels[$0] }, stream: &stream) {
        try acquisition.scores($0, threads: settings.threads)
      }
      guard let found else { throw AcquisitionError.noFiniteValue }
      best = found
    } catch {
      return initial(
        request, known: known, source: "sobol", fallbacks: fallbacks + ["sobol: \(error)"], warmStart: warmStart)
    }
    var diagnostics = surrogates.diagnostics(objectives)
    diagnostics["acquisition.evaluations"] = Double(best.evaluations)
    diagnostics["acquisition.anchors"] = Double(acquisition.baselineCount)  // the name that databases have
    return .proposal(
      Proposal(
        configuration: space.configuration(best.levels), source: objectives.count == 1 ? "ei" : "nehvi",
        fallbacks: fallbacks, acquisition: best.score, warmStart: warmStart, diagnostics: diagnostics))
  }

  private func initial(
    _ request: ProposalRequest, known: KnownConfigurations, source: String, fallbacks: [String],
    warmStart: Data? = nil
  ) -> ProposalOutcome {
    let points = InitialPoints(space: space, design: settings.initialDesign)
    guard let point = points.next(known, seed: request.seed, index: request.index) else { return .spaceExhausted }
    return .proposal(
      Proposal(
        configuration: space.configuration(point.levels), source: source, fallbacks: fallbacks,
        warmStart: warmStart ?? request.warmStart))
  }
}

/// One fitted surrogate per objective.
struct Surrogates {
  let fits: [SurrogateFit]

  init(
    space: SearchSpace, objectives: [Objective], data: TrainingData, settings: SamplerSettings,
    request: ProposalRequest
  ) {
    let points = data.points(space)
    let warm = WarmStart.decode(request.warmStart, outcomes: objectives.count)
    // Two outcomes side by side first, then the chains of each.
    let outer = min(max(1, settings.threads), objectives.count)
    let inner = max(1, settings.threads / outer)
    fits = Parallel.map(objectives.count, threads: outer) { index in
      SurrogateFitter.fit(
        points: points, values: data.column(index), standardErrors: data.errorColumn(index),
        settings: settings.surrogate, seed: request.seed, index: request.index, label: "objective \(index)",
        warmStart: warm[index], threads: inner)
    }
  }

  func fallbacks(_ objectives: [Objective]) -> [String] {
    zip(fits, objectives).compactMap { fit, objective in
      if fit.fallback == .none && fit.complaint == nil { return nil }
      let rung = fit.fallback == .none ? "doubtful draws" : fit.fallback.rawValue
      return "\(objective.name): \(rung)" + (fit.complaint.map { " (\($0))" } ?? "")
    }
  }

  func diagnostics(_ objectives: [Objective]) -> [String: Double] {
    var result: [String: Double] = [:]
    for (fit, objective) in zip(fits, objectives) {
      let report = fit.diagnostics
      result["\(objective.name).rHat"] = report.maximumRHat
      result["\(objective.name).effectiveSampleSize"] = report.minimumEffectiveSampleSize
      result["\(objective.name).divergences"] = Double(report.divergences)
      result["\(objective.name).gradients"] = Double(report.warmupGradients + report.samplingGradients)
      result["\(objective.name).warmStarted"] = report.warmStarted ? 1 : 0
    }
    return result.filter { $0.value.isFinite }
  }
}

/// The acquisition function of one proposal: NEHVI over the surrogates, weighted by feasibility.
struct AcquisitionProblem {
  let space: SearchSpace
  let improvement: NoisyHypervolumeImprovement
  let feasibility: FeasibilityModel?
  /// What was left out, for the proposal's record.
  let notes: [String]
  /// Most pending configurations that a proposal is conditioned on.
  ///
  /// Cost grows with the third power of their number, memory with the second: 2,000 took 182 s and 1.3 GB. None of those
  /// left out is proposed again.
  static let largestPending = 128

  var baselineCount: Int { improvement.baseline.rows }

  init(
    space: SearchSpace, objectives: [Objective], data: TrainingData, surrogates: Surrogates,
    settings: SamplerSettings, request: ProposalRequest
  ) {
    self.space = space
    let models = surrogates.fits.map(\.posterior)
    let reference = zip(data.reference(settings.reference, objectives: objectives), surrogates.fits).enumerated()
      .map { index, pair in pair.1.transform([pair.0 / data.scales[index]]).first ?? 0 }
    var baseline: [[Int]] = []
    var seen: Set<[Int]> = []
    for levels in data.levels where seen.insert(levels).inserted { baseline.append(levels) }
    var stream = RandomStream(
      seed: request.seed, purpose: "acquisition/baseline", index: UInt64(max(0, request.index)))
    let pruning = BaselinePruning(
      models: models, reference: objectives.count == 1 ? [-.greatestFiniteMagnitude] : reference)
    let kept = pruning.keep(Self.encode(space, baseline), stream: &stream)
    var pending: [[Int]] = []
    for configuration in request.pending {
      // Configurations of other spaces are counted as strangers by the caller.
      guard let raw = try? space.levels(of: configuration) else { continue }
      let levels = space.canonical(raw)
      if seen.insert(levels).inserted { pending.append(levels) }
    }
    let found = pending.count
    if found > Self.largestPending {
      pending = pruning.promising(Self.encode(space, pending), count: Self.largestPending).map { pending[$0] }
    }
    notes =
      found > pending.count
      ? ["conditioned on the \(pending.count) most promising of \(found) pending configurations"] : []
    let conditioned = kept.map { baseline[$0] } + pending
    improvement = NoisyHypervolumeImprovement(
      models: models, baseline: Self.encode(space, conditioned), reference: reference, seed: request.seed,
      index: request.index, threads: settings.threads)
    feasibility =
      settings.feasibility
      ? FeasibilityModel(space: space, feasible: data.levels, infeasible: data.infeasible) : nil
  }

  /// Log acquisition values of canonical configurations.
  func scores(_ candidates: [[Int]], threads: Int) throws -> [Double] {
    let values = try improvement.logValues(Self.encode(space, candidates), threads: threads)
    guard let feasibility else { return values }
    return zip(values, candidates).map { $0 + feasibility.logWeight($1) }
  }

  static func encode(_ space: SearchSpace, _ levels: [[Int]]) -> Matrix {
    var elements: [Double] = []
    elements.reserveCapacity(levels.count * space.dimension)
    for item in levels { elements += space.encode(levels: item) }
    return Matrix(rows: levels.count, columns: space.dimension, elements: elements)
  }
}
