import ArgumentParser
import Console
import Experiment
import Personalization

extension MemoryCommand {
  struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "export", abstract: "Write an adapter for other tools, with a model card.",
      discussion: """
        peft: the directory as PEFT reads it. uniform: one rank for all modules (vLLM and others that ignore rank \
        patterns). merged: the base with the memory added to its weights, as a Hugging Face directory. Each gets the base's \
        tokenizer, chat templates and generation settings, and a README.md that says what it was made from: hashes and \
        numbers. Neither README.md, engram.json nor adapter_config.json holds text of users or a path of this machine; \
        the base is named by --base-name, else by its name on the Hub if it lies in the Hub's cache, else by its folder.
        """)
    @Option(help: "Base: a Hugging Face directory.") var model: String
    @Option(help: "PEFT adapter directory, such as runs/quickstart/adapter.") var adapter: String
    @Option(name: .customLong("to"), help: "peft, uniform or merged.") var form: MemoryCard.Form
    @Option(help: "Directory to write; must not exist.") var output: String
    @Option(help: "The base's name for others, such as meta-llama/Llama-2-7b-hf (default: see above).")
    var baseName: String?
    @Option(help: "Licence identifier for the card, such as cc-by-4.0.") var license = "unknown"
    @Option(help: "Author for the card.") var author: String?
    @Flag(help: "Take an adapter although it was trained on other weights.") var anyBase = false

    func validate() throws {
      let known = license.first.map { $0.isASCII && ($0.isLetter || $0.isNumber) } == true
      guard known, license.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "-_.+".contains($0)) }) else {
        throw ValidationError("--license \(license): write an identifier such as apache-2.0 or cc-by-4.0")
      }
    }

    func run() throws {
      let export = AdapterExport(
        model: model, adapter: adapter, form: form, baseName: baseName, license: license, author: author,
        anyBase: anyBase)
      Terminal.print(try export.write(to: output).path)
    }
  }
}

extension MemoryCard.Form: ExpressibleByArgument {}
