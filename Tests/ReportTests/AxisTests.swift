import TestSupport
import Testing

@testable import Report

@Suite("Axes of any numbers", .bounded)
struct AxisTests {
  private static let ranges: [[Double]] = [
    [1e308, -1e308, 1.5e308], [-1.7e308, 1.7e308], [.leastNonzeroMagnitude, 2 * .leastNonzeroMagnitude],
    [1e300, 1e-300, -1e300], [1e15, 1e15 + 4],
    [1e7, 1e7 + 0.4],
    [0, 0], [-3, -3], [1e308], [], [.nan, .infinity], [1e-13, 3e-13], [0, 1e-9],
  ]

  @Test("ticks are few, ascending and inside, labels are short", arguments: ranges)
  func extremes(_ values: [Double]) {
    for whole in [false, true] {
      let axis = Axis(covering: values, whole: whole)
      #expect(axis.range.lowerBound.isFinite && axis.range.upperBound.isFinite)
      #expect((1...Axis.largestTickCount).contains(axis.ticks.count) || whole, "\(axis.ticks)")
      #expect(zip(axis.ticks, axis.ticks.dropFirst()).allSatisfy { $0 < $1 })
      for tick in axis.ticks {
        #expect(axis.range.contains(tick) && axis.label(tick).count <= 12, "\(axis.label(tick))")
        #expect((-0.001...1.001).contains(axis.fraction(tick)))
      }
      #expect(Set(axis.ticks.map(axis.label)).count == axis.ticks.count, "\(axis.ticks.map(axis.label))")
    }
  }

  @Test("a constant has one tick at its value; nothing negative appears for what is not") func constant() {
    #expect(Axis(covering: [0.35, 0.35]).ticks == [0.35])
    #expect(Axis(covering: [0.35]).label(0.35) == "0.35")
    #expect(Axis(covering: [0, 0.01, 0.2]).ticks.allSatisfy { $0 >= 0 })
  }

  @Test("numbers of trials are whole") func whole() {
    for count in 2...40 {
      #expect(Axis(covering: [1, Double(count)], count: 8, whole: true).ticks.allSatisfy { $0 == $0.rounded() })
    }
  }
}

@Suite("Plots of difficult studies", .bounded)
struct DifficultPlotTests {
  private func plot(
    _ rows: [(Double, Double)], error: Double? = nil, base: (x: Double, y: Double)? = nil, chosen: Int? = 0
  )
    -> String
  {
    ParetoPlot(
      title: "Pareto front of a-study-with-a-name-that-is-much-too-long-for-the-picture-that-it-stands-above",
      subtitle: "s", xTitle: "x", yTitle: "y", minimizesX: true, minimizesY: false,
      points: rows.enumerated().map {
        ParetoPlot.Point(
          number: $0.offset, x: $0.element.0, y: $0.element.1, xError: error, yError: error, isModelBased: false,
          isOnFront: $0.offset == 0, label: "l")
      }, base: base, chosen: chosen
    ).render()
  }

  @Test(
    "any finite numbers are drawn: no endless loop, no trap, no nan",
    arguments: [1e308, 1.7e308, 1e19, 1, 1e-300, .leastNonzeroMagnitude, 0])
  func extremes(_ size: Double) {
    for error in [nil, 1e300, 0.1] {
      let svg = plot([(size, -size), (-size, size), (0, 0)], error: error, base: (size / 2, size))
      #expect(XMLCheck.isBalanced(svg))
      #expect(!svg.contains("\"nan\"") && !svg.contains("inf"))
      #expect(svg.count < 60_000)
    }
    let hypervolume = HypervolumePlot(
      title: "t", subtitle: "", series: [.init(name: "a", values: [0, size, size])], initialTrials: 1)
    #expect(XMLCheck.isBalanced(hypervolume.render()))
  }

  @Test("the label of the chosen trial stays inside the picture") func chosenLabel() {
    let svg = plot([(1, 1), (0, 0), (0.5, 0.2)])
    let label = svg.components(separatedBy: "<text").first { $0.contains(">chosen<") }
    #expect(label?.contains("text-anchor=\"end\"") == true)
  }

  @Test("whiskers have a colour of their own, stand at every point and widen the axes") func whiskers() {
    let svg = plot([(0.4, 0.5), (0.6, 0.7)], error: 0.15)
    // Two whiskers with two caps each, for both points.
    #expect(svg.components(separatedBy: "stroke:\(Palette.whisker)").count - 1 == 2 * 2 * 3)
    #expect(svg.contains(">0.3<") && svg.contains(">0.7<"))
  }

  @Test("the base is drawn: near ones in place, far ones at the edge and said") func base() {
    #expect(plot([(0.4, 0.5), (0.6, 0.7)], base: (0.7, 0.4)).contains(">base<"))
    #expect(plot([(0.4, 0.5), (0.6, 0.7)], base: (50, 0.4)).contains("beyond the picture"))
    #expect(plot([(0.4, 0.5)], base: (50, 0.4)).contains(">base<"))
  }

  @Test("a long title is cut before it leaves the picture; the file's title is whole") func title() {
    let svg = plot([(1, 1), (0, 0)])
    #expect(svg.contains("…") && svg.contains("<title>Pareto front of a-study-with-a-name-that-is-much-too-long"))
  }
}
