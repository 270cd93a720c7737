import Foundations
import BayesianOptimization
import MemoryRecipe

extension StudyConfiguration {
  static func readSpace(_ root: ConfigurationSection, isMemory: Bool) throws -> SpaceSection {
    let space = try root.section("space")
    let count = try space.section("count")
    var minimum = try count.integer("min", in: 0...4096) ?? 0
    var maximum = try count.integer("max", in: 0...4096) ?? 32
    var ranks = try space.integers("ranks") ?? [8, 16, 32, 64, 96]
    let factors = try readFactors(space)
    if minimum > maximum {
      throw count.error("min", "\(minimum) is above max, \(maximum)", "Exchange the two values")
    }
    if ranks.isEmpty || ranks.contains(where: { $0 < 1 || $0 > 65_536 }) || ranks != Array(Set(ranks)).sorted() {
      throw space.error("ranks", "the ranks must be positive, different and ascending", "Write [8, 16, 32, 64, 96]")
    }
    if isMemory, factors != nil {
      throw space.error(
        "factors", "the memory evaluator searches layers, count and ranks",
        "Remove factors, or choose another evaluator")
    }
    // A fixed factor is a range of one value; fixed layers are a mask of their own.
    let fixed = try space.section("fixed")
    if let value = try fixed.integer("count", in: 1...4096) { (minimum, maximum) = (value, value) }
    if let value = try fixed.integer("rank", in: 1...65_536) { ranks = [value] }
    return SpaceSection(
      layers: try space.integer("layers", in: 1...1024), minimumCount: minimum, maximumCount: maximum, ranks: ranks,
      placement: try space.choice("placement", Placement.self) ?? .standard,
      fixedLayers: try fixed.integers("layers"),
      maxTrainable: try space.integer("maxTrainable", in: 1...Int.max),
      maxEffectiveRank: try space.integer("maxEffectiveRank", in: 1...Int.max),
      dedupeByEffectiveRank: try space.boolean("dedupeByEffectiveRank") ?? false, factors: factors)
  }

  static func readObjectives(_ root: ConfigurationSection) throws -> [Objective] {
    guard let sections = try root.sections("objectives") else {
      return [Objective(name: "loss", direction: .minimize), Objective(name: "rougeL", direction: .maximize)]
    }
    let objectives = try sections.map { section in
      guard let name = try section.name("name"), !name.isEmpty else {
        throw section.error("name", "an objective needs a name", "Write '- {name: loss, direction: minimize}'")
      }
      // engram tell and trial attach take results as loss=1.2,rougeL=0.3.
      if let bad = name.first(where: { $0 == "," || $0 == "=" || $0.isWhitespace }) {
        throw section.error(
          "name", "'\(name)' holds '\(bad)', which separates results on the command line",
          "Use letters, digits and signs such as '_' or '/'")
      }
      guard let direction = try section.choice("direction", Objective.Direction.self) else {
        throw section.error("direction", "an objective needs a direction", "Write minimize or maximize")
      }
      return Objective(name: name, direction: direction)
    }
    guard (1...4).contains(objectives.count) else {
      throw root.error("objectives", "\(objectives.count) objectives; 1 to 4 are supported", "Name between 1 and 4")
    }
    if let twice = firstRepeated(objectives.map(\.name)) {
      throw root.error(
        "objectives", "the objective '\(objectives[twice].name)' stands twice", "Give every objective its own name")
    }
    return objectives
  }

  /// The position of the first entry that stands before, too.
  static func firstRepeated(_ names: [String]) -> Int? {
    var seen: Set<String> = []
    return names.firstIndex { !seen.insert($0).inserted }
  }

  private enum OutcomeTransformName: String, CaseIterable { case standardize, copula }
  private enum LengthscalePriorName: String, CaseIterable { case saas, logNormal }

  static func readSampler(
    _ root: ConfigurationSection, objectives: [Objective], minimumInitial: Int = 1, defaultInitial: Int? = nil
  ) throws -> SamplerSettings {
    let section = try root.section("sampler")
    // One statement a key: the compiler gives up on one long initialiser.
    var settings = SamplerSettings()
    if let defaultInitial { settings.initial = defaultInitial }
    if let kind = try section.choice("name", SamplerSettings.Kind.self) { settings.kind = kind }
    if let initial = try section.integer("initial", in: minimumInitial...1_000_000) { settings.initial = initial }
    if let design = try section.choice("design", SamplerSettings.InitialDesign.self) { settings.initialDesign = design }
    settings.reference = try readReference(section, objectives: objectives)
    switch try section.choice("outcomeTransform", OutcomeTransformName.self) {
    case .standardize: settings.surrogate.outcome = .standardize
    case .copula: settings.surrogate.outcome = .normalCopula
    case nil: break
    }
    switch try section.choice("lengthscalePrior", LengthscalePriorName.self) {
    case .saas: settings.surrogate.lengthscalePrior = .sparseAxisAligned
    case .logNormal: settings.surrogate.lengthscalePrior = .logNormal
    case nil: break
    }
    if let name = try section.string("schedule") {
      let names = SamplingSchedule.presets.map(\.name)
      guard let schedule = SamplingSchedule.named(name) else {
        let hint = NearestName.of(name, among: names).map { "Did you mean '\($0)'?" }
        throw section.error(
          "schedule", "'\(name)' is not one of \(names.joined(separator: ", "))", hint ?? "Choose one of them")
      }
      settings.surrogate.schedule = schedule
    }
    if let use = try section.boolean("useStandardErrors") { settings.useStandardErrors = use }
    if let evaluations = try section.integer("evaluations", in: 10...1_000_000) { settings.evaluations = evaluations }
    if let starts = try section.integer("starts", in: 1...10_000) { settings.starts = starts }
    if let feasibility = try section.boolean("feasibility") { settings.feasibility = feasibility }
    if let epsilon = try section.number("convergence", in: 0...1) { settings.convergenceEpsilon = epsilon }
    if let window = try section.integer("convergenceWindow", in: 1...100_000) { settings.convergenceWindow = window }
    return settings
  }

  /// `base` (default: the un-injected base made 10 % worse), `inferred`, or a value for every objective.
  private static func readReference(
    _ section: ConfigurationSection, objectives: [Objective]
  ) throws -> SamplerSettings.Reference {
    if !section.isMapping("reference"), let name = try section.string("reference") {
      switch name {
      case "base": return .base
      case "inferred": return .inferred
      default:
        throw section.error(
          "reference", "'\(name)' is no reference point", "Write base, inferred, or {loss: 1.9, rougeL: 0.22}")
      }
    }
    guard section.isMapping("reference"), let values = try section.optionalSection("reference") else { return .base }
    var point: [String: Double] = [:]
    for objective in objectives {
      guard let value = try values.number(objective.name) else {
        throw values.error(objective.name, "no reference value for this objective", "Give every objective a value")
      }
      guard abs(value) <= Objective.largestMagnitude else {
        throw values.error(
          objective.name, "\(value) is beyond the largest objective, \(Objective.largestMagnitude)",
          "Write a value that a trial can reach")
      }
      point[objective.name] = value
    }
    return .fixed(point)
  }

  static func readEvaluator(_ root: ConfigurationSection) throws -> EvaluatorSection {
    let section = try root.section("evaluator")
    let kind = try section.choice("name", EvaluatorSection.Kind.self) ?? .memory
    let problem = try section.string("problem")
    let command = try section.strings("command")
    if kind == .analytic, problem == nil {
      throw section.error("problem", "the analytic evaluator needs a problem", "Write problem: sparse34")
    }
    if kind == .command, command?.first?.isEmpty ?? true {
      throw section.error("command", "the command evaluator needs a program", "Write command: [python3, train.py]")
    }
    var noise: [String: Double] = [:]
    if let noiseSection = try section.optionalSection("noise") {
      for key in noiseSection.keys() { noise[key] = try noiseSection.number(key, in: 0...1e6) }
    }
    return EvaluatorSection(
      kind: kind, problem: problem, seconds: try section.seconds("seconds") ?? 0, noise: noise, command: command)
  }
}
