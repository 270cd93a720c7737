import Foundation
import TestSupport
import Testing

/// `suggest` and `pareto` on the observations of the reference searches.
@Suite("engram suggest and pareto", .ownThread, .bounded)
struct SuggestCommandTests {
  private static let space = """
    space: {layers: 32, count: {min: 0, max: 32}, ranks: [8, 16, 32, 64, 96], placement: perLayer}
    objectives: [{name: loss, direction: minimize}, {name: rougeL, direction: maximize}]
    """
  private static let ranks = [8, 16, 32, 64, 96]

  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder("engram-suggest") }

  private func write(_ text: String, _ name: String) throws -> String {
    let file = folder.url.appendingPathComponent(name)
    try Data(text.utf8).write(to: file)
    return file.path
  }

  private func run(_ arguments: [String], status: Int32 = 0) throws -> EngramProcess.Outcome {
    let result = try EngramProcess.run(arguments)
    #expect(result.status == status, "\(arguments): \(result.errors)")
    return result
  }

  private func objects(_ text: String) throws -> [[String: Any]] {
    try text.split(separator: "\n").map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
  }

  /// The golden configurations as observations, layers as indices or as switches.
  private func observations(switches: Bool) throws -> (lines: [String], bits: [[Int]]) {
    let golden = try Fixtures.json("goldens/bo/synthetic_function.json")
    let rows = try #require(golden["configs"] as? [[Int]])
    let values = try #require(golden["objectives"] as? [[Double]])
    let lines = zip(rows, values).map { row, value in
      let bits = Array(row[0..<32])
      let layers = switches ? bits : bits.indices.filter { bits[$0] == 1 }
      return """
        {"configuration":{"layers":\(layers),"count":\(row[32]),"rank":\(Self.ranks[row[33]])},\
        "objectives":{"loss":\(-value[0]),"rougeL":\(value[1])}}
        """
    }
    return (lines, rows.map { Array($0[0..<32]) })
  }

  @Test("layers are answered in the notation of the observations") func notation() throws {
    let space = try write(Self.space, "space.yaml")
    let command = ["suggest", "--space", space, "--count", "1", "--seed", "3", "--reference", "loss=1.9,rougeL=0.22"]
    var layers: [[Int]] = []
    for switches in [false, true] {
      let file = try write(try observations(switches: switches).lines.prefix(12).joined(separator: "\n"), "o.jsonl")
      let lines = try objects(try run(command + ["--observations", file]).output)
      #expect(lines.count == 1 && lines[0]["source"] as? String == "nehvi")
      let configuration = try #require(lines[0]["configuration"] as? [String: Any])
      layers.append(try #require(configuration["layers"] as? [Int]))
    }
    // The same proposal, once as ascending indices, once as 32 switches.
    #expect(layers[1].count == 32 && layers[1].allSatisfy { $0 == 0 || $0 == 1 })
    #expect(layers[0] == layers[1].indices.filter { layers[1][$0] == 1 })
  }

  @Test("explain ranks the factors that matter first and checks the model") func explain() throws {
    let factors = (0..<6).map { "{name: x\($0), type: switch}" }.joined(separator: ", ")
    let space = try write(
      "space: {factors: [\(factors)]}\nobjectives: [{name: loss, direction: minimize}]", "explain.yaml")
    // Only x2 (strongly) and x4 matter; a little noise that nothing explains.
    let lines = (0..<40).map { index -> String in
      let bits = (0..<6).map { ((index * 37) >> $0) & 1 }
      let loss = 3 * Double(bits[2]) + Double(bits[4]) + 0.01 * Double((index * 7919) % 13)
      let values = bits.enumerated().map { "\"x\($0)\":\($1 == 1)" }.joined(separator: ",")
      return "{\"configuration\":{\"factors\":{\(values)}},\"objectives\":{\"loss\":\(loss)}}"
    }
    let file = try write(lines.joined(separator: "\n"), "explain.jsonl")
    let answer = try objects(try run(["suggest", "--space", space, "--observations", file, "--explain"]).output)
    #expect(answer.count == 1 && answer[0]["objective"] as? String == "loss")
    let ranked = try #require(answer[0]["factors"] as? [[String: Any]])
    #expect(ranked.count == 6 && Set(ranked.prefix(2).compactMap { $0["name"] as? String }) == ["x2", "x4"])
    for factor in ranked {
      let interval = try ["lower", "median", "upper"].map { try #require(factor[$0] as? Double) }
      #expect(interval == interval.sorted())
    }
    let check = try #require(answer[0]["check"] as? [String: Any])
    #expect(check["observations"] as? Int == 40)
    #expect(try #require(check["explained"] as? Double) > 0.95)
    let few = try write(lines[0], "few.jsonl")
    let refused = try run(["suggest", "--space", space, "--observations", few, "--explain"], status: 2)
    #expect(refused.errors.contains("at least two"))
  }

  @Test("threads and repetition do not change a proposal; pending and known ones are not proposed") func pure() throws {
    let space = try write(Self.space, "space.yaml")
    var lines = Array(try observations(switches: false).lines.prefix(10))
    let command = ["suggest", "--space", space, "--seed", "7"]
    let file = try write(lines.joined(separator: "\n"), "o.jsonl")
    let first = try run(command + ["--observations", file, "--threads", "1"]).output
    #expect(try run(command + ["--observations", file, "--threads", "2"]).output == first)
    let configuration = try JSONSerialization.data(
      withJSONObject: try #require(try objects(first)[0]["configuration"]), options: [.sortedKeys])
    lines.append("{\"configuration\":\(String(decoding: configuration, as: UTF8.self)),\"pending\":true}")
    let pending = try write(lines.joined(separator: "\n"), "p.jsonl")
    #expect(try run(command + ["--observations", pending]).output != first)
  }

  @Test("--initial keeps the model out until enough is observed; the posterior is finite") func initialAndPosterior()
    throws
  {
    let space = try write(Self.space, "space.yaml")
    let lines = Array(try observations(switches: false).lines.prefix(6))
    let file = try write(lines.joined(separator: "\n"), "o.jsonl")
    let initial = try objects(
      try run(["suggest", "--space", space, "--observations", file, "--initial", "10", "--count", "2"]).output)
    #expect(initial.map { $0["source"] as? String } == ["initial", "initial"])
    let asked = try write(#"{"layers":[0,1,2],"count":4,"rank":8}"#, "at.jsonl")
    let posterior = try objects(
      try run(["suggest", "--space", space, "--observations", file, "--posterior", asked]).output)
    let mean = try #require(posterior.first?["mean"] as? [String: Double])
    let variance = try #require(posterior.first?["variance"] as? [String: Double])
    #expect(mean.values.allSatisfy(\.isFinite) && Set(mean.keys) == ["loss", "rougeL"])
    #expect(variance.values.allSatisfy { $0.isFinite && $0 >= 0 })
  }

  @Test("pareto agrees with the reference's fronts and hypervolumes") func pareto() throws {
    let golden = try Fixtures.json("goldens/bo/pareto_hypervolume.json")
    let cases = try #require(golden["cases"] as? [[String: Any]]).filter { ($0["m"] as? Int) == 2 }.prefix(4)
    #expect(!cases.isEmpty)
    let space = try write(Self.space, "space.yaml")
    for item in cases {
      let values = try #require(item["Y"] as? [[Double]])
      let reference = try #require(item["ref_point"] as? [Double])
      // The goldens maximise both; the first objective here is minimised.
      let file = try write(
        values.map { "{\"objectives\":{\"loss\":\(-$0[0]),\"rougeL\":\($0[1])}}" }.joined(separator: "\n"), "y.jsonl")
      let result = try objects(
        try run([
          "pareto", "--space", space, "--observations", file, "--reference",
          "loss=\(-reference[0]),rougeL=\(reference[1])",
        ]).output)
      let expected = try #require(item["hypervolume"] as? Double)
      let hypervolume = try #require(result.first?["hypervolume"] as? Double)
      #expect(abs(hypervolume - expected) <= 1e-9 * max(1, abs(expected)))
      let flags = try #require(item["non_dominated_deduplicate_false"] as? [Bool])
      let front = Set(try #require(result.first?["front"] as? [Int]))
      // Duplicates of a front point may be named once or more; whatever is named is on the reference's front.
      #expect(front.isSubset(of: flags.indices.filter { flags[$0] }) && !front.isEmpty)
    }
  }

  @Test("the space file's sampler section is used") func samplerSection() throws {
    let section = "sampler: {schedule: short, outcomeTransform: copula, lengthscalePrior: logNormal, evaluations: 200}"
    let space = try write(Self.space + "\n" + section, "space.yaml")
    let file = try write(try observations(switches: false).lines.prefix(12).joined(separator: "\n"), "o.jsonl")
    let command = ["suggest", "--space", space, "--observations", file, "--seed", "3"]
    let lines = try objects(try run(command).output)
    #expect(lines.count == 1 && lines[0]["source"] as? String == "nehvi")
    let unknown = try write(Self.space + "\nsampler: {schedul: short}", "wrong.yaml")
    #expect(try run(["suggest", "--space", unknown, "--observations", file], status: 2).errors.contains("schedule"))
  }

  @Test("bad observations and references name their place") func badInput() throws {
    let space = try write(Self.space, "space.yaml")
    let file = try write("\n{\"objectives\":{\"loss\":1}}\n", "o.jsonl")
    #expect(try run(["pareto", "--space", space, "--observations", file], status: 2).errors.contains("o.jsonl:2"))
    let outside = try write(#"{"configuration":{"layers":[40],"count":1,"rank":8},"pending":true}"#, "l.jsonl")
    #expect(try run(["suggest", "--space", space, "--observations", outside], status: 2).errors.contains("l.jsonl:1"))
    let half = try write(
      #"{"configuration":{"layers":[4],"count":1,"rank":8},"objectives":{"loss":1}}"#, "h.jsonl")
    #expect(try run(["suggest", "--space", space, "--observations", half], status: 2).errors.contains("rougeL"))
    let wrong = ["pareto", "--space", space, "--observations", file, "--reference", "loss=1"]
    #expect(try run(wrong, status: 2).errors.contains("rougeL"))
  }
}
