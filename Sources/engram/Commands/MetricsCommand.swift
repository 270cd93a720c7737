import ArgumentParser
import Console
import Experiment
import Foundation
import Personalization
import Report

struct MetricsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "metrics", abstract: "Scores from files: ROUGE and Persona-F1.",
    subcommands: [RougeCommand.self, PersonaF1Command.self])

  struct RougeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "rouge", abstract: "ROUGE-1 and ROUGE-L of predictions against references.",
      discussion: """
        Both files hold one JSON string per line. Prints one JSON object with fractions in [0,1]: the corpus means and \
        every pair's scores.
        """)

    @Option(help: "File of predictions, a JSON string per line.") var predictions: String
    @Option(help: "File of references, a JSON string per line.") var references: String
    @Flag(help: "Porter-stem words longer than three letters.") var stemmer = false
    @Flag(help: "Keep letters of all scripts (the reference drops what is not a-z and 0-9).") var unicode = false

    struct Pair: Encodable {
      var rouge1: RougeScore
      var rougeL: RougeScore
    }
    struct Output: Encodable {
      var rouge1: RougeScore
      var rougeL: RougeScore
      var examples: [Pair]
    }

    func run() throws {
      let predicted = try JSONLines.read(String.self, from: predictions)
      let expected = try JSONLines.read(String.self, from: references)
      guard predicted.count == expected.count else {
        throw CommandError(
          .usage,
          "\(predictions) has \(predicted.count) lines, \(references) has \(expected.count). Give one reference per prediction"
        )
      }
      guard !predicted.isEmpty else { throw CommandError(.usage, "\(predictions): no lines. Give at least one pair") }
      let options = Rouge.Options(stemmer: stemmer, unicode: unicode)
      let pairs = zip(predicted, expected).map { Rouge(prediction: $0, reference: $1, options: options) }
      let output = Output(
        rouge1: Self.mean(pairs.map(\.rouge1)), rougeL: Self.mean(pairs.map(\.rougeL)),
        examples: pairs.map { Pair(rouge1: $0.rouge1, rougeL: $0.rougeL) })
      Terminal.print(try JSON.line(output))
    }

    private static func mean(_ scores: [RougeScore]) -> RougeScore {
      let count = Double(scores.count)
      return RougeScore(
        precision: scores.reduce(0) { $0 + $1.precision } / count, recall: scores.reduce(0) { $0 + $1.recall } / count,
        f1: scores.reduce(0) { $0 + $1.f1 } / count)
    }
  }

  struct PersonaF1Command: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "persona-f1", abstract: "Overlap of responses with what their users wrote.",
      discussion: """
        Responses: one JSON string per line; histories: one JSON array of strings per line. Prints one JSON object with \
        fractions in [0,1].
        """)

    @Option(help: "File of responses, a JSON string per line.") var responses: String
    @Option(help: "File of histories, a JSON array of strings per line.") var histories: String
    @Flag(help: "Count stop words too.") var keepStopWords = false

    struct Output: Encodable {
      var personaF1: Double
      var examples: [Double]
    }

    func run() throws {
      let replies = try JSONLines.read(String.self, from: responses)
      let contents = try JSONLines.read([String].self, from: histories)
      guard replies.count == contents.count else {
        throw CommandError(
          .usage,
          "\(responses) has \(replies.count) lines, \(histories) has \(contents.count). Give one history per response")
      }
      guard !replies.isEmpty else { throw CommandError(.usage, "\(responses): no lines. Give at least one pair") }
      let metric = PersonaF1(keepStopWords: keepStopWords)
      let scores = zip(replies, contents).map { metric.score(response: $0, history: $1) }
      Terminal.print(
        try JSON.line(Output(personaF1: scores.reduce(0, +) / Double(scores.count), examples: scores)))
    }
  }
}
