import ArgumentParser
import Foundation
import LanguageModel

extension MemoryCommand {
  struct ExportCommand: ParsableCommand {
    enum Form: String, ExpressibleByArgument, CaseIterable { case peft, uniform, merged }

    static let configuration = CommandConfiguration(
      commandName: "export", abstract: "Write an adapter for other tools.",
      discussion: """
        peft: the directory as PEFT reads it. uniform: one rank for all modules (vLLM and others that ignore rank \
        patterns). merged: the base with the memory added to its weights, as a Hugging Face directory.
        """)
    @Option(help: "Base: a Hugging Face directory.") var model: String
    @Option(help: "PEFT adapter directory, such as runs/quickstart/adapter.") var adapter: String
    @Option(name: .customLong("to"), help: "peft, uniform or merged.") var form: Form
    @Option(help: "Directory to write; must not exist.") var output: String

    func run() throws {
      guard !FileManager.default.fileExists(atPath: output) else {
        throw CommandError(.conflict, "\(output) exists already. Choose another directory")
      }
      let checkpoint = try Checkpoint(URL(fileURLWithPath: model, isDirectory: true))
      let peft = try PEFTAdapter(
        directory: URL(fileURLWithPath: adapter, isDirectory: true), for: checkpoint.configuration)
      let target = URL(fileURLWithPath: output, isDirectory: true)
      switch form {
      case .peft: try peft.write(to: target, for: checkpoint.configuration)
      case .uniform: try peft.uniform().write(to: target, for: checkpoint.configuration)
      case .merged:
        let model = try CausalLanguageModel(checkpoint, backend: try CPUBackend(precision: .float32))
        try model.writeMerged([model.makeAdapter(peft)], to: target)
      }
      Terminal.print(target.path)
    }
  }
}
