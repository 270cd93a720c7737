import Foundation
import TestSupport
import Testing

@testable import Report

@Suite("Plots and tables", .ownThread, .bounded)
struct PlotTests {
  private func isWellFormed(_ svg: String) -> Bool {
    XMLCheck.isBalanced(svg)
  }

  @Test("text is escaped") func escaping() {
    #expect(SVGDocument.escape("<a & \"b\">\u{1}") == "&lt;a &amp; &quot;b&quot;&gt;")
  }

  @Test("ticks are round and inside the range") func ticks() {
    let axis = Axis(covering: [0.151, 0.43])
    #expect(axis.ticks.allSatisfy { axis.range.contains($0) })
    #expect(axis.ticks.count >= 3 && axis.ticks.count <= 12)
    #expect(axis.label(0.2) == "0.20" || axis.label(0.2) == "0.2")
    #expect(Axis(covering: []).ticks.count >= 2)
    #expect(Axis(covering: [3, 3]).range.contains(3))
    #expect(Axis(covering: [.nan, 1, .infinity, 2]).range.upperBound < 3)
  }

  @Test("a front is drawn whatever the points", arguments: [0, 1, 7]) func front(_ count: Int) {
    let points = (0..<count).map { index in
      ParetoPlot.Point(
        number: index, x: Double(index) * 0.1, y: index == 3 ? .nan : 1 - Double(index) * 0.1, xError: 0.01,
        yError: 0.02, isModelBased: index > 2, isOnFront: index % 2 == 0, label: "layers <0> & 1")
    }
    let plot = ParetoPlot(
      title: "T", subtitle: "S", xTitle: "loss", yTitle: "ROUGE-L", minimizesX: true, minimizesY: false,
      points: points, base: (5, 0.1), chosen: 2)
    let svg = plot.render()
    #expect(isWellFormed(svg))
    #expect(svg.components(separatedBy: "trial ").count - 1 == points.count { $0.y.isFinite })
  }

  @Test("a hypervolume curve with bands") func hypervolume() {
    let plot = HypervolumePlot(
      title: "T", subtitle: "",
      series: [
        .init(name: "a", values: [0, 1, 2], band: [0...1, 1...2, 1...3]),
        .init(name: "b", values: [0.5]),
      ], initialTrials: 1)
    #expect(isWellFormed(plot.render()))
  }

  @Test("tables align, quote and escape") func tables() {
    var table = TextTable([("name", .left), ("value", .right)])
    table.add(["a,\"b\"", "1"])
    table.add(["c|d"])
    #expect(table.text == "name   value\n─────  ─────\na,\"b\"      1\nc|d")
    #expect(table.csv == "name,value\n\"a,\"\"b\"\"\",1\nc|d,")
    #expect(table.markdown.contains("c\\|d"))
  }
}

/// Whether every element is closed, in order; enough to catch a broken writer without an XML library.
enum XMLCheck {
  static func isBalanced(_ text: String) -> Bool {
    var open: [Substring] = []
    var rest = text[...]
    while let start = rest.firstIndex(of: "<") {
      guard let end = rest[start...].firstIndex(of: ">") else { return false }
      let tag = rest[rest.index(after: start)..<end]
      rest = rest[rest.index(after: end)...]
      if tag.hasPrefix("/") {
        guard open.popLast() == tag.dropFirst() else { return false }
      } else if !tag.hasSuffix("/") {
        guard let name = tag.split(separator: " ").first else { return false }
        open.append(name)
      }
    }
    return open.isEmpty
  }
}
