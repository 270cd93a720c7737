import ArgumentParser
import Console
import Experiment
import Foundation
import Personalization
import Processes
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
      let signals = SignalWatch { _ in }
      let show: (Pretraining.Progress) -> Void = { state in
        let speed = state.tokensPerSecond.map { ", \(PlotNumber.count($0.rounded())) tokens/s" } ?? ""
        progress.update(
          done: state.fraction, total: 1,
          text: "step \(state.step) of \(state.steps), loss \(String(format: "%.3f", state.loss))\(speed)")
      }
      do {
        let base = BaseMaking(text: text, output: output, seed: seed, threads: threads)
        let directory = try base.make(progress: show, isCancelled: { signals.isRaised }) {
          Pretraining(
            layers: layers, width: width, heads: heads, vocabulary: vocabulary, length: length,
            documents: lines ? .lines : .stream, epochs: epochs, batch: batch, learningRate: learningRate)
        }
        progress.finish()
        Terminal.print(directory.path)
      } catch is TrialCancelled {
        throw ExitCode(ExitStatus.interrupted.rawValue)
      }
    }
  }
}
