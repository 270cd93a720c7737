import ArgumentParser
import Console
import Experiment
import Foundation
import Foundations
import LanguageModel
import Report

extension EngramBench {
  struct TokenizerBench: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "tokenizer", abstract: "Tokens per second of encoding the lines of text files, on one thread.",
      discussion: """
        Every line that is not blank is one text. The time is that of encoding alone, the best of the passes; the first pass, \
        with empty caches, is printed beside it. Benchmarks/peers/tokenizers_speed.py measures the peer on the same lines.
        """)
    @Option(help: "Hugging Face directory with tokenizer.json.") var model: String
    @Option(name: .customLong("repeat"), help: "Passes over the lines.") var passes = 3
    @Argument(help: "UTF-8 text files.") var files: [String]

    struct Output: Encodable {
      var texts: Int
      var megabytes: Double
      var tokens: Int
      var loadSeconds: Double
      var firstSeconds: Double
      var seconds: Double
      var tokensPerSecond: Double
    }

    func validate() throws {
      if passes < 1 { throw ValidationError("--repeat must be at least 1") }
    }

    func run() throws {
      let clock = ContinuousClock()
      let start = clock.now
      let tokenizer = try Tokenizer(directory: URL(fileURLWithPath: model, isDirectory: true))
      let load = start.duration(to: clock.now)
      var lines: [String] = []
      for file in files {
        guard let data = FileManager.default.contents(atPath: file) else {
          throw CommandError(.notFound, "\(file): cannot be read. Check the path and its permissions")
        }
        for line in data.split(separator: 0x0A) {
          guard let text = String(validating: line, as: UTF8.self) else {
            throw CommandError(.usage, "\(file): not UTF-8. Give text files")
          }
          if !text.allSatisfy(\.isWhitespace) { lines.append(text) }
        }
      }
      guard !lines.isEmpty else { throw CommandError(.usage, "no text in \(files.joined(separator: ", "))") }
      var tokens = 0
      let times = (0..<passes).map { _ in
        tokens = 0
        let start = clock.now
        for line in lines { tokens += tokenizer.encode(line).count }
        return start.duration(to: clock.now).seconds
      }
      let best = times.min() ?? .nan
      Terminal.print(
        try JSON.line(
          Output(
            texts: lines.count, megabytes: Double(lines.reduce(0) { $0 + $1.utf8.count }) / 1e6, tokens: tokens,
            loadSeconds: load.seconds, firstSeconds: times[0], seconds: best,
            tokensPerSecond: Double(tokens) / best)))
    }
  }
}
