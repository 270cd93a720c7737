import Foundation
import LanguageModel
import Personalization

/// Adapters as the command line reads them: refused on another base than the one they were trained on.
package enum AdapterFiles {
  package static func read(_ path: String, for checkpoint: Checkpoint, anyBase: Bool) throws -> PEFTAdapter {
    try requireFolder(path)
    let files = try PEFTAdapter(
      directory: URL(fileURLWithPath: path, isDirectory: true), for: checkpoint.configuration)
    if anyBase { return files }
    do {
      // The folder in which a study's preparation keeps the fingerprints of bases.
      try files.checkBase(
        checkpoint, cache: BuildCache.standard().root.appendingPathComponent("fingerprints.json", isDirectory: true))
    } catch let error as ModelFileError {
      throw CommandError(
        .refused, "\(path): \(error.message). Give the base it was trained on, or --any-base if you know better")
    }
    return files
  }

  /// The adapter in a folder, on an experiment's model.
  package static func memory(_ path: String, on experiment: MemoryExperiment, anyBase: Bool) throws -> Adapter {
    guard let checkpoint = experiment.model.checkpoint else {
      throw CommandError(.unexpected, "the study's base has no checkpoint")
    }
    return try experiment.model.makeAdapter(read(path, for: checkpoint, anyBase: anyBase))
  }

  /// Refuses what is no folder of an adapter, and says what was probably meant.
  private static func requireFolder(_ path: String) throws {
    let manager = FileManager.default
    let folder = URL(fileURLWithPath: path, isDirectory: true)
    func has(_ name: String) -> Bool { manager.fileExists(atPath: folder.appendingPathComponent(name).path) }
    var isFolder: ObjCBool = false
    guard manager.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw CommandError(.notFound, "\(path): no such folder. Give the folder that holds adapter_config.json")
    }
    guard isFolder.boolValue else {
      throw CommandError(.notFound, "\(path): is a file. Give the folder that holds adapter_config.json")
    }
    guard !has("adapter_config.json") else { return }
    if has("adapter/adapter_config.json") {
      throw CommandError(
        .notFound, "\(path): no adapter_config.json. Did you mean \(folder.appendingPathComponent("adapter").path)?")
    }
    if has("study.sqlite") {
      throw CommandError(
        .notFound,
        "\(path): the study in this folder has no adapter yet. Run its search to the end, or give another folder")
    }
    if has("config.json") {
      throw CommandError(.notFound, "\(path): this is a model, not an adapter. Give it as --model")
    }
    throw CommandError(.notFound, "\(path): no adapter_config.json. Give the folder that holds it")
  }
}
