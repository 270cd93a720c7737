import ArgumentParser
import Console
import Experiment
import Foundation
import LanguageModel
import Report

struct ModelCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "model", abstract: "A base, with or without adapters: look, tokenize, measure, generate, pretrain.",
    subcommands: [
      InfoCommand.self, TokenizeCommand.self, ChatTemplateCommand.self, LossCommand.self, GenerateCommand.self,
      PretrainCommand.self,
    ])

  struct InfoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "info", abstract: "Architecture, sizes, tensors and content hash of a base.")
    @Argument(help: "Hugging Face directory.") var model: String
    @OptionGroup var options: FormatOptions

    struct Output: Encodable {
      var architecture: String
      var layers: Int
      var width: Int
      var feedForward: Int
      var heads: Int
      var keyValueHeads: Int
      var vocabulary: Int
      var positions: Int
      var parameters: Int
      var storedType: String
      var bytes: Int
      var chatTemplates: [String]
      var ignoredTensors: [String]
      var fingerprint: String
    }

    func run() throws {
      let checkpoint = try Checkpoint(URL(fileURLWithPath: model, isDirectory: true))
      let configuration = checkpoint.configuration
      // A base may be looked at before it has a tokenizer.
      if let tokenizer = try? Tokenizer(directory: checkpoint.directory),
        let problem = checkpoint.vocabularyProblem(tokenizer)
      {
        Terminal.printError("warning: \(problem.message)")
      }
      if let element = checkpoint.firstNonFinite() {
        Terminal.printError("warning: the weights are not finite: \(element); nothing can be computed with them")
      }
      let output = Output(
        architecture: configuration.architecture.rawValue, layers: configuration.layerCount,
        width: configuration.hiddenSize, feedForward: configuration.intermediateSize, heads: configuration.headCount,
        keyValueHeads: configuration.keyValueHeadCount, vocabulary: configuration.vocabularySize,
        positions: configuration.maximumLength, parameters: configuration.parameterCount,
        storedType: checkpoint.storedType.rawValue, bytes: checkpoint.byteCount,
        chatTemplates: try ChatTemplates.texts(in: checkpoint.directory).keys.sorted(),
        ignoredTensors: checkpoint.ignoredTensors, fingerprint: try checkpoint.fingerprint())
      if options.format == .json { return Terminal.print(try JSON.pretty(output)) }
      var table = TextTable([("property", .left), ("value", .left)])
      table.add(["architecture", output.architecture])
      table.add(["layers", "\(output.layers)"])
      table.add(["width", "\(output.width)"])
      table.add(["feed-forward width", "\(output.feedForward)"])
      table.add(["heads", "\(output.heads) (\(output.keyValueHeads) key/value)"])
      table.add(["vocabulary", "\(output.vocabulary)"])
      table.add(["longest sequence", "\(output.positions)"])
      table.add(["parameters", StudySummary.grouped(output.parameters)])
      table.add(["stored as", "\(output.storedType), \(StudySummary.grouped(output.bytes)) bytes"])
      table.add(["chat template", output.chatTemplates.isEmpty ? "none" : output.chatTemplates.joined(separator: ", ")])
      table.add(["sha256", output.fingerprint])
      table.print(as: options.format)
    }
  }

  struct TokenizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "tokenize", abstract: "JSON strings on standard input, arrays of token ids out (or back).")
    @Option(help: "Hugging Face directory with tokenizer.json.") var model: String
    @Flag(help: "Leave out the template's special tokens.") var noSpecialTokens = false
    @Flag(help: "Arrays of ids in, JSON strings out.") var decode = false
    @Flag(help: "With --decode: leave special tokens out of the text.") var skipSpecialTokens = false
    @Argument(help: "File with one JSON value per line; - is standard input.") var file: String = "-"

    func run() throws {
      let tokenizer = try Tokenizer(directory: URL(fileURLWithPath: model, isDirectory: true))
      let input = ByteLines(path: file)
      try input.answer { line, number, output in
        do {
          if decode {
            let text = try tokenizer.decode(jsonIDs: line, skipSpecialTokens: skipSpecialTokens)
            output += try JSON.line(text).utf8
          } else {
            try tokenizer.encode(jsonString: line, addSpecialTokens: !noSpecialTokens, into: &output)
          }
          output.append(0x0A)
        } catch let error as ModelFileError {
          throw CommandError(
            .usage, "\(input.place):\(number): \(error.message). Write one JSON \(decode ? "array" : "string") per line"
          )
        }
      }
    }
  }
}
