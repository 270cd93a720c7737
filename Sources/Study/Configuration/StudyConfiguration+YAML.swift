import Foundation

extension StudyConfiguration {
  /// Reads a study's YAML file.
  ///
  /// - Throws: `ConfigurationError` with file, line, key and remedy: unreadable file, syntax, unknown or double key,
  ///   value out of range, contradiction between keys.
  package init(contentsOf url: URL) throws {
    let text: String
    do {
      text = try String(contentsOf: url, encoding: .utf8)
    } catch {
      let exists = FileManager.default.fileExists(atPath: url.path)
      throw ConfigurationError(
        file: url.relativePath, message: exists ? "cannot be read as UTF-8 text" : "no such file",
        remedy: exists ? "Check its permissions and encoding" : "Check the path; shipped files are in configs/",
        isMissingFile: !exists)
    }
    try self.init(yaml: text, file: url.relativePath)
  }

  /// Reads a study from YAML text; `file` is named in errors and its stem is the default name.
  package init(yaml: String, file: String) throws {
    let root = try ConfigurationSection(text: yaml, file: file)
    do {
      try self.init(root, file: file)
    } catch let error as ConfigurationError {
      throw root.all(with: error)
    }
  }

  private init(_ root: ConfigurationSection, file: String) throws {
    let study = try root.section("study")
    let stem = URL(fileURLWithPath: file).deletingPathExtension().lastPathComponent
    name = try study.name("name") ?? stem
    guard Self.isUsableName(name) else {
      throw study.error(
        "name", "'\(name)' cannot be a folder's name",
        "Use letters, digits, '.', '-' and '_', not starting with '.' or '-'")
    }
    seed = UInt64(try study.integer("seed", in: 0...Int.max) ?? 1)
    // Stands in for a section that cannot be read; what is noted is thrown at the end.
    let plain = try ConfigurationSection(text: "study: {}", file: file)
    evaluator = try root.attempt("evaluator") {
      try Self.readEvaluator(root)
    } or: {
      try Self.readEvaluator(plain)
    }
    let isMemory = evaluator.kind == .memory
    space = try root.attempt("space") {
      try Self.readSpace(root, isMemory: isMemory)
    } or: {
      try Self.readSpace(plain, isMemory: true)
    }
    objectives = try root.attempt("objectives") {
      try Self.readObjectives(root)
    } or: {
      try Self.readObjectives(plain)
    }
    let named = objectives
    sampler = try root.attempt("sampler") {
      try Self.readSampler(root, objectives: named)
    } or: {
      try Self.readSampler(plain, objectives: named)
    }
    budget = try study.integer("budget", in: 1...10_000_000) ?? 200
    if budget < sampler.initial {
      study.note(
        study.error(
          "budget", "\(budget) trials are fewer than the initial design's \(sampler.initial)",
          "Raise study.budget or lower sampler.initial"))
    }
    limits = Limits(seconds: try study.seconds("time", in: 1...1e9))
    base = try Self.readBase(root)
    data = try Self.readData(root)
    memory = try Self.readMemory(root)
    training = try Self.readTraining(root)
    instructionTuning = try Self.readInstructionTuning(root)
    evaluation = try Self.readEvaluation(root)
    coordinator = try Self.readCoordinator(root)
    let artifactsSection = try root.section("artifacts")
    artifacts = ArtifactsSection(keep: try artifactsSection.choice("keep", ArtifactsSection.Keep.self) ?? .front)
    if let gibibytes = try artifactsSection.number("limit", in: 0.001...1e6) {
      artifacts.limitBytes = Int(gibibytes * Double(1 << 30))
    }
    checkData(root)
    try root.finish()
  }

  package static func isUsableName(_ name: String) -> Bool {
    // A name that begins with a hyphen is an option to every program that is given it.
    guard !name.isEmpty, name.count <= 100, name.first != ".", name.first != "-" else { return false }
    return name.unicodeScalars.allSatisfy {
      ("a"..."z").contains($0) || ("A"..."Z").contains($0) || ("0"..."9").contains($0)
        || "._-".unicodeScalars.contains($0)
    }
  }

  private func checkData(_ root: ConfigurationSection) {
    if (data.users == nil) != (data.samples == nil) {
      root.note(
        root.error("data", "users and samples belong together", "Name both files, or neither for the quickstart"))
    } else if evaluator.kind == .memory, base.path == nil, data.users != nil {
      root.note(
        root.error(
          "base", "own data needs an own base: the quickstart base knows only its generated language",
          "Set base.path to a Hugging Face directory, or make one with 'engram model pretrain'"))
    }
  }
}
