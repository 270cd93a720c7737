import BayesianOptimization
import Foundation
import LanguageModel
import Personalization
import Report
import Study
import StudyDatabase
import Worker

/// `search --dry-run`: every check of the real start, all errors at once, and what would be learnt; nothing is made or run.
package struct DryRun {
  private let file: URL
  private let configuration: StudyConfiguration
  private let folder: StudyFolder
  private let devices: [GPUDevice]
  private var found = StudyProblems.Collector()
  private var table = TextTable([("what", .left), ("value", .left)])
  private var remarks: [String] = []
  private var preview = ""
  /// Whether the quickstart's base is still to be made.
  private var lacksBase = false

  package init(study: String, in studies: StudiesFolder, gpus: String?, device: String) throws {
    file = URL(fileURLWithPath: study)
    configuration = try StudyConfiguration(contentsOf: file)
    folder = studies.new(configuration.name)
    devices = found.attempt { try Devices.workers(gpus: gpus, device: device) } ?? []
  }

  /// What a search would be, block by block; throws every error that it would meet before its first trial.
  package func blocks() throws -> [String] {
    var run = self
    try run.check()
    return [run.table.text] + (run.preview.isEmpty ? [] : [run.preview]) + run.remarks
  }

  private mutating func check() throws {
    let (configuration, devices, folder, file) = (configuration, devices, folder, file)
    _ = found.attempt { try StartCheck.machine(configuration, file: file, devices: devices) }
    _ = found.attempt { try StartCheck.room(folder.url, "the study", free: FreeSpace.bytes(at: folder.url)) }
    table.add(["study", folder.url.path + (folder.exists ? " (exists: it would go on)" : " (new)")])
    table.add(["budget", "\(configuration.budget) trials, \(configuration.sampler.initial) of them initial"])
    let objectives = configuration.objectives.map { "\($0.name) (\($0.direction.rawValue))" }
    table.add(["objectives", objectives.joined(separator: ", ")])
    if configuration.evaluator.kind == .memory {
      _ = found.attempt { try PreparedStudy.checkReference(configuration, file: file) }
      if let inspection = found.attempt({ try StudyResources.inspect(configuration, file: file) }) {
        for error in inspection.problems.errors { found.add(error) }
        describe(inspection)
      }
    } else {
      describeOther()
    }
    table.add(["devices", devices.map(\.label).joined(separator: ", ")])
    if let free = FreeSpace.bytes(at: folder.url) {
      table.add(["free disk", "\(StudySummary.grouped(free >> 20)) MiB"])
    }
    table.add(["memory of this machine", "\(StudySummary.grouped(Int(Devices.memoryBytes >> 20))) MiB"])
    if folder.exists, found.errors.isEmpty { checkExisting() }
    try found.finish()
  }

  /// A study whose trials are no memories.
  private mutating func describeOther() {
    let file = file
    var warnings: [String] = []
    let prepared = found.attempt {
      try PreparedStudy.prepare(
        path: file.relativePath, step: { if case .warning(let text) = $0 { warnings.append(text) } })
    }
    remarks += warnings.map { "warning: \($0)" }
    table.add(["evaluator", configuration.evaluator.kind.rawValue])
    if let prepared { describe(prepared.space) }
  }

  /// A study that is there goes on only with the same settings, base and data.
  private mutating func checkExisting() {
    let (folder, file) = (folder, file)
    // Without its base the quickstart cannot be compared; its folder would be refused at the start.
    if lacksBase { return }
    _ = found.attempt {
      let prepared = try PreparedStudy.prepare(path: file.relativePath, step: { _ in })
      try prepared.checkSame(as: StudyObserver(folder).load().definition, in: folder)
    }
  }

  private mutating func describe(_ space: SearchSpace) {
    let exact = space.size.exact.map { StudySummary.grouped($0) } ?? "2^\(String(format: "%.1f", space.size.log2))"
    table.add(["space", "\(exact) configurations"])
    if let size = space.size.exact, size < configuration.budget {
      remarks.append(
        "warning: the budget of \(configuration.budget) trials is larger than the space: the search ends after \(size)")
    }
  }

  private mutating func describe(_ inspection: StudyInspection) {
    describeBase(inspection)
    if let space = inspection.space { describe(space) }
    if let report = inspection.report {
      table.add(["data", report.summary])
    } else if let dataset = inspection.dataset {
      table.add(["data", "\(dataset.users.count) users, \(dataset.samples.count) samples"])
    }
    if let data = inspection.data, let report = inspection.report {
      describe(data, report)
      if let model = inspection.checkpoint?.configuration {
        let device = devices.first?.device ?? "cpu"
        // A device that is not there was told already.
        let rows =
          found.errors.isEmpty ? found.attempt { [run = self] in try run.sizes(data, model, device: device) } : nil
        for row in rows ?? [] { table.add(row) }
      }
      preview = Self.preview(data)
    }
    remarks += inspection.warnings.map { "warning: \($0)" }
    remarks += (inspection.report?.notes ?? []).filter { !$0.isWarning }.map { "note: \($0.text)" }
  }

  private mutating func describeBase(_ inspection: StudyInspection) {
    if let base = inspection.base, let checkpoint = inspection.checkpoint {
      let model = checkpoint.configuration
      table.add([
        "base",
        "\(base.path): \(model.architecture.rawValue), \(StudySummary.grouped(model.parameterCount)) parameters, "
          + "\(model.maximumLength) tokens",
      ])
    } else if inspection.base == nil {
      lacksBase = true
      let cache = BuildCache.standard().root
      table.add([
        "base",
        "the quickstart's, not made yet: pretrained at the first start (minutes, once), then kept in \(cache.path)",
      ])
      _ = found.attempt { try StartCheck.room(cache, "the cache", free: FreeSpace.bytes(at: cache)) }
    }
  }

  private mutating func describe(_ data: PreparedData, _ report: DataReport) {
    let options = data.recipe.trainingOptions(seed: 0)
    table.add([
      "stage 1",
      "\(report.memoryExamples) examples, \(StudySummary.grouped(report.memoryTokens)) tokens an epoch, "
        + "\(options.steps(examples: report.memoryExamples)) steps a trial (\(options.epochs) epochs)",
    ])
    let cuts = report.cuts
    table.add([
      "cut",
      "\(cuts.history.cut) of \(cuts.history.of) history items, \(cuts.prompts.cut) of \(cuts.prompts.of) prompts, "
        + "\(cuts.responses.cut) of \(cuts.responses.of) responses (sequences of \(cuts.maxLength) tokens at most)",
    ])
    if cuts.shortWindows > 0 {
      table.add(["shorter windows", "\(cuts.shortWindows) examples show fewer earlier items than training.window"])
    }
  }

  /// What the largest configuration takes, by the estimate that refuses trials, too.
  private func sizes(_ data: PreparedData, _ model: ModelConfiguration, device: String) throws -> [[String]] {
    let backend = try Devices.backend(device, precision: configuration.base.precision, threads: 1)
    let rank = configuration.space.ranks.last ?? 1
    let limit = configuration.space.maxEffectiveRank.map { max(1, $0 / rank) } ?? .max
    let layers = configuration.space.fixedLayers ?? Array(0..<model.layerCount)
    let plan = try data.recipe.plan(
      .memory(layers: layers, count: min(configuration.space.maximumCount, limit), rank: rank))
    guard !plan.isNull else { return [] }
    let need = try TrainingMemory.estimate(
      plan, for: model, longest: data.memoryExamples.map(\.ids.count).max() ?? 1,
      options: data.recipe.trainingOptions(seed: 0), backend: backend)
    let parameters = try plan.parameterCount(for: model)
    let base = model.parameterCount * backend.activationBytes
    func text(_ bytes: Int) -> String { "\(StudySummary.grouped(max(1, bytes >> 20))) MiB" }
    return [
      ["largest memory", "\(StudySummary.grouped(parameters)) trainable parameters"],
      ["memory per worker", "about \(text(base)) for the base, and up to \(text(need.total)) to train"],
      ["disk", "at most \(text(parameters * 4)) for each kept adapter"],
    ]
  }

  // MARK: Preview

  /// A line of a history and a prompt, as the model sees them.
  private static func preview(_ data: PreparedData) -> String {
    var parts: [String] = []
    if let example = data.memoryExamples.max(by: { $0.ids.count < $1.ids.count }) {
      parts.append("An example of the history (after », what is learnt):\n" + shown(example, data))
    }
    if let sample = data.measured(.validation).first {
      parts.append(
        "A prompt of validation (after », the reply that is wanted):\n" + shown(data.answer(sample).example, data))
    }
    return parts.joined(separator: "\n") + "\n"
  }

  private static func shown(_ example: TrainingExample, _ data: PreparedData) -> String {
    let learnt = example.labels.firstIndex { $0 != TrainingExample.ignored } ?? example.ids.count
    func text(_ ids: some Sequence<Int>) -> String {
      // Only a picture for people: ids come from this tokenizer, so that decoding cannot fail.
      (try? data.builder.tokenizer.decode(ids.map(Int32.init))) ?? ""
    }
    let whole = text(example.ids[..<learnt]) + "»" + text(example.ids[learnt...])
    return whole.split(separator: "\n", omittingEmptySubsequences: false).map { "  \($0)" }.joined(separator: "\n")
  }
}
