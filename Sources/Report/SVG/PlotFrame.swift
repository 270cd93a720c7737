/// The part that every plot shares: margins, grid, axes, titles and the mapping from data to pixels.
struct PlotFrame {
  var document: SVGDocument
  let x: Axis
  let y: Axis
  let left = 78.0
  let right = 24.0
  let top = 64.0
  let bottom = 58.0

  init(
    width: Double = 720, height: Double = 440, title: String, subtitle: String = "", x: Axis, xTitle: String, y: Axis,
    yTitle: String
  ) {
    self.x = x
    self.y = y
    document = SVGDocument(width: width, height: height, title: title)
    document.text(title, at: (left, 28), size: 17, color: "#111827", weight: "600")
    document.text(subtitle, at: (left, 47), size: 12, color: "#6b7280")
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
      yTitle, at: (20, (top + height - bottom) / 2), size: 12.5, anchor: .middle, rotation: -90)
  }

  func xPixel(_ value: Double) -> Double { left + x.fraction(value) * (document.width - left - right) }
  func yPixel(_ value: Double) -> Double {
    document.height - bottom - y.fraction(value) * (document.height - top - bottom)
  }
  func point(_ xValue: Double, _ yValue: Double) -> (Double, Double) { (xPixel(xValue), yPixel(yValue)) }

  /// A row of colour keys at the upper right.
  mutating func legend(_ entries: [(label: String, color: String)]) {
    var position = document.width - right
    for entry in entries.reversed() {
      // No font metrics here: a generous width per letter keeps entries apart in every font.
      let width = Double(entry.label.count) * 6.9 + 26
      position -= width
      document.circle((position + 5, 24), radius: 4.5, style: "fill:\(entry.color)")
      document.text(entry.label, at: (position + 14, 28), size: 11.5)
    }
  }
}

/// Colours that stay apart for colour-blind readers (Okabe and Ito).
enum Palette {
  static let initial = "#9aa5b1"
  static let model = "#0072b2"
  static let front = "#d55e00"
  static let anchor = "#111827"
  static let series = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442", "#000000"]
}
