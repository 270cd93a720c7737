import Foundation
import TestSupport
import Testing

/// What the commands say about models and adapters that are not what they should be, and what exports hold.
@Suite("Model and adapter files on the command line", .ownThread, .bounded)
struct ModelFilesCommandTests {
  private let folder: TemporaryFolder
  private let model = Fixtures.url("goldens/lm/models/llama-mha").path
  private let adapter = Fixtures.url("goldens/lm/adapters/llama-mha-two-active").path

  init() throws { folder = try TemporaryFolder("engram-files") }

  private func path(_ name: String) -> String { folder.url.appendingPathComponent(name).path }

  private func run(_ arguments: [String], input: String? = "{\"ids\":[3,5,9]}\n") throws -> EngramProcess.Outcome {
    try EngramProcess.run(
      arguments, input: input, environment: ["ENGRAM_RUNS": path("runs"), "XDG_CACHE_HOME": path("cache")],
      folder: folder.url)
  }

  private func loss(_ model: String, adapter: String? = nil) throws -> EngramProcess.Outcome {
    try run(["model", "loss", "--model", model, "--data", "-"] + (adapter.map { ["--adapter", $0] } ?? []))
  }

  @Test("--adapter with a study's folder asks whether its adapter was meant")
  func adapterHints() throws {
    try FileManager.default.createDirectory(atPath: path("runs/quick"), withIntermediateDirectories: true)
    try FileManager.default.copyItem(atPath: adapter, toPath: path("runs/quick/adapter"))
    let hints: [(String, String)] = [
      ("runs/quick", "Did you mean \(path("runs/quick/adapter"))"), ("runs", "no adapter_config.json"),
      ("runs/nothing", "no such folder"), ("runs/quick/adapter/adapter_config.json", "is a file"),
      (model, "Give it as --model"),
    ]
    for (given, expected) in hints {
      let result = try loss(model, adapter: given)
      #expect(result.status == 3, "\(given): \(result.errors)")
      #expect(result.errors.contains(expected), "\(given): \(result.errors)")
    }
    #expect(try loss(model, adapter: path("runs/quick/adapter")).status == 0)
  }

  @Test("A name of the Hub is not downloaded, and the command that does it is told")
  func hubName() throws {
    let result = try loss("meta-llama/Llama-2-7b-hf")
    #expect(result.status == 3)
    #expect(result.errors.contains("hf download meta-llama/Llama-2-7b-hf"), "\(result.errors)")
    #expect(try loss(adapter).errors.contains("this is an adapter"))
  }

  @Test("Exports carry the base's files and no path of this machine")
  func exports() throws {
    try FileManager.default.copyItem(atPath: model, toPath: path("base"))
    try Data("{{ x }}".utf8).write(to: URL(fileURLWithPath: path("base/chat_template.jinja")))
    try FileManager.default.copyItem(atPath: adapter, toPath: path("trained"))
    let file = URL(fileURLWithPath: path("trained/adapter_config.json"))
    let text = try String(contentsOf: file, encoding: .utf8)
      .replacing(
        "\"base_model_name_or_path\": \"llama-mha\"", with: "\"base_model_name_or_path\": \"/home/anna/llama\"")
    #expect(text.contains("/home/anna"))
    try Data(text.utf8).write(to: file)
    for form in ["peft", "uniform", "merged"] {
      let result = try run(
        [
          "memory", "export", "--model", path("base"), "--adapter", path("trained"), "--to", form, "--output",
          path(form),
        ])
      #expect(result.status == 0, "\(result.errors)")
      for name in ["tokenizer.json", "chat_template.jinja", "README.md"] {
        #expect(FileManager.default.fileExists(atPath: path("\(form)/\(name)")), "\(form) \(name)")
      }
      for name in ["adapter_config.json", "config.json", "README.md", "engram.json"] {
        guard let text = try? String(contentsOfFile: path("\(form)/\(name)"), encoding: .utf8) else { continue }
        #expect(!text.contains("/home") && !text.contains(folder.url.path), "\(form) \(name)")
      }
    }
    let written = try String(contentsOfFile: path("peft/adapter_config.json"), encoding: .utf8)
    #expect(written.contains("\"base_model_name_or_path\": \"base\""))
    #expect(try loss(path("base"), adapter: path("peft")).output == loss(path("base"), adapter: path("trained")).output)
  }

  @Test("Settings of generation that are not applied are told once")
  func ignoredSettings() throws {
    try FileManager.default.copyItem(atPath: model, toPath: path("base"))
    try Data("{\"eos_token_id\":2,\"repetition_penalty\":1.3}".utf8)
      .write(to: URL(fileURLWithPath: path("base/generation_config.json")))
    let result = try run(["model", "generate", "--model", path("base"), "--max-new-tokens", "2"])
    #expect(result.status == 0)
    #expect(result.errors.contains("repetition_penalty 1.3"))
  }
}
