import Foundation

/// The finished trials of a study in the plane of two objectives, with the Pareto front.
public struct ParetoPlot: Sendable {
  /// One finished trial; values in the objectives' own units.
  public struct Point: Sendable {
    public var number: Int
    public var x: Double
    public var y: Double
    /// Standard errors of `x` and `y`, drawn as whiskers on the front.
    public var xError: Double?
    public var yError: Double?
    /// Proposed by the model (and not by the initial design).
    public var isModelBased: Bool
    public var isOnFront: Bool
    public var label: String

    public init(
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

  public var title: String
  public var subtitle: String
  public var xTitle: String
  public var yTitle: String
  /// Whether smaller x (y) is better; decides the corners of the front's staircase.
  public var minimizesX: Bool
  public var minimizesY: Bool
  public var points: [Point]
  /// The un-injected base, when it was measured; left out of the axes when it is far from every trial.
  public var anchor: (x: Double, y: Double)?
  /// The number of the chosen trial.
  public var chosen: Int?

  public init(
    title: String, subtitle: String, xTitle: String, yTitle: String, minimizesX: Bool, minimizesY: Bool,
    points: [Point], anchor: (x: Double, y: Double)? = nil, chosen: Int? = nil
  ) {
    self.title = title
    self.subtitle = subtitle
    self.xTitle = xTitle
    self.yTitle = yTitle
    self.minimizesX = minimizesX
    self.minimizesY = minimizesY
    self.points = points.filter { $0.x.isFinite && $0.y.isFinite }
    self.anchor = anchor
    self.chosen = chosen
  }

  /// The picture as SVG text.
  public func render() -> String {
    var frame = PlotFrame(
      title: title, subtitle: subtitle, x: Axis(covering: points.map(\.x)), xTitle: xTitle,
      y: Axis(covering: points.map(\.y)), yTitle: yTitle)
    drawAnchor(in: &frame)
    drawStaircase(in: &frame)
    for point in points where !point.isOnFront { draw(point, in: &frame) }
    for point in points where point.isOnFront { draw(point, in: &frame) }
    if let winner = points.first(where: { $0.number == chosen }) {
      let position = frame.point(winner.x, winner.y)
      frame.document.circle(position, radius: 10, style: "fill:none;stroke:#111827;stroke-width:1.6")
      frame.document.text("chosen", at: (position.0 + 13, position.1 - 8), size: 11.5, color: "#111827", weight: "600")
    }
    frame.legend([("initial design", Palette.initial), ("NEHVI", Palette.model), ("Pareto front", Palette.front)])
    return frame.document.text
  }

  private func draw(_ point: Point, in frame: inout PlotFrame) {
    let color = point.isOnFront ? Palette.front : point.isModelBased ? Palette.model : Palette.initial
    let position = frame.point(point.x, point.y)
    if point.isOnFront {
      let whisker = "stroke:\(Palette.front);stroke-opacity:0.45;stroke-width:1.2"
      if let error = point.xError {
        frame.document.line(
          (max(frame.xPixel(point.x - error), frame.left), position.1),
          (min(frame.xPixel(point.x + error), frame.document.width - frame.right), position.1), style: whisker)
      }
      if let error = point.yError {
        frame.document.line(
          (position.0, min(frame.yPixel(point.y - error), frame.document.height - frame.bottom)),
          (position.0, max(frame.yPixel(point.y + error), frame.top)), style: whisker)
      }
    }
    let opacity = point.isOnFront ? "1" : "0.75"
    frame.document.circle(
      position, radius: point.isOnFront ? 5.5 : 4.2,
      style: "fill:\(color);fill-opacity:\(opacity);stroke:#ffffff;stroke-width:0.8",
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
    guard let anchor else { return }
    // A base far from every trial would squeeze them into a corner: the subtitle names it instead.
    guard frame.x.range.contains(anchor.x), frame.y.range.contains(anchor.y) else { return }
    let position = frame.point(anchor.x, anchor.y)
    frame.document.path(
      [
        (position.0, position.1 - 6), (position.0 + 6, position.1), (position.0, position.1 + 6),
        (position.0 - 6, position.1),
      ],
      closed: true, style: "fill:\(Palette.anchor)")
    frame.document.text("base", at: (position.0 + 9, position.1 + 4), size: 11.5)
  }
}

/// Numbers as people read them in plots and tables.
public enum PlotNumber {
  /// About four significant digits.
  public static func short(_ value: Double) -> String {
    guard value.isFinite else { return value.isNaN ? "nan" : value > 0 ? "inf" : "-inf" }
    let magnitude = abs(value)
    if magnitude >= 1e6 || (magnitude > 0 && magnitude < 1e-4) { return formatted(value, "%.3g") }
    if magnitude >= 100 { return formatted(value, "%.1f") }
    if magnitude >= 10 { return formatted(value, "%.2f") }
    return formatted(value, "%.4f")
  }

  private static func formatted(_ value: Double, _ format: String) -> String { String(format: format, value) }
}
