import ArgumentParser
import Console
import Experiment
import Foundation
import LanguageModel
import Report

extension ModelCommand {
  struct LossCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "loss", abstract: "Cross-entropy of responses, or of labelled token ids.",
      discussion: """
        Lines {"prompt":…,"response":…} or {"ids":[…],"labels":[…]} (labels -100 = ignored, shifted inside). Prints \
        {"loss":…,"tokens":…,"examples":[{"loss":…,"tokens":…}]}; the loss is the mean over all labelled tokens.
        """)
    @OptionGroup var options: ModelOptions
    @Option(help: "JSON Lines; - is standard input.") var data: String
    @Flag(help: "Append the end token to every response, and label it.") var eos = false
    @Option(help: "Also write logits.<line> [T, V] as safetensors.") var logits: String?

    struct Output: Encodable {
      struct Example: Encodable {
        var loss: Double
        var tokens: Int
      }
      var loss: Double
      var tokens: Int
      var examples: [Example]
    }

    func run() throws {
      let lines = try LossExamples(data)
      let (model, adapters) = try options.load()
      let examples = try lines.examples(for: model, directory: options.directory, endsResponses: eos)
      let evaluation = try model.evaluate(examples, adapters: adapters)
      if let logits { try writeLogits(examples, model, adapters, to: URL(fileURLWithPath: logits)) }
      let output = Output(
        loss: evaluation.loss, tokens: evaluation.tokens,
        examples: evaluation.examples.map { Output.Example(loss: $0.loss, tokens: $0.tokens) })
      Terminal.print(try JSON.line(output))
    }

    private func writeLogits(
      _ examples: [TrainingExample], _ model: CausalLanguageModel, _ adapters: [Adapter], to file: URL
    ) throws {
      let tensors = try examples.enumerated().map { index, example in
        TensorSource(
          name: "logits.\(index)", shape: [example.ids.count, model.configuration.vocabularySize],
          values: try model.logits(example.ids, adapters: adapters))
      }
      try SafetensorsWriter.write(tensors, to: file)
    }
  }

  struct GenerateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "generate", abstract: "Continue prompts, greedily by default.",
      discussion: """
        Lines: a JSON string or {"ids":[…]}. Prints {"text":…,"ids":[…]} per line: new tokens only, the stop id included \
        in ids, special tokens left out of text. It stops at the end tokens of generation_config.json, or of config.json \
        where there is no such file.
        """)
    @OptionGroup var options: ModelOptions
    @Option(help: "Largest number of new tokens.") var maxNewTokens = 64
    @Option(help: "Sample with this temperature instead of taking the most likely token.") var temperature: Double?
    @Option(help: "With --temperature: only the k most likely tokens.") var topK: Int?
    @Option(help: "With --temperature: only the smallest set of tokens with this probability.") var topP: Double?
    @Option(help: "Seed of sampling.") var seed: UInt64 = 0
    @Argument(help: "File with one prompt per line; - is standard input.") var prompts: String = "-"

    func validate() throws {
      if maxNewTokens < 1 { throw ValidationError("--max-new-tokens must be at least 1") }
      if temperature == nil, topK != nil || topP != nil {
        throw ValidationError("--top-k and --top-p choose among random tokens: give --temperature with them")
      }
    }

    enum Prompt: Decodable {
      case text(String)
      case ids([Int])
      private enum Keys: String, CodingKey { case ids }
      init(from decoder: any Decoder) throws {
        do {
          self = .text(try decoder.singleValueContainer().decode(String.self))
        } catch DecodingError.typeMismatch {
          // What it is instead does not matter, only what it must be.
          guard let object = try? decoder.container(keyedBy: Keys.self), object.contains(.ids) else {
            throw DecodingError.dataCorrupted(
              .init(codingPath: [], debugDescription: "expected a JSON string or {\"ids\":[…]}"))
          }
          self = .ids(try object.decode([Int].self, forKey: .ids))
        }
      }
    }
    struct Output: Encodable {
      var text: String
      var ids: [Int]
    }

    func run() throws {
      let inputs = try JSONLines.read(Prompt.self, from: prompts)
      guard !inputs.isEmpty else { return }
      let (model, adapters) = try options.load()
      let tokenizer = try Tokenizer(directory: options.directory)
      let ids = try inputs.enumerated().map { index, input in
        switch input {
        case .text(let text):
          let ids = tokenizer.leadingSpecials + tokenizer.encode(text, addSpecialTokens: false)
          try model.checkpoint?.requireKnown(ids, tokenizer, place: "prompt \(index)")
          return ids.map(Int.init)
        case .ids(let ids): return ids
        }
      }
      if let ignored = model.checkpoint?.generation.ignoredSettings, !ignored.isEmpty {
        Terminal.printError("note: the model's generation settings are not applied: \(ignored.joined(separator: ", "))")
      }
      var generation = GenerationOptions(maximumNewTokens: maxNewTokens)
      if let temperature {
        generation.choice = .sample(temperature: temperature, topK: topK, topP: topP, seed: seed)
      }
      for result in try model.generate(ids, options: generation, adapters: adapters) {
        let text = try tokenizer.decode(result.ids.map(Int32.init), skipSpecialTokens: true)
        Terminal.print(try JSON.line(Output(text: text, ids: result.ids)))
      }
    }
  }
}
