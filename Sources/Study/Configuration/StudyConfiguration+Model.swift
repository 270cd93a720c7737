extension StudyConfiguration {
  static func readBase(_ root: ConfigurationSection) throws -> BaseSection {
    let section = try root.section("base")
    return BaseSection(
      path: try section.string("path"), precision: try section.choice("precision", Precision.self) ?? .automatic,
      quickstartSeed: UInt64(try section.integer("seed", in: 0...Int.max) ?? 1))
  }

  static func readData(_ root: ConfigurationSection) throws -> DataSection {
    let section = try root.section("data")
    let cohort = try section.section("quickstart")
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
      split: try section.choice("split", DataSection.Split.self) ?? (users == nil ? .given : .withinUser),
      injectTestUserHistory: try section.boolean("injectTestUserHistory") ?? true, templates: templates,
      quickstart: QuickstartCohort(
        seed: try cohort.integer("seed", in: 0...Int.max).map(UInt64.init) ?? defaultCohort.seed,
        users: try cohort.integer("users", in: 1...64) ?? defaultCohort.users,
        mode: try cohort.choice("mode", QuickstartCohort.Mode.self) ?? defaultCohort.mode))
  }

  /// The quickstart's people where the file says nothing else.
  package static let defaultCohort = QuickstartCohort(seed: 1, users: 16, mode: .dialogues)

  static func readMemory(_ root: ConfigurationSection) throws -> MemorySection {
    let section = try root.section("memory")
    let alphaText = try section.string("alpha")
    let alpha = alphaText == nil || alphaText == "rank" ? nil : try section.number("alpha", in: 1e-6...1e6)
    let targets = try section.strings("targets") ?? ["up", "down"]
    for target in targets where !["up", "down", "gate"].contains(target) {
      throw section.error("targets", "'\(target)' is no feed-forward matrix", "Choose from up, down and gate")
    }
    guard !targets.isEmpty, firstRepeated(targets) == nil else {
      throw section.error("targets", "the list is empty or names a matrix twice", "Write [up, down]")
    }
    return MemorySection(
      alpha: alpha, aggregate: try section.choice("aggregate", MemorySection.Aggregate.self) ?? .sum, targets: targets)
  }

  static func readTraining(_ root: ConfigurationSection) throws -> TrainingSection {
    let section = try root.section("training")
    return TrainingSection(
      epochs: try section.integer("epochs", in: 1...10_000) ?? 1,
      finalEpochs: try section.integer("finalEpochs", in: 1...10_000),
      batch: try section.integer("batch", in: 1...65_536) ?? 8,
      learningRate: try section.positive("learningRate", upTo: 10) ?? 5e-4,
      weightDecay: try section.number("weightDecay", in: 0...10) ?? 1e-4,
      warmup: try section.number("warmup", in: 0...1) ?? 0.1,
      schedule: try section.choice("schedule", TrainingSection.Schedule.self) ?? .linear,
      clip: try section.number("clip", in: 0...1e6) ?? 1,
      maximumLength: try section.integer("maxLength", in: 8...1_000_000),
      window: try section.integer("window", in: 0...1000) ?? 3,
      labelContext: try section.boolean("labelContext") ?? false)
  }

  static func readInstructionTuning(_ root: ConfigurationSection) throws -> InstructionTuningSection {
    let section = try root.section("instructionTuning")
    return InstructionTuningSection(
      mode: try section.choice("mode", InstructionTuningSection.Mode.self) ?? .sameMemory,
      epochs: try section.integer("epochs", in: 0...10_000) ?? 3,
      batch: try section.integer("batch", in: 1...65_536) ?? 8,
      learningRate: try section.positive("learningRate", upTo: 10) ?? 5e-4,
      rank: try section.integer("rank", in: 1...65_536) ?? 4, alpha: try section.number("alpha", in: 1e-6...1e6),
      duringSearch: try section.boolean("duringSearch") ?? false)
  }

  static func readEvaluation(_ root: ConfigurationSection) throws -> EvaluationSection {
    let section = try root.section("evaluation")
    return EvaluationSection(
      maximumNewTokens: try section.integer("maxNewTokens", in: 1...100_000) ?? 64,
      samples: try section.integer("samples", in: 1...Int.max),
      batch: try section.integer("batch", in: 1...65_536) ?? 64, stemmer: try section.boolean("stemmer") ?? false,
      // Absent unless it is on, so that studies from before this key keep their fingerprint.
      unicode: try section.boolean("unicode") == true ? true : nil)
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
