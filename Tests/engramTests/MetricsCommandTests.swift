import Foundation
import TestSupport
import Testing

@Suite("engram metrics", .ownThread, .bounded)
struct MetricsCommandTests {
  @Test("ROUGE from files equals the reference's corpus means") func rouge() throws {
    let golden = try Fixtures.json("goldens/lm/golden/rouge.json")
    let pairs = try #require(golden["pairs"] as? [[String: Any]])
    let folder = try TemporaryFolder()
    func write(_ key: String, _ name: String) throws -> String {
      let lines = try pairs.map { pair in
        let text = try #require(pair[key] as? String)
        return String(decoding: try JSONEncoder().encode(text), as: UTF8.self)
      }
      let file = folder.url.appendingPathComponent(name)
      try Data(lines.joined(separator: "\n").utf8).write(to: file)
      return file.path
    }
    let predictions = try write("prediction", "p.jsonl")
    let references = try write("reference", "r.jsonl")
    let result = try EngramProcess.run(["metrics", "rouge", "--predictions", predictions, "--references", references])
    #expect(result.status == 0, "\(result.errors)")
    let value = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    #expect((value["examples"] as? [Any])?.count == pairs.count)
    let corpus = try #require((golden["corpus"] as? [String: Any])?["nostem"] as? [String: [String: Double]])
    for metric in ["rouge1", "rougeL"] {
      let scores = try #require(value[metric] as? [String: Double])
      for (name, reference) in [("precision", "precision"), ("recall", "recall"), ("f1", "f")] {
        let expected = try #require(corpus[metric]?[reference])
        #expect(abs(try #require(scores[name]) - expected) < 1e-9, "\(metric) \(name)")
      }
    }
  }

  @Test("unequal files are refused") func unequal() throws {
    let folder = try TemporaryFolder()
    let one = folder.url.appendingPathComponent("a").path
    let two = folder.url.appendingPathComponent("b").path
    try Data("\"x\"\n\"y\"\n".utf8).write(to: URL(fileURLWithPath: one))
    try Data("\"x\"\n".utf8).write(to: URL(fileURLWithPath: two))
    let result = try EngramProcess.run(["metrics", "rouge", "--predictions", one, "--references", two])
    #expect(result.status == 2)
    #expect(result.errors.contains("has 2 lines"))
  }
}
