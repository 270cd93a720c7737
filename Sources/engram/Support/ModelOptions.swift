import ArgumentParser
import Console
import Experiment
import Foundation
import LanguageModel
import MemoryRecipe
import Personalization
import Study

/// Which model, on what.
struct ModelOptions: ParsableArguments {
  @Option(help: "Hugging Face directory: config.json, safetensors, tokenizer.json.") var model: String
  @Option(help: "PEFT adapter directory; may be repeated.") var adapter: [String] = []
  @Option(help: "Arithmetic: f32 (exact), bf16 (frozen weights), automatic (the fastest here).")
  var dtype: Precision = .f32
  @Flag(help: "Take an adapter although it was trained on other weights.") var anyBase = false
  @Option(help: "cpu or cuda:N.") var device: String = "cpu"
  @Option(help: "Threads (default: all cores).") var threads: Int?

  func validate() throws {
    if let threads, threads < 1 { throw ValidationError("--threads must be at least 1") }
  }

  var directory: URL { URL(fileURLWithPath: model, isDirectory: true) }

  func backend() throws -> any Backend { try Devices.backend(device, precision: dtype, threads: threads) }

  /// The model and its adapters.
  func load() throws -> (model: CausalLanguageModel, adapters: [Adapter]) {
    let checkpoint = try Checkpoint(directory)
    let model = try CausalLanguageModel(checkpoint, backend: try backend())
    let adapters = try adapter.map { try model.makeAdapter(AdapterFiles.read($0, for: checkpoint, anyBase: anyBase)) }
    return (model, adapters)
  }
}
