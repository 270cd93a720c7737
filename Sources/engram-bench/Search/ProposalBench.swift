import ArgumentParser
import BayesianOptimization
import Console
import Experiment
import Foundation
import Report
import Study

extension EngramBench {
  struct ProposalBench: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "proposal", abstract: "One proposal and its parts, on given observations.",
      discussion: """
        Files as for suggest; --candidates has one configuration per line. Prints the median over the repetitions, each \
        with its own seed; JSON also has every repetition.
        """)
    @OptionGroup var problem: ProblemOptions
    @Option(help: "Configurations to score, one per line.") var candidates: String
    @Option(help: "Threads of a proposal.") var threads = 2
    @Option(help: "Proposals to measure.") var repetitions = 5
    @OptionGroup var options: FormatOptions

    struct Result: Encodable {
      var observations: Int
      var dimensions: Int
      var candidates: Int
      var threads: Int
      var peakMegabytes: Double
      var gradient: SearchBenchmarks.GradientTiming?
      var median: ProposalBenchmark.Repetition
      var repetitions: [ProposalBenchmark.Repetition]
    }

    func run() throws {
      guard threads >= 1, repetitions >= 1 else {
        throw CommandError(.usage, "--threads and --repetitions must be at least 1")
      }
      let file = try problem.problem()
      let observations = try ObservationFile(problem.observations, objectives: file.objectives).lines.compactMap(
        \.value.observation)
      guard observations.count >= 3 else {
        throw CommandError(.usage, "\(problem.observations): at least 3 finished observations are needed")
      }
      let configurations = try JSONLines.read(Configuration.self, from: candidates)
      var settings = file.sampler
      settings.threads = threads
      let reference = try problem.referencePoint(file.objectives)
      settings.reference = reference.map { .fixed($0) } ?? .inferred
      let runs = ProposalBenchmark.run(
        space: file.space, objectives: file.objectives, settings: settings, observations: observations,
        candidates: configurations, repetitions: repetitions)
      let result = Result(
        observations: observations.count, dimensions: file.space.dimension, candidates: configurations.count,
        threads: threads, peakMegabytes: Self.peakMegabytes,
        gradient: SearchBenchmarks.gradient(points: observations.count, features: file.space.dimension),
        median: Self.median(runs), repetitions: runs)
      if options.format == .json { return Terminal.print(try JSON.pretty(result)) }
      var table = TextTable([("quantity", .left), ("median", .right)])
      for (name, value) in Self.rows(result) { table.add([name, value]) }
      table.print(as: options.format)
    }

    /// Largest resident set of this process so far.
    private static var peakMegabytes: Double {
      var usage = rusage()
      getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
      return Double(usage.ru_maxrss) / 1024
    }

    private static func median(_ runs: [ProposalBenchmark.Repetition]) -> ProposalBenchmark.Repetition {
      func middle(_ value: (ProposalBenchmark.Repetition) -> Double) -> Double {
        let sorted = runs.map(value).sorted()
        let half = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
      }
      var result = ProposalBenchmark.Repetition()
      result.fitSeconds = middle(\.fitSeconds)
      result.fitProcessorSeconds = middle(\.fitProcessorSeconds)
      result.minimumEffectiveSampleSize = middle(\.minimumEffectiveSampleSize)
      result.maximumRHat = middle(\.maximumRHat)
      result.gradients = Int(middle { Double($0.gradients) })
      result.buildSeconds = middle(\.buildSeconds)
      result.anchors = Int(middle { Double($0.anchors) })
      result.candidatesSeconds = middle(\.candidatesSeconds)
      result.coldProposalSeconds = middle(\.coldProposalSeconds)
      result.warmProposalSeconds = middle(\.warmProposalSeconds)
      result.evaluations = Int(middle { Double($0.evaluations) })
      return result
    }

    private static func rows(_ result: Result) -> [(String, String)] {
      let median = result.median
      func seconds(_ value: Double) -> String { String(format: "%.4f", value) }
      return [
        ("observations x dimensions", "\(result.observations) x \(result.dimensions)"),
        ("fit, cold s", seconds(median.fitSeconds)),
        ("worst effective sample size", String(format: "%.0f", median.minimumEffectiveSampleSize)),
        ("worst R-hat", String(format: "%.3f", median.maximumRHat)),
        ("gradients", "\(median.gradients)"),
        ("one gradient µs", result.gradient.map { String(format: "%.1f", $0.medianMicroseconds) } ?? "-"),
        (
          "GFLOP/s, of at most",
          result.gradient.map { String(format: "%.1f, %.0f", $0.gigaflops, $0.limitGigaflops) } ?? "-"
        ),
        ("acquisition, build s", seconds(median.buildSeconds)),
        ("baseline points", "\(median.anchors)"),
        ("\(result.candidates) candidates s", seconds(median.candidatesSeconds)),
        ("proposal, cold s", seconds(median.coldProposalSeconds)),
        ("proposal, warm s", seconds(median.warmProposalSeconds)),
        ("acquisition values", "\(median.evaluations)"),
        ("peak memory MB", String(format: "%.0f", result.peakMegabytes)),
      ]
    }
  }
}
