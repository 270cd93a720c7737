import BayesianOptimization
import Experiment
import Foundation
import Report
import TestSupport
import Testing

@Suite("Front of a file of observations", .bounded) struct FrontOfFileTests {
  private let folder: TemporaryFolder
  private let objectives = [
    Objective(name: "loss", direction: .minimize), Objective(name: "rougeL", direction: .maximize),
  ]

  init() throws { folder = try TemporaryFolder("engram-front") }

  private func file(_ lines: [String]) throws -> String {
    try folder.write(lines.joined(separator: "\n"), "o.jsonl")
    return folder.url.appendingPathComponent("o.jsonl").path
  }

  @Test("lines are numbered from 0 as they stand in the file; pending ones count nothing") func front() throws {
    let path = try file([
      #"{"objectives":{"loss":1,"rougeL":0.1}}"#, "", #"{"pending":true}"#,
      #"{"objectives":{"loss":2,"rougeL":0.05}}"#, #"{"objectives":{"loss":2,"rougeL":0.2}}"#,
    ])
    let answer = try FrontOfFile(path, objectives: objectives, reference: ["loss": 3, "rougeL": 0])
    let text = try JSON.line(answer.output)
    #expect(text.hasPrefix(#"{"front":[0,4],"hypervolume":0.3"#), "\(text)")
    #expect(answer.notes.isEmpty)
  }

  @Test("nothing observed: no reference, and a note") func empty() throws {
    let answer = try FrontOfFile(try file([#"{"pending":true}"#]), objectives: objectives, reference: nil)
    #expect(try JSON.line(answer.output) == #"{"front":[],"hypervolume":0,"reference":null}"#)
    #expect(answer.notes.count == 1)
  }

  @Test("a wrong line is told before a wrong reference point") func order() throws {
    struct WrongReference: Error {}
    let path = try file([#"{"objectives":{"loss":1}}"#])
    let error = #expect(throws: CommandError.self) {
      try FrontOfFile(path, objectives: objectives, reference: { throw WrongReference() }())
    }
    #expect(error?.message.contains("o.jsonl:1") == true)
  }
}
