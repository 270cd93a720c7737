import Foundations
import TestSupport
import Testing

@testable import Report

@Suite("Numbers as text", .bounded)
struct NumberTextTests {
  private static let extremes: [Double] = [
    0, -0.0, .leastNonzeroMagnitude, 1e-308, 3.2e-7, -3.2e-7, 0.004, 0.5, 1, -12, 999, 1e6, 1e7 + 0.1, 1e15 + 1, 1e19,
    -1e19, 1e300,
    -1.7e308,
    .infinity, -.infinity, .nan,
  ]

  @Test("whatever the number, the text is short and says something", arguments: extremes)
  func short(_ value: Double) {
    for text in [
      PlotNumber.short(value), PlotNumber.column(value), PlotNumber.percent(value), PlotNumber.count(value),
      PlotNumber.seconds(value),
    ] {
      #expect(text.count <= 21, "\(value): \(text)")
      if value.isFinite, value != 0 {
        #expect(text.contains { "123456789".contains($0) }, "\(value): \(text)")
      }
    }
    if value.isFinite { #expect(Double(PlotNumber.exact(value)) == value) }
  }

  @Test("the usual numbers look as they always did") func usual() {
    #expect(PlotNumber.column(1.53) == "1.5300" && PlotNumber.column(0.0313) == "0.0313")
    #expect(PlotNumber.column(3.2e-7) == "3.2e-07" && PlotNumber.column(1e300) == "1e+300")
    #expect(
      PlotNumber.percent(0.6940) == "69.40" && PlotNumber.percent(0.00001) == "0.001"
        && PlotNumber.percent(22) == "22.00")
    #expect(PlotNumber.count(1_234_567) == "1,234,567" && PlotNumber.count(-1e19) == "-1e+19")
    #expect(PlotNumber.count(0.5) == "0.5000" && PlotNumber.grouped(.min).hasPrefix("-9,223"))
    #expect(PlotNumber.seconds(10.42) == "10.4 s" && PlotNumber.seconds(1e300) == "1e+300 s")
    #expect(PlotNumber.exact(12) == "12" && PlotNumber.exact(0.1 + 0.2) == "0.30000000000000004")
  }

  @Test("scores are percent under a title that says so; what is above 1 cannot be a fraction") func units() {
    #expect(StudySummary.columnTitle("rougeL") == "ROUGE-L %" && StudySummary.columnTitle("loss") == "loss")
    #expect(StudySummary.value(0.3535, error: 0.01, name: "rougeL") == "35.35 ±1.00")
    #expect(StudySummary.value(50, name: "rougeL") == "50.00")
    #expect(StudySummary.value(0.4, error: 3.2e-7, name: "loss") == "0.4000 ±3.2e-07")
  }
}

@Suite("Text of others, made printable", .bounded)
struct PrintableTextTests {
  @Test("escape sequences, forged lines and overrides are shown, not obeyed") func escapes() {
    let hostile = "w\u{1B}]0;title\u{7}\r\nengram: all is well\u{9B}31m\u{202E}\u{7F}\tü"
    let line = PrintableText.line(hostile)
    #expect(line == "w\\u{1b}]0;title\\u{7}\\r\\nengram: all is well\\u{9b}31m\\u{202e}\\u{7f}\\tü")
    #expect(PrintableText.block("a\n\tb\u{1B}c") == "a\n\tb\\u{1b}c")
    #expect(PrintableText.line("plain – ±0.1 日本") == "plain – ±0.1 日本")
  }

  @Test("JSON keeps its meaning and has no raw control character") func json() {
    #expect(PrintableText.json("{\"a\":\"x\u{9B}\u{202E}\"}\n") == "{\"a\":\"x\\u009b\\u202e\"}\n")
  }

  @Test("cells of every form of a table are printable") func tables() {
    var table = TextTable([("na\u{1B}me", .left)])
    table.add(["x\u{1B}[31m\ny"])
    for text in [table.text, table.csv, table.markdown] {
      #expect(!text.contains("\u{1B}") && text.contains("x\\u{1b}[31m\\ny"))
    }
  }
}
