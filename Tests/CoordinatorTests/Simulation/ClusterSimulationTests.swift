import Foundation
import Study
import TestSupport
import Testing

/// R9: 64 hours of lost, doubled and late frames, killed processes, full disks, wrong clocks; then everything is mended.
///
/// Nothing may be lost, and the study has to end by itself.
///
/// `ENGRAM_SIMULATION_SEEDS=first..<last` runs other seeds; one seed alone is its own reproduction.
@Suite(.bounded) struct ClusterSimulationTests {
  /// Seeds that once found a fault, kept for ever.
  static let keptSeeds: [UInt64] = [194, 113_463]

  static let seeds: Range<UInt64> = {
    guard let text = ProcessInfo.processInfo.environment["ENGRAM_SIMULATION_SEEDS"] else { return 0..<200 }
    let parts = text.split(separator: "..<").compactMap { UInt64($0) }
    return parts.count == 2 && parts[0] < parts[1] ? parts[0]..<parts[1] : 0..<200
  }()

  private static func simulate(_ seed: UInt64) throws -> SimulatedCluster {
    let cluster = SimulatedCluster(seed: seed)
    cluster.run(healing: .seconds(64 * 3_600), limit: .seconds(400 * 3_600))
    return cluster
  }

  private struct Report: Sendable {
    var seed: UInt64
    var problems: [String]
    var fired: [String: Int]
    var events: Int
    var hours: Double
  }

  private static func report(_ seed: UInt64) throws -> Report {
    let cluster = try simulate(seed)
    var problems = try cluster.findings()
    if let fatal = cluster.fatal { problems.append("fatal: \(fatal)") }
    if cluster.finish != .budget && cluster.finish != .spaceExhausted {
      problems.append("ended with \(cluster.finish?.rawValue ?? "nothing")")
    }
    return Report(
      seed: seed, problems: problems, fired: cluster.fired, events: cluster.events,
      hours: Double(cluster.now.components.seconds) / 3_600)
  }

  @Test func nothingIsLostInAnySeed() async throws {
    let all = Array(Self.seeds) + Self.keptSeeds
    let reports = try await withThrowingTaskGroup(of: [Report].self) { group in
      for lane in 0..<2 {
        let seeds = all.enumerated().filter { $0.offset % 2 == lane }.map(\.element)
        group.addTask { try await OwnThread.run { try seeds.map(Self.report) } }
      }
      return try await group.reduce(into: []) { $0 += $1 }
    }
    var fired: [String: Int] = [:]
    for report in reports {
      #expect(report.problems.isEmpty, "seed \(report.seed)")
      fired.merge(report.fired) { $0 + $1 }
    }
    let expected = [
      "dropped", "duplicated", "delayed", "lost in partition", "partition", "one-way partition", "swizzle-clog",
      "coordinator killed", "killed before replies", "coordinator stopped", "worker killed", "worker preempted",
      "disk full", "clock jump", "batch", "study deleted", "coordinator without its file ended",
      "second coordinator", "replaced coordinator ended", "clone", "name refused", "undeliverable", "extreme objective",
      "disk full, nobody has a result", "failure bug", "failure outOfMemory", "failure hardware", "failure preempted",
    ]
    for fault in expected { #expect(fired[fault, default: 0] > 0, "\(fault) never happened") }
    let hours = reports.map(\.hours).reduce(0, +)
    #expect(hours > 60 * Double(reports.count), "the faults did not last long enough")
    print(
      "simulated \(reports.count) clusters, \(Int(hours)) hours, \(reports.map(\.events).reduce(0, +)) events,",
      "faults \(fired.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))")
  }

  @Test(.ownThread) func aSeedIsAReproduction() throws {
    let first = try Self.simulate(3)
    let second = try Self.simulate(3)
    #expect(first.events == second.events)
    #expect(first.fired == second.fired)
    #expect(try first.base.load() == second.base.load())
    #expect(try first.base.events(after: 0, limit: .max) == second.base.events(after: 0, limit: .max))
  }
}
