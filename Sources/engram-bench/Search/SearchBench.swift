import ArgumentParser
import Console
import Experiment
import Foundation
import Report

extension EngramBench {
  struct SearchBench: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "search", abstract: "Gradient, fit and posterior of the surrogate, by number of observations.",
      discussion: "Benchmarks/README.md says how the peer is measured beside it.")
    @Option(help: "Numbers of observations, separated by commas.") var points = "50,100,200"
    @Option(help: "Encoded dimensions.") var dimensions = 34
    @Option(help: "Threads of a fit.") var threads = 2
    @OptionGroup var options: FormatOptions

    struct Row: Encodable {
      var points: Int
      var gradientMicroseconds: Double
      var gigaflops: Double
      var limitGigaflops: Double
      var coldSeconds: Double
      var warmSeconds: Double
      var minimumEffectiveSampleSize: Double
      var thousandCandidatesSeconds: Double
    }

    func run() throws {
      let sizes = points.split(separator: ",").map { Int($0.trimmingPrefix(while: \.isWhitespace)) ?? 0 }
      guard !sizes.isEmpty, sizes.allSatisfy({ $0 >= 2 }) else {
        throw CommandError(.usage, "--points \(points): write numbers of at least 2, separated by commas")
      }
      guard dimensions >= 2, threads >= 1 else {
        throw CommandError(.usage, "--dimensions must be at least 2, --threads at least 1")
      }
      var rows: [Row] = []
      for size in sizes {
        guard let gradient = SearchBenchmarks.gradient(points: size, features: dimensions) else { continue }
        let fit = SearchBenchmarks.fit(points: size, features: dimensions, threads: threads)
        rows.append(
          Row(
            points: size, gradientMicroseconds: gradient.medianMicroseconds, gigaflops: gradient.gigaflops,
            limitGigaflops: gradient.limitGigaflops, coldSeconds: fit.coldSeconds, warmSeconds: fit.warmSeconds,
            minimumEffectiveSampleSize: fit.minimumEffectiveSampleSize,
            thousandCandidatesSeconds: SearchBenchmarks.posterior(
              points: size, features: dimensions, candidates: 1000, anchors: 20)))
      }
      if options.format == .json { return Terminal.print(try JSON.pretty(rows)) }
      var table = TextTable([
        ("N", .right), ("gradient µs", .right), ("GFLOP/s", .right), ("limit", .right), ("fit both, cold s", .right),
        ("warm s", .right), ("min ESS", .right), ("1,000 posteriors s", .right),
      ])
      for row in rows {
        table.add([
          "\(row.points)", String(format: "%.0f", row.gradientMicroseconds), String(format: "%.1f", row.gigaflops),
          String(format: "%.0f", row.limitGigaflops), String(format: "%.3f", row.coldSeconds),
          String(format: "%.3f", row.warmSeconds), String(format: "%.0f", row.minimumEffectiveSampleSize),
          String(format: "%.4f", row.thousandCandidatesSeconds),
        ])
      }
      table.print(as: options.format)
    }
  }
}
