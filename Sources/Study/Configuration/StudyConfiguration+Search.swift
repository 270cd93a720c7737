extension StudyConfiguration {
  static func readSpace(_ root: ConfigurationSection, isMemory: Bool) throws -> SpaceSection {
    let space = try root.section("space")
    let count = try space.section("count")
    let minimum = try count.integer("min", in: 0...4096) ?? 0
    let maximum = try count.integer("max", in: 0...4096) ?? 32
    let ranks = try space.integers("ranks") ?? [8, 16, 32, 64, 96]
    let fixed = try space.section("fixed")
    let factors = try space.sections("factors")?.map { try readFactor($0) }
    if minimum > maximum {
      throw count.error("min", "\(minimum) is above max, \(maximum)", "Exchange the two values")
    }
    if ranks.isEmpty || ranks.contains(where: { $0 < 1 || $0 > 65_536 }) || ranks != Array(Set(ranks)).sorted() {
      throw space.error("ranks", "the ranks must be positive, different and ascending", "Write [8, 16, 32, 64, 96]")
    }
    if let factors, factors.isEmpty { throw space.error("factors", "the list is empty", "Name at least one factor") }
    if isMemory, factors != nil {
      throw space.error(
        "factors", "the memory evaluator searches layers, count and ranks",
        "Remove factors, or choose another evaluator")
    }
    return SpaceSection(
      layers: try space.integer("layers", in: 1...1024), minimumCount: minimum, maximumCount: maximum, ranks: ranks,
      placement: try space.choice("placement", Placement.self) ?? .perLayer,
      fixedLayers: try fixed.integers("layers"), fixedCount: try fixed.integer("count", in: 0...4096),
      fixedRank: try fixed.integer("rank", in: 1...65_536),
      maximumTrainable: try space.integer("maxTrainable", in: 1...Int.max),
      dedupeByEffectiveRank: try space.boolean("dedupeByEffectiveRank") ?? false, factors: factors)
  }

  private static func readFactor(_ section: ConfigurationSection) throws -> FactorSection {
    guard let name = try section.string("name"), !name.isEmpty else {
      throw section.error("name", "a factor needs a name", "Write '- {name: depth, type: integer, min: 1, max: 8}'")
    }
    guard let kind = try section.choice("type", FactorSection.Kind.self) else {
      throw section.error("type", "a factor needs a type", "Choose switch, integer, ordinal or categorical")
    }
    let values = try section.strings("values")
    var factor = FactorSection(name: name, kind: kind)
    switch kind {
    case .switch: break
    case .integer:
      guard let low = try section.integer("min"), let high = try section.integer("max"), low <= high else {
        throw section.error("min", "an integer factor needs min ≤ max", "Write min: 1, max: 8")
      }
      (factor.minimum, factor.maximum) = (low, high)
    case .ordinal:
      let numbers = values?.compactMap { Double($0) } ?? []
      guard !numbers.isEmpty, numbers.count == values?.count, numbers == Array(Set(numbers)).sorted() else {
        throw section.error("values", "an ordinal factor needs ascending numbers", "Write values: [8, 16, 32]")
      }
      factor.values = numbers
    case .categorical:
      guard let names = values, !names.isEmpty, Set(names).count == names.count else {
        throw section.error("values", "a categorical factor needs different names", "Write values: [relu, gelu]")
      }
      factor.categories = names
    }
    return factor
  }

  static func readObjectives(_ root: ConfigurationSection) throws -> [ObjectiveSection] {
    guard let sections = try root.sections("objectives") else {
      return [
        ObjectiveSection(name: "loss", direction: .minimize), ObjectiveSection(name: "rougeL", direction: .maximize),
      ]
    }
    let objectives = try sections.map { section in
      guard let name = try section.string("name"), !name.isEmpty else {
        throw section.error("name", "an objective needs a name", "Write '- {name: loss, direction: minimize}'")
      }
      guard let direction = try section.choice("direction", ObjectiveSection.Direction.self) else {
        throw section.error("direction", "an objective needs a direction", "Write minimize or maximize")
      }
      return ObjectiveSection(name: name, direction: direction, reference: try section.number("reference"))
    }
    guard (1...4).contains(objectives.count) else {
      throw root.error("objectives", "\(objectives.count) objectives; 1 to 4 are supported", "Name between 1 and 4")
    }
    guard Set(objectives.map(\.name)).count == objectives.count else {
      throw root.error("objectives", "an objective stands twice", "Give every objective its own name")
    }
    let given = objectives.filter { $0.reference != nil }.count
    guard given == 0 || given == objectives.count else {
      throw root.error("objectives", "only some objectives have a reference", "Give all of them one, or none")
    }
    return objectives
  }

  static func readSampler(_ root: ConfigurationSection) throws -> SamplerSection {
    let section = try root.section("sampler")
    let schedules = ["default", "nuts", "botorch", "autopeft", "timings"]
    let schedule = try section.string("schedule") ?? "default"
    guard schedules.contains(schedule) else {
      let nearest = NearestName.of(schedule, among: schedules)
      throw section.error(
        "schedule", "'\(schedule)' is not one of \(schedules.joined(separator: ", "))",
        nearest.map { "Did you mean '\($0)'?" } ?? "Choose one of them")
    }
    return SamplerSection(
      kind: try section.choice("name", SamplerSection.Kind.self) ?? .saasNEHVI,
      initial: try section.integer("initial", in: 1...1_000_000) ?? 100,
      design: try section.choice("design", SamplerSection.Design.self) ?? .sobol, schedule: schedule,
      outcomeTransform: try section.choice("outcomeTransform", SamplerSection.OutcomeTransform.self) ?? .standardize,
      lengthscalePrior: try section.choice("lengthscalePrior", SamplerSection.LengthscalePrior.self) ?? .saas,
      useStandardErrors: try section.boolean("useStandardErrors") ?? false,
      evaluations: try section.integer("evaluations", in: 10...1_000_000) ?? 2000)
  }

  static func readEvaluator(_ root: ConfigurationSection) throws -> EvaluatorSection {
    let section = try root.section("evaluator")
    let kind = try section.choice("name", EvaluatorSection.Kind.self) ?? .memory
    let problem = try section.string("problem")
    let command = try section.strings("command")
    if kind == .analytic, problem == nil {
      throw section.error("problem", "the analytic evaluator needs a problem", "Write problem: milp34")
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
