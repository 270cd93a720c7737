import Foundation
import StudyDatabase
import TestSupport
import Testing

@testable import Coordinator

/// `engram worker list`: what it says of GPUs, from the roster that a coordinator leaves in the study's folder.
@Suite("Worker list", .ownThread, .bounded)
struct WorkerListTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder("engram-list") }

  private func path(_ name: String) -> String { folder.url.appendingPathComponent(name).path }

  private func run(_ arguments: [String]) throws -> String {
    let result = try EngramProcess.run(arguments, environment: ["ENGRAM_RUNS": path("runs")], folder: folder.url)
    #expect(result.status == 0, "\(arguments): \(result.errors)")
    return result.output
  }

  /// A study of one trial, and what its coordinator would have written `age` seconds ago.
  private func prepare(_ workers: [[String: Any]], age: Double) throws {
    if !FileManager.default.fileExists(atPath: path("gpus.yaml")) {
      let text = """
        study: {name: gpus, budget: 1}
        sampler: {initial: 1}
        evaluator: {name: analytic, problem: sparse34}
        """
      try Data(text.utf8).write(to: URL(fileURLWithPath: path("gpus.yaml")))
      _ = try run(["search", path("gpus.yaml"), "--workers", "1"])
    }
    let json: [String: Any] = ["time": Date().timeIntervalSince1970 - age, "workers": workers]
    let roster = try JSONDecoder().decode(
      WorkerRoster.self, from: JSONSerialization.data(withJSONObject: json))
    let mailbox = ControlMailbox(StudyFolder(URL(fileURLWithPath: path("runs/gpus"), isDirectory: true)))
    try FileManager.default.createDirectory(at: mailbox.folder, withIntermediateDirectories: true)
    try mailbox.publish(roster)
  }

  private static let wide = "NVIDIA RTX 6000 Ada Generation, 開発機, a name that goes on and on"
  private let workers: [[String: Any]] = [
    [
      "name": "node1/cuda:0", "host": "node1", "device": "cuda:0",
      "status": [
        "name": "NVIDIA H200", "memoryBytes": 150_754_820_096, "memoryUsedBytes": 90_194_313_216,
        "utilizationPercent": 61,
      ] as [String: Any],
    ],
    // A device that cannot be asked how it stands: no NVML, or a slice of one.
    ["name": "node1/mig", "device": "cuda:1", "status": ["name": "NVIDIA A100", "memoryBytes": 42_949_672_960]],
    // An idle one: 0 is said, not left out.
    [
      "name": "node2/cuda:0", "device": "cuda:0",
      "status": [
        "name": wide, "memoryBytes": 51_539_607_552, "memoryUsedBytes": 0, "utilizationPercent": 0,
      ] as [String: Any],
    ],
    ["name": "laptop/cpu", "host": "laptop", "device": "cpu"],
  ]

  @Test func theTableNamesEachDeviceItsLoadAndItsMemory() throws {
    try prepare(workers, age: 0)
    let lines = try run(["worker", "list", "gpus"]).split(separator: "\n").map(String.init)
    func line(_ name: String) throws -> String { try #require(lines.first { $0.hasPrefix(name) }) }
    #expect(try line("node1/cuda:0").hasSuffix("  NVIDIA H200, 61 %, 84 of 140 GiB"))
    #expect(try line("node1/mig").hasSuffix("  NVIDIA A100, 40 GiB"))
    #expect(try line("node2/cuda:0").hasSuffix("  \(Self.wide), 0 %, 0 of 48 GiB"))
    // A processor says nothing of itself; its line ends with its state.
    #expect(try line("laptop/cpu").hasSuffix("connected"))
    // However wide a cell, the columns begin where their titles do.
    let place = try #require(lines[0].range(of: "GPU")?.lowerBound.utf16Offset(in: lines[0]))
    for name in ["node1/cuda:0", "node1/mig", "node2/cuda:0"] {
      #expect(Array(try line(name))[place...].starts(with: "NVIDIA"))
    }
    #expect(lines[1].count >= Self.wide.count)
    // The worker that ran the trial has left.
    #expect(lines.count == 2 + 5)
    // One cell in CSV, whatever commas it has.
    #expect(try run(["worker", "list", "gpus", "--format", "csv"]).contains("\"NVIDIA H200, 61 %, 84 of 140 GiB\""))
  }

  @Test func theJSONHasTheNumbersAsTheyCame() throws {
    try prepare(workers, age: 0)
    let text = try run(["worker", "list", "gpus", "--format", "json"])
    let rows = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[String: Any]])
    let byName = Dictionary(rows.map { ($0["name"] as? String ?? "", $0) }) { first, _ in first }
    let status = try #require(byName["node1/cuda:0"]?["status"] as? [String: Any])
    #expect(status["memoryBytes"] as? Int == 150_754_820_096)
    #expect(status["memoryUsedBytes"] as? Int == 90_194_313_216)
    #expect(status["utilizationPercent"] as? Int == 61)
    let silent = try #require(byName["node1/mig"]?["status"] as? [String: Any])
    #expect(silent["name"] as? String == "NVIDIA A100" && silent["memoryUsedBytes"] == nil)
    #expect(byName["laptop/cpu"]?["isConnected"] as? Bool == true && byName["laptop/cpu"]?["status"] is NSNull)
  }

  /// What a coordinator that is gone once wrote says nothing of now.
  @Test func anOldRosterCountsForNothing() throws {
    try prepare(workers, age: 60)
    let text = try run(["worker", "list", "gpus"])
    #expect(!text.contains("NVIDIA") && !text.contains("connected") && !text.contains("laptop"))
    #expect(text.contains("succeeded") && text.split(separator: "\n").count == 3)
    try prepare(workers, age: 1)
    #expect(try run(["worker", "list", "gpus"]).contains("NVIDIA H200"))
  }
}
