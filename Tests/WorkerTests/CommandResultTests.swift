import Foundation
import Study
import TestSupport
import Testing

@testable import Worker

/// What a program prints, read without running one.
@Suite("Results of programs", .bounded) struct CommandResultTests {
  private struct Reading {
    var result: EvaluationResult?
    var error: EvaluationError?
    var reports: [CommandOutput.Report] = []
    var text: String { error.map { "\($0)" } ?? "\(String(describing: result))" }
    var notes: String { result?.notes.joined(separator: " | ") ?? "" }
  }

  private func read(_ lines: [String], objectives: [String] = ["l"]) -> Reading {
    read(bytes: lines.map { Array($0.utf8) }, objectives: objectives)
  }

  private func read(bytes lines: [[UInt8]], objectives: [String] = ["l"]) -> Reading {
    var output = CommandOutput(objectives: objectives)
    var reading = Reading()
    reading.reports = lines.compactMap { output.take($0) }
    do {
      reading.result = try CommandResult.read(output, objectives: objectives)
    } catch {
      reading.error = error as? EvaluationError
    }
    return reading
  }

  @Test(
    "an objective that is not finite, in any spelling, is diverged, with the line",
    arguments: [
      #"{"l": NaN}"#, #"{"l": Infinity}"#, #"{"l": -Infinity}"#, #"{"l":nan}"#, #"{"l":-inf}"#, #"{"l":null}"#,
      #"{"l":1e400}"#, #"{"l":-1e400}"#, #"{"l":"NaN"}"#, #"{"objectives":{"l":NaN},"metrics":{"m":1}}"#,
    ]) func diverged(_ line: String)
  {
    let reading = read([line])
    #expect(reading.error?.kind == .failed(.diverged), "\(reading.text)")
    #expect(reading.text.contains(line) && reading.text.contains("not finite: l"), "\(reading.text)")
  }

  @Test("a not-a-number beside the objectives costs itself, is named and counted") func sideValues() {
    var reading = read([#"{"objectives":{"l":1},"metrics":{"gradNorm":NaN,"seconds":2.5}}"#])
    #expect(
      reading.result?.measured.objectives == ["l": 1]
        && reading.result?.measured.metrics == ["seconds": 2.5, "valuesLeftOut": 1])
    #expect(reading.notes.contains("gradNorm"), "\(reading.notes)")
    reading = read([#"{"objectives":{"l":1},"standardErrors":{"l":NaN}}"#])
    #expect(reading.result?.measured.objectives == ["l": 1] && reading.result?.measured.standardErrors == [:])
    #expect(reading.notes.contains("the standard error of l"), "\(reading.notes)")
    reading = read([#"{"l":1,"epoch":3,"gradNorm":null,"lr":"1e-3","ok":true}"#])
    #expect(reading.result?.measured.objectives == ["l": 1])
    #expect(reading.result?.measured.metrics == ["epoch": 3, "valuesLeftOut": 1])
    #expect(reading.notes.contains("lr, ok") && reading.notes.contains("gradNorm"), "\(reading.notes)")
  }

  @Test("a negative standard error is refused with the objective's name") func negativeError() {
    let reading = read([#"{"objectives":{"l":1},"standardErrors":{"l":-0.5}}"#])
    #expect(reading.error?.kind == .failed(.bug))
    #expect(reading.text.contains("the standard error of l is negative (-0.5)"), "\(reading.text)")
    // One of a name that is no objective's costs only itself.
    let other = read([#"{"objectives":{"l":1},"standardErrors":{"L":-0.5,"l":0}}"#])
    #expect(other.result?.measured.standardErrors == ["l": 0] && other.notes.contains("is l meant?"), "\(other.text)")
  }

  @Test("an objective of another type or name is named") func wrongObjectives() {
    #expect(read([#"{"l":"0.5"}"#]).text.contains(#"l is the text "0.5", not a number"#))
    #expect(read([#"{"l":true}"#]).text.contains("l is true, not a number"))
    let reading = read([#"{"loss":1,"rouge_L":0.5}"#], objectives: ["loss", "rougeL"])
    #expect(reading.text.contains("the result lacks rougeL; it has rouge_L"), "\(reading.text)")
    #expect(reading.error?.nextStep?.contains("print rougeL instead of rouge_L") == true, "\(reading.text)")
    #expect(read([#"{"objectives":[1]}"#]).text.contains(#""objectives" is a list"#))
  }

  @Test("the last line is shown, with what may have been meant") func noObject() {
    func error(_ lines: [String]) -> String { read(lines).text }
    #expect(error([]).contains("printed nothing"))
    #expect(error(["0.5"]).contains("it is a number"))
    #expect(error(["[0.5]"]).contains("it is a list"))
    let followed = error(["start", #"{"l":0.5}"#, "done, bye"])
    #expect(
      followed.contains("done, bye") && followed.contains(#"{"l":0.5}"#) && followed.contains("print the result last"))
    #expect(followed.contains("the first of 3 lines is start"), "\(followed)")
    let spread = error(["{", #"  "l": {"#, #"    "a": 1"#, "  }", "}"])
    #expect(spread.contains("one line"), "\(spread)")
    #expect(error([#"{"l":9,"l":0.5}"#]).contains(#"the name "l" stands twice"#))
    #expect(error(["{'l': 0.5}"]).contains("json.dumps"))
    let long = error([#"{"l":0.5,"pad":""# + String(repeating: "x", count: 2 << 20)])
    #expect(long.contains("\(CommandOutput.resultBytes) bytes") && long.utf8.count < 1000, "\(long)")
    // What a terminal would act on is shown, not done.
    let escape = error(["\u{1b}]0;owned\u{7}oops\u{202e}\u{1}!"])
    #expect(escape.contains("oops\\u{202e}\\u{1}!") && !escape.contains("\u{1b}"), "\(escape)")
  }

  @Test("a result line may be dressed up by terminals and editors") func dressed() {
    for line in [
      "\u{FEFF}{\"l\":0.5}", "{\"l\":0.5}\r", "  {\"l\":0.5}  ", "\r 10%\r 100%\r{\"l\":0.5}",
      "\u{1b}[32m{\"l\":0.5}\u{1b}[0m",
      #"{"l":0.5,"file":"\udce9"}"#,
    ] {
      #expect(read([line]).result?.measured.objectives == ["l": 0.5], "\(line.debugDescription): \(read([line]).text)")
    }
    let latin = Array(#"{"l":0.5,"name":"caf"#.utf8) + [0xE9] + Array(#""}"#.utf8)
    #expect(read(bytes: [[0xFF, 0xFE], latin]).result?.measured.objectives == ["l": 0.5])
    #expect(read([#"{"l":123456789012345678901234567890}"#]).result?.measured.objectives["l"] == 1.2345678901234568e29)
  }

  @Test("more metrics than can be kept are refused; what merely stands beside the result is cut") func limits() {
    func numbers(_ count: Int) -> String { (0..<count).map { "\"m\($0)\":\($0)" }.joined(separator: ",") }
    #expect(read(["{\"objectives\":{\"l\":1},\"metrics\":{\(numbers(256))}}"]).result?.measured.metrics?.count == 256)
    let refused = read(["{\"objectives\":{\"l\":1},\"metrics\":{\(numbers(257))}}"])
    #expect(
      refused.error?.kind == .failed(.bug) && refused.text.contains("257 metrics; at most 256"), "\(refused.text)")
    let beside = read(["{\"l\":1,\(numbers(400))}"])
    #expect(beside.result?.measured.metrics?.count ?? 999 <= 256 && beside.notes.contains("left out"), "\(beside.text)")
    // Objectives that the study does not have are measurements.
    let many = read(["{\"objectives\":{\"l\":1,\(numbers(30))}}"])
    #expect(many.result?.measured.objectives == ["l": 1] && many.result?.measured.metrics?.count == 30)
  }

  @Test("reports are read, broken ones counted, and a not-a-number of an objective is passed on") func reports() {
    let reading = read([
      #"{"step":1,"report":{"l":2,"gradNorm":NaN}}"#, #"{"step":2.0,"report":{"l":1.5}}"#,
      #"{"step":-1,"report":{"l":2}}"#,
      #"{"step":9223372036854775807,"report":{"l":2}}"#, #"{"step":3,"report":7}"#, #"{"step":3,"report":{"l":"x"}}"#,
      #"{"step":4,"report":{"l":NaN}}"#, #"{"l":1}"#,
    ])
    #expect(reading.reports.map(\.step) == [1, 2, 4])
    #expect(reading.reports[0].values == ["l": 2] && reading.reports[2].values["l"]?.isNaN == true)
    #expect(reading.notes.contains("3 report(s) were left out; the first: step is no integer"), "\(reading.notes)")
    #expect(reading.notes.contains("2 value(s) of reports") && reading.result?.measured.objectives == ["l": 1])
    let wide = (0..<65).map { "\"v\($0)\":1" }.joined(separator: ",")
    #expect(read(["{\"step\":1,\"report\":{\(wide)}}", #"{"l":1}"#]).notes.contains("65 values; at most 64"))
  }

  @Test("very many reports are thinned, and that is counted and said") func thinned() {
    let lines = (0..<20_000).map { #"{"step":\#($0),"report":{"l":\#($0)}}"# } + [#"{"l":1}"#]
    let reading = read(lines)
    #expect(reading.reports.count > 1000 && reading.reports.count < 2000, "\(reading.reports.count)")
    #expect(reading.reports.prefix(256).map(\.step) == Array(0..<256))
    #expect(reading.result?.measured.metrics?["reportsLeftOut"] == Double(20_000 - reading.reports.count))
    #expect(reading.notes.contains("of 20000 reports"), "\(reading.notes)")
    var thinner = ReportThinner()
    let passed = (0..<1_000_000).count { _ in thinner.next() }
    #expect(passed == thinner.passed && passed < 4000, "\(passed)")
  }

  @Test("random bytes never crash the reader") func fuzz() {
    var generator = SystemRandomNumberGenerator()
    let pieces = [
      "{", "}", "\"", "\\u", "d800", ":", ",", "NaN", "-", "1e999", "[", "]", "\u{1b}[", "\r", "l", "null", " ", "\\",
    ]
    for _ in 0..<20_000 {
      var line: [UInt8] = []
      for _ in 0..<Int.random(in: 0..<12, using: &generator) {
        if Bool.random(using: &generator) {
          line += Array((pieces.randomElement(using: &generator) ?? "").utf8)
        } else {
          line.append(UInt8.random(in: 0...255, using: &generator))
        }
      }
      let reading = read(bytes: [line])
      #expect((reading.result == nil) != (reading.error == nil))
    }
  }
}
