/// The part that every plot shares: margins, grid, axes, titles and the mapping from data to pixels.
struct PlotFrame {
  var document: SVGDocument
  let x: Axis
  let y: Axis
  let left = 78.0
  let right = 24.0
  /// Title, subtitle and the row of colour keys stand above.
  let top = 86.0
  let bottom = 58.0

  init(
    width: Double = 720, height: Double = 460, title: String, subtitle: String = "", x: Axis, xTitle: String, y: Axis,
    yTitle: String
  ) {
    self.x = x
    self.y = y
    document = SVGDocument(width: width, height: height, title: title)
    let room = width - left - right
    document.text(
      Self.cut(title, room: room, size: 17), at: (left, 28), size: 17, color: "#111827", weight: "600")
    document.text(Self.cut(subtitle, room: room, size: 12), at: (left, 47), size: 12, color: "#6b7280")
    for tick in x.ticks {
      let position = self.xPixel(tick)
      document.line((position, top), (position, height - bottom), style: "stroke:#f0f1f3")
      document.text(x.label(tick), at: (position, height - bottom + 18), size: 11, anchor: .middle, color: "#6b7280")
    }
    for tick in y.ticks {
      let position = self.yPixel(tick)
      document.line((left, position), (width - right, position), style: "stroke:#f0f1f3")
      document.text(y.label(tick), at: (left - 8, position + 4), size: 11, anchor: .end, color: "#6b7280")
    }
    document.line((left, height - bottom), (width - right, height - bottom), style: "stroke:#9ca3af")
    document.line((left, top), (left, height - bottom), style: "stroke:#9ca3af")
    let middle = (left + width - right) / 2
    document.text(xTitle, at: (middle, height - 16), size: 12.5, anchor: .middle)
    document.text(
      yTitle, at: (16, (top + height - bottom) / 2), size: 12.5, anchor: .middle, rotation: -90)
  }

  /// The edges of the picture's inner part.
  var rightEdge: Double { document.width - right }
  var bottomEdge: Double { document.height - bottom }

  func xPixel(_ value: Double) -> Double { left + x.fraction(value) * (document.width - left - right) }
  func yPixel(_ value: Double) -> Double {
    document.height - bottom - y.fraction(value) * (document.height - top - bottom)
  }
  func point(_ xValue: Double, _ yValue: Double) -> (Double, Double) { (xPixel(xValue), yPixel(yValue)) }

  /// A pixel moved to the nearest one inside the axes; the middle for what has no position.
  func clamped(_ position: (Double, Double)) -> (Double, Double) {
    func inside(_ value: Double, _ low: Double, _ high: Double) -> Double {
      value.isNaN ? (low + high) / 2 : min(max(value, low), high)
    }
    return (inside(position.0, left, rightEdge), inside(position.1, top, bottomEdge))
  }

  /// A label beside a point: to its left where there is no room on the right, below it where there is none above.
  mutating func label(_ text: String, beside position: (Double, Double), weight: String = "400") {
    let width = Self.width(text, size: 11.5) + 13
    let isRight = position.0 + width <= document.width - 4
    let isAbove = position.1 - 20 >= top
    document.text(
      text, at: (position.0 + (isRight ? 13 : -13), position.1 + (isAbove ? -8 : 18)), size: 11.5,
      anchor: isRight ? .start : .end, color: "#111827", weight: weight)
  }

  /// A row of colour keys under the titles.
  mutating func legend(_ entries: [(label: String, color: String)]) {
    var position = left
    for entry in entries {
      document.circle((position + 5, 66), radius: 4.5, style: "fill:\(entry.color)")
      document.text(entry.label, at: (position + 14, 70), size: 11.5)
      position += Self.width(entry.label, size: 11.5) + 28
    }
  }

  /// No font metrics here: a generous width per letter keeps texts apart in every font.
  private static func width(_ text: String, size: Double) -> Double { Double(text.count) * size * 0.6 }

  private static func cut(_ text: String, room: Double, size: Double) -> String {
    let most = max(8, Int(room / (size * 0.55)))
    return text.count <= most ? text : text.prefix(most - 1) + "…"
  }
}

/// Colours that stay apart for colour-blind readers (Okabe and Ito).
enum Palette {
  static let initial = "#9aa5b1"
  static let model = "#0072b2"
  static let front = "#d55e00"
  static let base = "#111827"
  /// Whiskers: none of the colours of points and lines.
  static let whisker = "#4b5563"
  static let series = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442", "#000000"]
}
