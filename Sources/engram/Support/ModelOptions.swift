import ArgumentParser
import Foundation
import LanguageModel

enum DataTypeOption: String, ExpressibleByArgument, CaseIterable { case f32, bf16, automatic }

/// Which model, on what.
struct ModelOptions: ParsableArguments {
  @Option(help: "Hugging Face directory: config.json, safetensors, tokenizer.json.") var model: String
  @Option(help: "PEFT adapter directory; may be repeated.") var adapter: [String] = []
  @Option(help: "Arithmetic: f32 (exact), bf16 (frozen weights), automatic (the fastest here).")
  var dtype: DataTypeOption = .f32
  @Option(help: "Threads (default: all cores).") var threads: Int?

  func validate() throws {
    if let threads, threads < 1 { throw ValidationError("--threads must be at least 1") }
  }

  var directory: URL { URL(fileURLWithPath: model, isDirectory: true) }

  func backend() throws -> CPUBackend {
    let precision: CPUPrecision =
      switch dtype {
      case .f32: .float32
      case .bf16: .bfloat16
      case .automatic: .automatic
      }
    return try CPUBackend(precision: precision, threads: threads)
  }

  /// The model and its adapters.
  func load() throws -> (model: CausalLanguageModel, adapters: [Adapter]) {
    let checkpoint = try Checkpoint(directory)
    let model = try CausalLanguageModel(checkpoint, backend: try backend())
    let adapters = try adapter.map { path in
      let files = try PEFTAdapter(
        directory: URL(fileURLWithPath: path, isDirectory: true), for: checkpoint.configuration)
      return try model.makeAdapter(files)
    }
    return (model, adapters)
  }
}
