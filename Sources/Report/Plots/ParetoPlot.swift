import Foundation

/// The finished trials of a study in the plane of two objectives, with the Pareto front.
package struct ParetoPlot: Sendable {
  /// One finished trial; values in the objectives' own units.
  package struct Point: Sendable {
    package var number: Int
    package var x: Double
    package var y: Double
    /// Standard errors of `x` and `y`, drawn as whiskers.
    package var xError: Double?
    package var yError: Double?
    /// Proposed by the model (and not by the initial design).
    package var isModelBased: Bool
    package var isOnFront: Bool
    package var label: String

    package init(
      number: Int, x: Double, y: Double, xError: Double? = nil, yError: Double? = nil, isModelBased: Bool,
      isOnFront: Bool, label: String
    ) {
      self.number = number
      self.x = x
      self.y = y
      self.xError = xError
      self.yError = yError
      self.isModelBased = isModelBased
      self.isOnFront = isOnFront
      self.label = label
    }
  }

  package var title: String
  package var subtitle: String
  package var xTitle: String
  package var yTitle: String
  /// Whether smaller x (y) is better; decides the corners of the front's staircase.
  package var minimizesX: Bool
  package var minimizesY: Bool
  package var points: [Point]
  /// The un-injected base, when it was measured; one that is far from every trial is drawn at the picture's edge.
  package var base: (x: Double, y: Double)?
  /// The number of the chosen trial.
  package var chosen: Int?

  package init(
    title: String, subtitle: String, xTitle: String, yTitle: String, minimizesX: Bool, minimizesY: Bool,
    points: [Point], base: (x: Double, y: Double)? = nil, chosen: Int? = nil
  ) {
    self.title = title
    self.subtitle = subtitle
    self.xTitle = xTitle
    self.yTitle = yTitle
    self.minimizesX = minimizesX
    self.minimizesY = minimizesY
    self.points = points.filter { $0.x.isFinite && $0.y.isFinite }
    self.base = base
    self.chosen = chosen
  }

  /// The picture as SVG text.
  package func render() -> String {
    var frame = PlotFrame(
      title: title, subtitle: subtitle,
      x: Axis(covering: Self.extent(points.map { ($0.x, $0.xError) }, base: base?.x)), xTitle: xTitle,
      y: Axis(covering: Self.extent(points.map { ($0.y, $0.yError) }, base: base?.y)), yTitle: yTitle)
    // Whiskers below everything, points of the front on top.
    for point in points { drawWhiskers(of: point, in: &frame) }
    drawStaircase(in: &frame)
    for point in points where !point.isOnFront { draw(point, in: &frame) }
    for point in points where point.isOnFront { draw(point, in: &frame) }
    drawAnchor(in: &frame)
    if let winner = points.first(where: { $0.number == chosen }) {
      let position = frame.point(winner.x, winner.y)
      frame.document.circle(position, radius: 10, style: "fill:none;stroke:#111827;stroke-width:1.6")
      frame.label("chosen", beside: position, weight: "600")
    }
    frame.legend([
      ("initial design", Palette.initial), ("proposed by the model", Palette.model), ("Pareto front", Palette.front),
    ])
    return frame.document.text
  }

  /// What an axis must cover: the values, their errors as far as those do not dwarf the values, and a base that is near.
  private static func extent(_ values: [(value: Double, error: Double?)], base: Double?) -> [Double] {
    let plain = values.map(\.value)
    guard let low = plain.min(), let high = plain.max() else { return base.map { [$0] } ?? [] }
    let half = high / 2 - low / 2
    let longest = half > 0 ? half : abs(high) / 2
    var result = plain
    for (value, error) in values {
      guard let error, error.isFinite, error > 0 else { continue }
      let length = half > 0 || longest > 0 ? min(error, longest) : error
      result += [value - length, value + length]
    }
    // Within two lengths of the trials' range; beside a single value any base is near.
    let near = half > 0 ? half * 2 : .infinity
    if let base, base.isFinite, low / 2 - base / 2 <= near, base / 2 - high / 2 <= near { result.append(base) }
    return result
  }

  private func drawWhiskers(of point: Point, in frame: inout PlotFrame) {
    let style = "stroke:\(Palette.whisker);stroke-opacity:\(point.isOnFront ? "0.7" : "0.3");stroke-width:1.2"
    let center = frame.point(point.x, point.y)
    func draw(_ ends: [(Double, Double)], cap: (Double, Double)) {
      let ends = ends.map(frame.clamped)
      frame.document.line(ends[0], ends[1], style: style)
      for end in ends {
        frame.document.line((end.0 - cap.0, end.1 - cap.1), (end.0 + cap.0, end.1 + cap.1), style: style)
      }
    }
    if let error = point.xError, error > 0 {
      draw(
        [(frame.xPixel(point.x - error), center.1), (frame.xPixel(point.x + error), center.1)], cap: (0, 3))
    }
    if let error = point.yError, error > 0 {
      draw(
        [(center.0, frame.yPixel(point.y - error)), (center.0, frame.yPixel(point.y + error))], cap: (3, 0))
    }
  }

  private func draw(_ point: Point, in frame: inout PlotFrame) {
    let color = point.isOnFront ? Palette.front : point.isModelBased ? Palette.model : Palette.initial
    frame.document.circle(
      frame.point(point.x, point.y), radius: point.isOnFront ? 5.5 : 4.2,
      style: "fill:\(color);fill-opacity:\(point.isOnFront ? "1" : "0.75");stroke:#ffffff;stroke-width:0.8",
      tooltip: "trial \(point.number): \(point.label)")
  }

  /// The region's edge: every front point's dominated quadrant, joined.
  private func drawStaircase(in frame: inout PlotFrame) {
    let front = points.filter(\.isOnFront).sorted { $0.x < $1.x }
    guard let first = front.first, let last = front.last else { return }
    let worstX = minimizesX ? frame.x.range.upperBound : frame.x.range.lowerBound
    let worstY = minimizesY ? frame.y.range.upperBound : frame.y.range.lowerBound
    var line: [(Double, Double)] = []
    // Walking along x, a step is horizontal first where the earlier point is worse in y when x is minimised.
    line.append(minimizesX ? frame.point(first.x, worstY) : frame.point(worstX, first.y))
    for (index, point) in front.enumerated() {
      line.append(frame.point(point.x, point.y))
      guard index + 1 < front.count else { break }
      let next = front[index + 1]
      line.append(minimizesX ? frame.point(next.x, point.y) : frame.point(point.x, next.y))
    }
    line.append(minimizesX ? frame.point(worstX, last.y) : frame.point(last.x, worstY))
    frame.document.path(
      line, style: "fill:none;stroke:\(Palette.front);stroke-width:1.6;stroke-opacity:0.7;stroke-dasharray:5 3")
  }

  private func drawAnchor(in frame: inout PlotFrame) {
    guard let base, base.x.isFinite, base.y.isFinite else { return }
    // A base far from every trial would squeeze them into a corner: it stands at the edge then, hollow.
    let isInside = frame.x.range.contains(base.x) && frame.y.range.contains(base.y)
    let position = frame.clamped(frame.point(base.x, base.y))
    frame.document.path(
      [
        (position.0, position.1 - 6), (position.0 + 6, position.1), (position.0, position.1 + 6),
        (position.0 - 6, position.1),
      ],
      closed: true,
      style: isInside ? "fill:\(Palette.base)" : "fill:#ffffff;stroke:\(Palette.base);stroke-width:1.6")
    frame.label(isInside ? "base" : "base (beyond the picture)", beside: position)
  }
}
