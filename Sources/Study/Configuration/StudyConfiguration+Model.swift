import MemoryRecipe

extension StudyConfiguration {
  static func readBase(_ root: ConfigurationSection) throws -> BaseSection {
    let section = try root.section("base")
    return BaseSection(
      path: try section.string("path"), precision: try section.choice("precision", Precision.self) ?? .automatic,
      quickstartSeed: UInt64(try section.integer("seed", in: 0...Int.max) ?? 1))
  }

  static func readData(_ root: ConfigurationSection) throws -> DataSection {
    let section = try root.section("data")
    var templates: [String: String] = [:]
    if let templateSection = try section.optionalSection("templates") {
      for key in templateSection.keys() {
        // kinds: {post: …} is the same as kinds.post: ….
        if key == "kinds", templateSection.isMapping(key), let kinds = try templateSection.optionalSection(key) {
          for kind in kinds.keys() { templates["kinds.\(kind)"] = try kinds.string(kind) }
        } else {
          templates[key] = try templateSection.string(key)
        }
      }
    }
    let users = try section.string("users")
    return DataSection(
      users: users, samples: try section.string("samples"),
      split: try section.choice("split", SplitMode.self) ?? (users == nil ? .given : .withinUser),
      injectTestUserHistory: try section.boolean("injectTestUserHistory") ?? true, templates: templates,
      quickstart: try readCohort(section))
  }

  private static func readCohort(_ data: ConfigurationSection) throws -> CohortSettings {
    let section = try data.section("quickstart")
    var cohort = CohortSettings()
    if let seed = try section.integer("seed", in: 0...Int.max) { cohort.seed = UInt64(seed) }
    if let users = try section.integer("users", in: 1...64) { cohort.users = users }
    if let mode = try section.choice("mode", CohortSettings.Mode.self) { cohort.mode = mode }
    return cohort
  }

  static func readMemory(_ root: ConfigurationSection) throws -> TrialRecipe.Memory {
    let section = try root.section("memory")
    var memory = TrialRecipe.Memory()
    let alphaText = try section.string("alpha")
    memory.alpha = alphaText == nil || alphaText == "rank" ? nil : try section.number("alpha", in: 1e-6...1e6)
    if let aggregate = try section.choice("aggregate", TrialRecipe.Memory.Aggregate.self) {
      memory.aggregate = aggregate
    }
    guard let targets = try section.strings("targets") else { return memory }
    for target in targets where !["up", "down", "gate"].contains(target) {
      throw section.error("targets", "'\(target)' is no feed-forward matrix", "Choose from up, down and gate")
    }
    guard !targets.isEmpty, firstRepeated(targets) == nil else {
      throw section.error("targets", "the list is empty or names a matrix twice", "Write [up, down]")
    }
    memory.targets = targets
    return memory
  }

  static func readTraining(_ root: ConfigurationSection) throws -> TrialRecipe.Training {
    let section = try root.section("training")
    var training = TrialRecipe.Training()
    if let epochs = try section.integer("epochs", in: 1...10_000) { training.epochs = epochs }
    training.finalEpochs = try section.integer("finalEpochs", in: 1...10_000)
    if let batch = try section.integer("batch", in: 1...65_536) { training.batch = batch }
    if let rate = try section.positive("learningRate", upTo: 10) { training.learningRate = rate }
    if let decay = try section.number("weightDecay", in: 0...10) { training.weightDecay = decay }
    if let warmup = try section.number("warmup", in: 0...1) { training.warmup = warmup }
    if let schedule = try section.choice("schedule", TrialRecipe.Training.Schedule.self) {
      training.schedule = schedule
    }
    if let clip = try section.number("clip", in: 0...1e6) { training.clip = clip }
    training.maxLength = try section.integer("maxLength", in: 8...1_000_000)
    if let window = try section.integer("window", in: 0...1000) { training.window = window }
    if let label = try section.boolean("labelContext") { training.labelContext = label }
    return training
  }

  static func readInstructionTuning(_ root: ConfigurationSection) throws -> TrialRecipe.InstructionTuning {
    let section = try root.section("instructionTuning")
    var tuning = TrialRecipe.InstructionTuning()
    if let mode = try section.choice("mode", TrialRecipe.InstructionTuning.Mode.self) { tuning.mode = mode }
    if let epochs = try section.integer("epochs", in: 0...10_000) { tuning.epochs = epochs }
    if let batch = try section.integer("batch", in: 1...65_536) { tuning.batch = batch }
    if let rate = try section.positive("learningRate", upTo: 10) { tuning.learningRate = rate }
    if let rank = try section.integer("rank", in: 1...65_536) { tuning.rank = rank }
    tuning.alpha = try section.number("alpha", in: 1e-6...1e6)
    if let duringSearch = try section.boolean("duringSearch") { tuning.duringSearch = duringSearch }
    return tuning
  }

  static func readEvaluation(_ root: ConfigurationSection) throws -> TrialRecipe.Evaluation {
    let section = try root.section("evaluation")
    var evaluation = TrialRecipe.Evaluation()
    if let tokens = try section.integer("maxNewTokens", in: 1...100_000) { evaluation.maxNewTokens = tokens }
    evaluation.samples = try section.integer("samples", in: 1...Int.max)
    if let batch = try section.integer("batch", in: 1...65_536) { evaluation.batch = batch }
    if let stemmer = try section.boolean("stemmer") { evaluation.stemmer = stemmer }
    if let unicode = try section.boolean("unicode") { evaluation.unicode = unicode }
    return evaluation
  }

  static func readCoordinator(_ root: ConfigurationSection) throws -> CoordinatorSection {
    let section = try root.section("coordinator")
    let heartbeat = try section.seconds("heartbeat", in: 0.05...3600) ?? 5
    let lease = try section.seconds("lease", in: 0.2...86_400) ?? 60
    if lease < 2 * heartbeat {
      throw section.error("lease", "\(lease) s is less than two heartbeats", "Use at least twice coordinator.heartbeat")
    }
    return CoordinatorSection(
      heartbeatSeconds: heartbeat, leaseSeconds: lease,
      watchdogSeconds: try section.seconds("watchdog", in: 1...1e6) ?? 1800,
      attempts: try section.integer("attempts", in: 1...100) ?? 3,
      quarantine: try section.integer("quarantine", in: 1...1_000_000),
      stallSeconds: try section.seconds("stall", in: 1...1e7))
  }
}
