import ArgumentParser
import Console
import Experiment
import Foundation
import LanguageModel
import Personalization
import Study

/// Which model, on what.
struct ModelOptions: ParsableArguments {
  @Option(help: "Hugging Face directory: config.json, safetensors, tokenizer.json.") var model: String
  @Option(help: "PEFT adapter directory; may be repeated.") var adapter: [String] = []
  @Option(help: "Arithmetic: f32 (exact), bf16 (frozen weights), automatic (the fastest here).")
  var dtype: DataTypeOption = .f32
  @Flag(help: "Take an adapter although it was trained on other weights.") var anyBase = false
  @Option(help: "cpu or cuda:N.") var device: String = "cpu"
  @Option(help: "Threads (default: all cores).") var threads: Int?

  func validate() throws {
    if let threads, threads < 1 { throw ValidationError("--threads must be at least 1") }
  }

  var directory: URL { URL(fileURLWithPath: model, isDirectory: true) }

  func backend() throws -> any Backend { try Devices.backend(device, precision: dtype.precision, threads: threads) }

  /// The model and its adapters.
  func load() throws -> (model: CausalLanguageModel, adapters: [Adapter]) {
    let checkpoint = try Checkpoint(directory)
    let model = try CausalLanguageModel(checkpoint, backend: try backend())
    let adapters = try adapter.map { try model.makeAdapter(AdapterFiles.read($0, for: checkpoint, anyBase: anyBase)) }
    return (model, adapters)
  }
}

/// Adapters as the command line reads them: refused on another base than the one they were trained on.
enum AdapterFiles {
  static func read(_ path: String, for checkpoint: Checkpoint, anyBase: Bool) throws -> PEFTAdapter {
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
