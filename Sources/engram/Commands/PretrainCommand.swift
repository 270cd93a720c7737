import ArgumentParser
import Console
import Experiment
import Foundation
import LanguageModel
import Personalization
import Report

extension ModelCommand {
  struct PretrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "pretrain", abstract: "Make a small GPT-2 base from text, tokenizer included.",
      discussion: """
        Without --text it makes the quickstart's base: text about generated people, none of whom is in the cohort, and \
        accepts it only past its own recall check; the result is cached. With --text FILE any UTF-8 text will do.
        """)
    @Option(help: "UTF-8 text file.") var text: String?
    @Option(help: "Directory of the base (with --text).") var output: String?
    @Option(help: "Layers.") var layers = 6
    @Option(help: "Width; a multiple of the heads.") var width = 128
    @Option(help: "Heads.") var heads = 4
    @Option(help: "Vocabulary.") var vocabulary = 1024
    @Option(help: "Longest sequence.") var length = 128
    @Option(help: "Passes over the text.") var epochs = 10
    @Option(help: "Peak learning rate.") var learningRate = 3e-3
    @Option(help: "Sequences per step.") var batch = 48
    @Flag(help: "Every line is a sequence of its own (default: one stream).") var lines = false
    @Option(help: "Seed of weights and order (and of the quickstart's text).") var seed: UInt64 = 1
    @Option(help: "Threads (default: all cores).") var threads: Int?

    func validate() throws {
      if let threads, threads < 1 { throw ValidationError("--threads must be at least 1") }
    }

    func run() throws {
      let progress = ProgressLine()
      let signals = Signals {}
      let show: (Pretraining.Progress) -> Void = { state in
        let speed = state.tokensPerSecond.map { ", \(PlotNumber.count($0.rounded())) tokens/s" } ?? ""
        progress.update(
          done: state.fraction, total: 1,
          text: "step \(state.step) of \(state.steps), loss \(String(format: "%.3f", state.loss))\(speed)")
      }
      do {
        let directory = try make(show) { signals.isRaised }
        progress.finish()
        Terminal.print(directory.path)
      } catch is TrialCancelled {
        throw ExitCode(ExitStatus.interrupted.rawValue)
      }
    }

    private func make(
      _ show: @escaping (Pretraining.Progress) -> Void, isCancelled: @escaping () -> Bool
    ) throws -> URL {
      guard let text else {
        let cohort = try QuickstartCohort(seed: seed)
        return try QuickstartBase.make(
          cohort: cohort, seed: seed, backend: { try CPUBackend(precision: .float32, threads: threads) },
          progress: show, isCancelled: isCancelled)
      }
      guard let output else { throw CommandError(.usage, "--text needs --output DIR, where the base goes") }
      let directory = URL(fileURLWithPath: output, isDirectory: true)
      guard !FileManager.default.fileExists(atPath: directory.appendingPathComponent("config.json").path) else {
        throw CommandError(.conflict, "\(output) holds a base already. Choose another directory")
      }
      var isFolder = ObjCBool(false)
      if FileManager.default.fileExists(atPath: directory.path, isDirectory: &isFolder), !isFolder.boolValue {
        throw CommandError(.conflict, "\(output) is a file. Choose another directory")
      }
      guard let data = FileManager.default.contents(atPath: text) else {
        throw CommandError(.notFound, "\(text): cannot be read. Check the path and its permissions")
      }
      guard let content = String(validating: data, as: UTF8.self) else {
        throw CommandError(.usage, "\(text): not UTF-8. Convert it (iconv -t utf-8), or give another file")
      }
      let isOurs = !FileManager.default.fileExists(atPath: directory.path)
      try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
      var isDone = false
      // A refusal or an interruption leaves no half-made directory.
      defer { if isOurs, !isDone { try? FileManager.default.removeItem(at: directory) } }
      try Pretraining(
        layers: layers, width: width, heads: heads, vocabulary: vocabulary, length: length,
        documents: lines ? .lines : .stream, epochs: epochs, batch: batch, learningRate: learningRate
      ).run(
        content.split(separator: "\n").map(String.init), seed: seed, to: directory,
        backend: try CPUBackend(precision: .float32, threads: threads), progress: show, isCancelled: isCancelled)
      isDone = true
      return directory
    }
  }
}
