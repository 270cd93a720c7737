import ArgumentParser
import BayesianOptimization
import Console
import Experiment
import Foundation
import Report

extension EngramBench {
  struct QualityBench: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "quality", abstract: "Hypervolume per trial on a test problem, sampler beside sampler.",
      discussion: """
        Every sampler searches from the same random initial sets and sees the same noise. Prints the mean normalised \
        hypervolume with the half-width of its 95 % interval, and how far the first sampler is ahead of each (paired \
        differences, 95 %). JSON has every curve, the initial sets and the noise: Benchmarks/peers reads it.
        """)
    @Option(help: "One of \(AnalyticProblem.names.joined(separator: ", ")).") var problem = "sparse34"
    @Option(help: "Samplers, separated by commas.") var samplers = "saas-nehvi,nsga2,sobol,random"
    @Option(help: "Initial sets.") var sets = 20
    @Option(help: "Size of an initial set.") var initial = 20
    @Option(help: "Evaluations of a search, the initial ones included.") var budget = 60
    @Option(help: "Proposals per round.") var batch = 5
    @Option(help: "Seed.") var seed: UInt64 = 11
    @Option(help: "Threads of a proposal; never changes the result.") var threads = 1
    @OptionGroup var options: FormatOptions

    func run() throws {
      guard let problem = AnalyticProblem.named(problem) else {
        throw CommandError(
          .usage, "--problem \(problem): the problems are \(AnalyticProblem.names.joined(separator: ", "))")
      }
      guard sets >= 1, initial >= 2, budget > initial, batch >= 1, threads >= 1 else {
        throw CommandError(
          .usage, "--sets, --batch and --threads must be at least 1, --initial at least 2, --budget above --initial")
      }
      let count = sets
      let runs = try SearchQuality.pairedRuns(
        problem: problem, settings: try settings(), sets: sets, initial: initial, budget: budget, batch: batch,
        seed: seed
      ) { set in Terminal.printError("engram: set \(set + 1) of \(count)") }
      if options.format == .json { return Terminal.print(try JSON.line(runs)) }
      var table = TextTable([
        ("evaluations", .right), ("sampler", .left), ("hypervolume", .right), ("95 %", .right), ("ahead by", .right),
        ("95 %", .right),
      ])
      let steps = Set(stride(from: initial, through: budget, by: max(1, (budget - initial) / 4)) + [budget]).sorted()
      for step in steps {
        for curve in runs.comparison {
          table.add(
            ["\(step)", curve.sampler]
              + [curve.mean[step - 1], curve.band[step - 1], curve.advantage[step - 1], curve.margin[step - 1]]
              .map { String(format: "%.4f", $0) })
        }
      }
      table.print(as: options.format)
    }

    private func settings() throws -> [SamplerSettings] {
      let names = samplers.split(separator: ",").map(String.init)
      guard !names.isEmpty, Set(names).count == names.count else {
        throw CommandError(.usage, "--samplers \(samplers): write different names, separated by commas")
      }
      return try names.map { name in
        guard let kind = SamplerSettings.Kind(rawValue: name) else {
          let known = SamplerSettings.Kind.allCases.map(\.rawValue).joined(separator: ", ")
          throw CommandError(.usage, "--samplers: '\(name)' is unknown. The samplers are \(known)")
        }
        return SamplerSettings(kind: kind, threads: threads)
      }
    }
  }
}
