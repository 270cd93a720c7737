import Foundation
import TestSupport
import Testing

/// Observations as other programs write and pass them: right, or refused with line and reason.
@Suite("Observation files", .bounded)
struct ObservationFileTests {
  private static let space = """
    space: {factors: [{name: k, type: integer, min: 1, max: 30}]}
    objectives: [{name: l, direction: minimize}, {name: q, direction: maximize}]
    """
  private static let good = #"{"configuration":{"factors":{"k":3}},"objectives":{"l":1,"q":2}}"#

  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder("engram-observations") }

  private func write(_ text: String, _ name: String) throws -> String {
    let file = folder.url.appendingPathComponent(name)
    try Data(text.utf8).write(to: file)
    return file.path
  }

  private func run(
    _ verb: String, _ observations: String, _ more: [String] = [], input: String? = nil
  ) throws -> EngramProcess.Outcome {
    let space = try write(Self.space, "s.yaml")
    return try EngramProcess.run([verb, "--space", space, "--observations", observations] + more, input: input)
  }

  @Test(
    "what is wrong in a line is named with its place",
    arguments: [
      (#"{"configuration":{"factors":{"k":4}},"objectives":{"l":NaN,"q":2}}"#, [":2:", "NaN", "write null"]),
      (
        #"{"configuration":{"factors":{"k":4}},"objectives":{"l":-Infinity,"q":2}}"#,
        [":2:", "-Infinity", "write null"]
      ),
      (#"{"configuration":{"factors":{"k":4}},"objectives":{"l":1e999,"q":2}}"#, [":2:", "1e999", "too large"]),
      (#"{"configuration":{"factors":{"k":4}},"objectives":{"l":1e300,"q":2}}"#, [":2:", "l=1e+300", "1e+75"]),
      (#"{"configuration":{"factors":{"k":4,"k":5}},"objectives":{"l":1,"q":2}}"#, [":2:", "\"k\"", "twice"]),
      (#"{"configuration":{"factors":{"k":4}},"objectives":{"l":1,"l":-9,"q":2}}"#, [":2:", "\"l\"", "twice"]),
      (
        #"{"configuration":{"factors":{"k":4}},"objectives":{"L":1,"q":2}}"#, [":2:", "'l' is missing", "'L' is there"]
      ),
      (
        #"{"configuration":{"factors":{"k":4}},"objectives":{"l":"1","q":2}}"#,
        [":2:", "expected a number", "objectives.l"]
      ),
      (
        #"{"configuration":{"factors":{"k":4}},"objectives":{"l":1,"q":2},"standardErrors":{"loss":0.1}}"#,
        [":2:", "no objective 'loss'"]
      ),
      (
        #"{"configuration":{"factors":{"k":4}},"objectives":{"l":1,"q":2},"standardErrors":{"l":-0.5}}"#,
        [":2:", "standardErrors.l is -0.5"]
      ),
      (
        #"{"configuration":{"factors":{"k":4}},"objectives":{"l":1,"q":2},"outcome":"timeout"}"#,
        [":2:", "no outcome `timeout`", "outOfMemory"]
      ),
      ("[1,2]", [":2:", "expected an object", "a list"]),
      (#"{'configuration':1}"#, [":2:", "double quotes"]),
    ])
  func refused(_ line: String, _ parts: [String]) throws {
    for verb in ["suggest", "pareto"] {
      let result = try run(verb, try write("\(Self.good)\n\(line)\n", "o.jsonl"))
      #expect(result.status == 2 && result.output.isEmpty, "\(verb): \(result.errors)")
      for part in ["o.jsonl"] + parts { #expect(result.errors.contains(part), "\(verb), \(part): \(result.errors)") }
      for type in ["Dictionary", "Array<", "Swift.", "Double", "CodingKey"] { #expect(!result.errors.contains(type)) }
    }
  }

  @Test("pipes, standard input and a byte order mark are read like files; a space file too") func pipes() throws {
    let wanted = try run("suggest", try write(Self.good, "o.jsonl")).output
    #expect(!wanted.isEmpty)
    #expect(try run("suggest", "-", input: Self.good).output == wanted)
    #expect(try run("suggest", "/dev/stdin", input: Self.good).output == wanted)
    #expect(try run("suggest", try write("\u{FEFF}\(Self.good)\r\n\r\n", "bom.jsonl")).output == wanted)
    let observations = try write(Self.good, "o.jsonl")
    let piped = try EngramProcess.run(["suggest", "--space", "-", "--observations", observations], input: Self.space)
    #expect(piped.output == wanted)
    let both = try EngramProcess.run(["suggest", "--space", "-", "--observations", "-"])
    #expect(both.status == 2 && both.errors.contains("cannot both be -"))
  }

  @Test("an empty file means that nothing is observed yet; pareto says so") func nothing() throws {
    for file in ["/dev/null", try write("\n\n", "blank.jsonl")] {
      let suggested = try run("suggest", file)
      #expect(suggested.status == 0 && suggested.output.contains("initial"))
      let front = try run("pareto", file)
      #expect(front.status == 0 && front.output == "{\"front\":[],\"hypervolume\":0,\"reference\":null}\n")
      #expect(front.errors.contains("no front yet"))
    }
    let missing = try run("suggest", "nowhere.jsonl")
    #expect(missing.status == 3 && missing.errors.contains("nowhere.jsonl: no such file"))
    let isFolder = try run("pareto", folder.url.path)
    #expect(isFolder.status == 2 && isFolder.errors.contains("is a folder"))
  }

  @Test("reference points: doubled, unknown, missing and unreachable ones are named") func references() throws {
    let file = try write(Self.good, "o.jsonl")
    for (text, part) in [
      ("l=1,l=2,q=0", "l stands twice"), ("l=1", "q is missing"), ("l=1,q=0,z=1", "no objective 'z'"),
      ("l=nan,q=1", "finite"), ("l=1,q=1e90", "1e+75"), ("l=1,q=", "is not name=number"), ("", "l, q is missing"),
    ] {
      let result = try run("pareto", file, ["--reference", text])
      #expect(result.status == 2 && result.errors.contains(part), "\(text): \(result.errors)")
    }
    let reached = try run("pareto", file, ["--reference", "l=2, q=1"])
    #expect(reached.status == 0 && reached.errors.isEmpty)
    for verb in ["pareto", "suggest"] {
      let unreached = try run(verb, file, ["--reference", "l=2,q=22"])
      #expect(unreached.status == 0 && unreached.errors.contains("q (reference 22.0, best 2.0)"), "\(unreached.errors)")
    }
  }

  @Test("one observation without its standard error: the assumption is said on standard error") func missingError()
    throws
  {
    let space = try write(
      """
      space: {factors: [{name: k, type: integer, min: 1, max: 30}]}
      objectives: [{name: l, direction: minimize}]
      sampler: {useStandardErrors: true, schedule: short, evaluations: 100}
      """, "e.yaml")
    func line(_ k: Int, _ error: String) -> String {
      "{\"configuration\":{\"factors\":{\"k\":\(k)}},\"objectives\":{\"l\":\(k * k)}\(error)}"
    }
    let known = (1...6).map { line($0, ",\"standardErrors\":{\"l\":0.1}") }
    for (last, isSaid) in [
      (",\"standardErrors\":{\"l\":0.1}", false), ("", true), (",\"standardErrors\":{\"l\":null}", true),
    ] {
      let file = try write((known + [line(9, last)]).joined(separator: "\n"), "o.jsonl")
      let result = try EngramProcess.run(["suggest", "--space", space, "--observations", file])
      #expect(result.status == 0)
      #expect(result.errors.contains("1 of 7 observations is not known") == isSaid, "\(last): \(result.errors)")
    }
  }

  @Test("percent beside fractions is said") func mixedUnits() throws {
    let space = try write(
      "space: {factors: [{name: k, type: integer, min: 1, max: 30}]}\nobjectives: [{name: rougeL, direction: maximize}]",
      "u.yaml")
    let lines = [0.2, 0.3, 50].enumerated().map {
      "{\"configuration\":{\"factors\":{\"k\":\($0.offset + 1)}},\"objectives\":{\"rougeL\":\($0.element)}}"
    }
    let file = try write(lines.joined(separator: "\n"), "o.jsonl")
    let result = try EngramProcess.run(["pareto", "--space", space, "--observations", file])
    #expect(result.status == 0 && result.errors.contains("rougeL is 50.0 in line 3"))
  }
}
