import Foundation
import TestSupport
import Testing

/// Reference points of study files that no result can reach.
@Suite("Reference points in study files", .bounded)
struct ReferencePointFileTests {
  @Test("a score in percent is refused with its line before anything is made", arguments: [[], ["--dry-run"]])
  func percent(_ options: [String]) async throws {
    let folder = try TemporaryFolder("engram-reference")
    let file = folder.url.appendingPathComponent("r.yaml")
    let runs = folder.url.appendingPathComponent("runs")
    let text = """
      study: {name: r, budget: 4}
      sampler:
        initial: 2
        reference: {loss: 3, rougeL: 22}
      """
    try Data(text.utf8).write(to: file)
    let result = try await EngramProcess.outcome(
      ["search", file.path] + options, environment: ["ENGRAM_RUNS": runs.path], folder: folder.url)
    #expect(result.status == 2, "\(result.errors)")
    for part in ["r.yaml:4", "sampler.reference.rougeL", "Write 0.22"] {
      #expect(result.errors.contains(part), "\(part): \(result.errors)")
    }
    #expect(!FileManager.default.fileExists(atPath: runs.path))
  }
}
