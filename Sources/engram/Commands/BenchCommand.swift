import ArgumentParser
import Experiment

/// Where the benchmarks went.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "The benchmarks are the program engram-bench.", shouldDisplay: false)
  @Argument(parsing: .captureForPassthrough) var words: [String] = []

  func run() throws {
    let command = (["engram-bench"] + words).joined(separator: " ")
    throw CommandError(.usage, "the benchmarks are a program of their own (make bench builds it). Run: \(command)")
  }
}
