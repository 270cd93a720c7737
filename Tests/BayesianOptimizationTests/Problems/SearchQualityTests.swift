import Foundation
import RandomStreams
import TestSupport
import Testing

@testable import BayesianOptimization

/// Search quality against the stored curves of the reference; hours of the peer's time, minutes of ours.
struct SearchQualityTests {
  struct File: Decodable {
    struct Peer: Decodable {
      var curve: [Double]
      var configs: [[Int]]
      var Y: [[Double]]
    }
    var botorch_seed1: Peer
    var botorch_seed2: Peer
    var botorch_seed3: Peer
  }

  @Test func storedCurvesAreReproducedFromTheirConfigurations() throws {
    let file = try Fixtures.decode(File.self, from: "goldens/bo/search_quality.json")
    let problem = try #require(AnalyticProblem.sparse34Factors)
    for peer in [file.botorch_seed1, file.botorch_seed2, file.botorch_seed3] {
      let run = try SearchQuality.run(
        problem: problem, settings: SamplerSettings(kind: .random),
        initial: peer.configs.map(AnalyticProblemTests.factors), budget: peer.configs.count, seed: 1, noiseSeed: 1)
      for (value, expected) in zip(run.curve, peer.curve) { #expect(abs(value - expected) < 1e-9) }
    }
  }

  @Test func aShortSearchBeatsItsInitialPoints() throws {
    let problem = try #require(AnalyticProblem.sparse34)
    var stream = RandomStream(seed: 8, purpose: "quality")
    let initial = (0..<16).map { _ in problem.space.random(using: &stream) }
    let settings = SamplerSettings(surrogate: SurrogateSettings(schedule: .short), evaluations: 400)
    let run = try SearchQuality.run(
      problem: problem, settings: settings, initial: initial, budget: 28, batch: 2, seed: 1, noiseSeed: 2)
    #expect(run.curve.count == 28 && run.sources.suffix(12).allSatisfy { $0 == "nehvi" })
    #expect(run.curve[27] > run.curve[15])
    #expect(Set(run.configurations).count == 28)
  }

  /// ENGRAM_QUALITY=1: three stored initial sets, five noise seeds, rounds of five; prints the table.
  @Test(.enabled(if: ProcessInfo.processInfo.environment["ENGRAM_QUALITY"] != nil))
  func comparisonWithTheReference() throws {
    let file = try Fixtures.decode(File.self, from: "goldens/bo/search_quality.json")
    let problem = try #require(AnalyticProblem.sparse34Factors)
    let peers = [file.botorch_seed1, file.botorch_seed2, file.botorch_seed3]
    let batch = Int(ProcessInfo.processInfo.environment["ENGRAM_BATCH"] ?? "5") ?? 5
    let seeds = Int(ProcessInfo.processInfo.environment["ENGRAM_QUALITY"] ?? "1") ?? 1
    var rows: [[Double]] = []
    for (set, peer) in peers.enumerated() {
      for noise in 1...seeds {
        var settings = SamplerSettings()
        let variables = ProcessInfo.processInfo.environment
        if let text = variables["ENGRAM_EVALUATIONS"] { settings.evaluations = Int(text) ?? 2_000 }
        if variables["ENGRAM_COPULA"] != nil { settings.surrogate.outcome = .normalCopula }
        if let name = variables["ENGRAM_SCHEDULE"], let schedule = SamplingSchedule.named(name) {
          settings.surrogate.schedule = schedule
        }
        let start = Date()
        let run = try SearchQuality.run(
          problem: problem, settings: settings, initial: peer.configs.prefix(30).map(AnalyticProblemTests.factors),
          initialValues: peer.Y.prefix(30).map { ["loss": -$0[0], "rougeL": $0[1]] }, budget: 60, batch: batch,
          seed: UInt64(noise), noiseSeed: UInt64(100 + noise))
        let row = [40, 50, 60].map { run.curve[$0 - 1] }
        rows.append(row)
        print(
          "set \(set + 1) noise \(noise): start \(run.curve[29]) ours \(row) peer \([40, 50, 60].map { peer.curve[$0 - 1] })",
          "seconds \(Date().timeIntervalSince(start)) fallbacks \(Set(run.fallbacks))")
      }
    }
    for column in 0..<3 {
      let values = rows.map { $0[column] }
      let mean = values.reduce(0, +) / Double(values.count)
      let spread = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(max(1, values.count - 1))
      print("evaluations \([40, 50, 60][column]): mean \(mean) sd \(spread.squareRoot()) n \(values.count)")
    }
  }
}
