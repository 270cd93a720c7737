import ArgumentParser
import BayesianOptimization
import Console
import Experiment
import Foundation
import Foundations
import LanguageModel
import MemoryRecipe
import Personalization
import Processes
import Report
import Study
import StudyDatabase
import Worker

struct MemoryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "memory", abstract: "One configuration: train it, measure it, talk to it, export it.",
    subcommands: [
      TrainCommand.self, EvaluateCommand.self, GenerateCommand.self, ChatCommand.self, ExportCommand.self,
    ])

  /// A study's file and a configuration.
  struct Setup: ParsableArguments {
    @Argument(help: "The study's file: base, data, training.") var study: String
    @Option(help: "cpu or cuda:N.") var device: String = "cpu"
    @Option(help: "Threads (default: all cores).") var threads: Int?
    @Option(help: "Arithmetic instead of the study's base.precision: f32, bf16 or automatic.")
    var precision: Precision?

    func validate() throws {
      if let threads, threads < 1 { throw ValidationError("--threads must be at least 1") }
    }

    /// - Parameter saysWarnings: whether oddities of the records are told; not to somebody who only asks.
    func experiment(
      _ progress: ProgressLine, _ signals: SignalWatch, saysWarnings: Bool = false
    ) throws -> (MemoryExperiment, PreparedStudy) {
      let prepared = try PreparedStudy.prepare(
        path: study, threads: threads,
        step: { step in
          if case .warning = step, !saysWarnings { return }
          progress.show(step)
        },
        isCancelled: { signals.isRaised })
      guard let resources = prepared.resources else {
        throw CommandError(.usage, "\(study): this needs the memory evaluator (evaluator.name: memory)")
      }
      return (
        try prepared.experiment(resources, device: device, precision: precision, threads: threads), prepared
      )
    }
  }

  struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "train",
      abstract: "Stage 1 with one configuration; measures it on validation and writes the adapter.")
    @OptionGroup var setup: Setup
    @Option(help: "θ, as {\"layers\":[0,1],\"count\":2,\"rank\":8}.") var configuration: String
    @Option(help: "Seed of the LoRA's initial values and the order.") var seed: UInt64 = 1
    @Option(help: "Directory for the PEFT adapter; must not exist.") var output: String?
    @Option(help: "File for the training loss of every step, a JSON array.") var losses: String?

    struct Output: Encodable {
      var objectives: [String: Double]
      var standardErrors: [String: Double]
      var trainableParameters: Int
      var seconds: Double
      var steps: Int
    }

    func run() throws {
      if let output, FileManager.default.fileExists(atPath: output) {
        throw CommandError(.conflict, "\(output) exists already. Choose another directory")
      }
      let progress = ProgressLine()
      let signals = SignalWatch { _ in }
      let (experiment, prepared) = try setup.experiment(progress, signals, saysWarnings: true)
      let theta = try ConfigurationText.parse(configuration, space: prepared.space)
      if output != nil, theta.isNull {
        throw CommandError(.usage, "--output: this configuration is the base itself, there is no adapter to write")
      }
      do {
        let outcome = try experiment.evaluate(
          theta, seed: seed,
          progress: { state in
            progress.update(
              done: state.fraction, total: 1,
              text: "\(state.phase.rawValue), step \(state.step) of \(state.steps)"
                + (state.values["trainingLoss"].map { String(format: ", loss %.4f", $0) } ?? ""))
          }, isCancelled: { signals.isRaised })
        progress.finish()
        if let output, let export = outcome.exportAdapter {
          try export(URL(fileURLWithPath: output, isDirectory: true))
        }
        if let losses {
          try AtomicFile.write(JSON.line(outcome.trainingLosses), to: URL(fileURLWithPath: losses), mode: nil)
        }
        Terminal.print(
          try JSON.line(
            Output(
              objectives: outcome.objectives, standardErrors: outcome.measurement.standardErrors,
              trainableParameters: outcome.trainableParameters, seconds: outcome.seconds, steps: outcome.steps)))
      } catch is TrialCancelled {
        throw ExitCode(ExitStatus.interrupted.rawValue)
      }
    }
  }

  struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "evaluate",
      abstract:
        "One configuration on the test split, beside the base and instruction tuning alone (the paper's Table 6).")
    @OptionGroup var setup: Setup
    @Option(help: "θ, as {\"layers\":[0,1],\"count\":2,\"rank\":8}.") var configuration: String
    @Option(help: "Seed of the LoRA's initial values and the order.") var seed: UInt64 = 1
    @OptionGroup var options: FormatOptions

    func run() throws {
      let progress = ProgressLine()
      let signals = SignalWatch { _ in }
      let (experiment, prepared) = try setup.experiment(progress, signals, saysWarnings: true)
      let theta = try ConfigurationText.parse(configuration, space: prepared.space)
      do {
        let outcome = try experiment.comparison(
          theta, seed: seed,
          progress: {
            progress.update(
              done: $0.fraction, total: 1,
              text: "\($0.phase.rawValue), \(Int(exactly: ($0.fraction * 100).rounded(.down)) ?? 0) %")
          }, isCancelled: { signals.isRaised })
        progress.finish()
        if options.format == .json { return Terminal.print(try JSON.pretty(outcome.comparison)) }
        ComparisonTable.table(outcome.comparison).print(as: options.format)
        if options.format == .table { Terminal.print("\n" + ComparisonTable.replies(outcome.comparison)) }
      } catch is TrialCancelled {
        throw ExitCode(ExitStatus.interrupted.rawValue)
      }
    }
  }

  struct GenerateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "generate", abstract: "Ask users of a study through its adapter.",
      discussion: """
        Standard input: one JSON object {"user":…,"query":…} per line; prints {"reply":…} per line. Replies come as the \
        questions do: a program may write a line, read the reply, and go on. Lines that wait together are answered together.

        Example: echo '{"user":"reed13","query":"where do you live"}' | engram memory generate configs/quickstart.yaml
        """)
    @OptionGroup var setup: Setup
    @OptionGroup var source: MemorySource
    @Argument(help: "File with the questions; - is standard input.") var questions: String = "-"

    struct Question: Decodable {
      var user: String
      var query: String
      var context: String?
    }
    struct Reply: Encodable { var reply: String }

    func run() throws {
      let progress = ProgressLine()
      let signals = SignalWatch { _ in }
      let (experiment, prepared) = try setup.experiment(progress, signals)
      let memory = try source.memory(experiment, study: prepared.configuration.name)
      progress.finish()
      let lines = ByteLines(path: questions)
      var asked: [(user: String, query: String, context: String?)] = []
      try lines.answer(
        atPause: { output in
          for reply in try experiment.replies(to: asked, adapters: [memory]) {
            output += Array(try JSON.line(Reply(reply: reply)).utf8) + [UInt8(ascii: "\n")]
          }
          asked = []
        },
        { line, number, _ in
          let text = number == 1 && line.starts(with: [0xEF, 0xBB, 0xBF]) ? Data(line.dropFirst(3)) : Data(line)
          let question = try JSONLines.value(Question.self, text, at: "\(lines.place):\(number)")
          try experiment.dataset.require(user: question.user)
          asked.append((user: question.user, query: question.query, context: question.context))
        })
    }
  }
}
