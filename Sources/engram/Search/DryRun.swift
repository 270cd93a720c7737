import BayesianOptimization
import Foundation
import LanguageModel
import Report
import Study
import StudyDatabase
import Worker

/// `search --dry-run`: what a study would be, without making or running anything.
enum DryRun {
  static func print(study: String, runs: RunsOptions) throws {
    let file = URL(fileURLWithPath: study)
    let configuration = try StudyConfiguration(contentsOf: file)
    let folder = StudyFolder(runs.folder.appendingPathComponent(configuration.name, isDirectory: true))
    var table = TextTable([("what", .left), ("value", .left)])
    table.add(["study", folder.url.path + (folder.exists ? " (exists: it would go on)" : " (new)")])
    table.add(["budget", "\(configuration.budget) trials, \(configuration.sampler.initial) of them initial"])
    if configuration.evaluator.kind == .memory { try describeMemory(configuration, file: file, into: &table) }
    let free = try? folder.url.deletingLastPathComponent().deletingLastPathComponent()
      .resourceValues(forKeys: [.volumeAvailableCapacityKey]).volumeAvailableCapacity
    if let free { table.add(["free disk", "\(StudySummary.grouped(free >> 20)) MiB"]) }
    table.add(["memory of this machine", "\(StudySummary.grouped(Int(Devices.memoryBytes >> 20))) MiB"])
    Terminal.print(table.text)
  }

  private static func describeMemory(
    _ configuration: StudyConfiguration, file: URL, into table: inout TextTable
  ) throws {
    guard let path = configuration.base.path else {
      table.add(["base", "the quickstart's (made on first use in at most two minutes, then cached)"])
      if let layers = configuration.space.layers {
        let space = try configuration.makeSpace(base: nil, file: file.path)
        table.add(["space", "\(layers) layers, 2^\(String(format: "%.1f", space.size.log2)) configurations"])
      }
      table.add(["time", "about 12 minutes on 2 cores"])
      return
    }
    let base =
      path.hasPrefix("/") ? URL(fileURLWithPath: path) : file.deletingLastPathComponent().appendingPathComponent(path)
    let checkpoint = try Checkpoint(base)
    let model = checkpoint.configuration
    let modules = try AdapterPlan(layers: [0], count: 1, rank: 1, targets: configuration.memory.targets)
      .modules(for: model)
    let shape = StudyConfiguration.BaseShape(
      layers: model.layerCount,
      matrices: modules.map { MemorySpace.MatrixShape(input: $0.layer.inputs, output: $0.layer.outputs) })
    let space = try configuration.makeSpace(base: shape, file: file.path)
    table.add([
      "base", "\(base.path): \(model.architecture.rawValue), \(StudySummary.grouped(model.parameterCount)) parameters",
    ])
    table.add(["space", "2^\(String(format: "%.1f", space.size.log2)) configurations"])
    let largest = configuration.space.maximumCount * (configuration.space.ranks.last ?? 1)
    let parameters = modules.reduce(0) { $0 + $1.layer.inputs + $1.layer.outputs } * largest * model.layerCount
    table.add(["largest memory", "\(StudySummary.grouped(parameters)) trainable parameters"])
    // Frozen weights once, LoRA with gradient and two moments in 32 bits.
    let bytes = checkpoint.byteCount * 2 + parameters * 16
    table.add(["memory per worker", "about \(StudySummary.grouped(bytes >> 20)) MiB and the activations of a batch"])
    table.add(["disk", "at most \(StudySummary.grouped((parameters * 4) >> 20)) MiB per kept adapter"])
  }
}
