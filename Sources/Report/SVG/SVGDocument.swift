/// An SVG picture that is built element by element; coordinates are in pixels, y grows downwards.
package struct SVGDocument: Sendable {
  package let width: Double
  package let height: Double
  private var body: [String] = []

  /// An empty picture with a white background.
  package init(width: Double, height: Double, title: String) {
    self.width = width
    self.height = height
    body.append("<title>\(Self.escape(title))</title>")
    rectangle(x: 0, y: 0, width: width, height: height, style: "fill:#ffffff")
  }

  /// The file's text.
  package var text: String {
    let size = "width=\"\(Self.format(width))\" height=\"\(Self.format(height))\""
    let box = "viewBox=\"0 0 \(Self.format(width)) \(Self.format(height))\""
    let font = "font-family=\"ui-sans-serif, system-ui, 'Helvetica Neue', Arial, sans-serif\""
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" \(size) \(box) role=\"img\" \(font)>\n"
      + body.joined(separator: "\n") + "\n</svg>\n"
  }

  package mutating func line(_ from: (Double, Double), _ to: (Double, Double), style: String) {
    body.append(
      "<line x1=\"\(Self.format(from.0))\" y1=\"\(Self.format(from.1))\" x2=\"\(Self.format(to.0))\" "
        + "y2=\"\(Self.format(to.1))\" style=\"\(style)\"/>")
  }

  package mutating func rectangle(
    x: Double, y: Double, width: Double, height: Double, radius: Double = 0, style: String
  ) {
    body.append(
      "<rect x=\"\(Self.format(x))\" y=\"\(Self.format(y))\" width=\"\(Self.format(width))\" "
        + "height=\"\(Self.format(height))\" rx=\"\(Self.format(radius))\" style=\"\(style)\"/>")
  }

  /// A circle; `tooltip` appears when a reader points at it.
  package mutating func circle(_ center: (Double, Double), radius: Double, style: String, tooltip: String? = nil) {
    let attributes =
      "cx=\"\(Self.format(center.0))\" cy=\"\(Self.format(center.1))\" r=\"\(Self.format(radius))\" style=\"\(style)\""
    if let tooltip {
      body.append("<circle \(attributes)><title>\(Self.escape(tooltip))</title></circle>")
    } else {
      body.append("<circle \(attributes)/>")
    }
  }

  /// A polyline through `points`, closed to an area when `closed`.
  package mutating func path(_ points: [(Double, Double)], closed: Bool = false, style: String) {
    guard let first = points.first else { return }
    var data = "M\(Self.format(first.0)) \(Self.format(first.1))"
    for point in points.dropFirst() { data += "L\(Self.format(point.0)) \(Self.format(point.1))" }
    body.append("<path d=\"\(data)\(closed ? "Z" : "")\" style=\"\(style)\"/>")
  }

  package enum Anchor: String, Sendable { case start, middle, end }

  package mutating func text(
    _ string: String, at position: (Double, Double), size: Double = 12, anchor: Anchor = .start,
    color: String = "#374151", weight: String = "400", rotation: Double = 0
  ) {
    let (x, y) = (Self.format(position.0), Self.format(position.1))
    let turn = rotation == 0 ? "" : " transform=\"rotate(\(Self.format(rotation)) \(x) \(y))\""
    body.append(
      "<text x=\"\(x)\" y=\"\(y)\" font-size=\"\(Self.format(size))\" text-anchor=\"\(anchor.rawValue)\" "
        + "fill=\"\(color)\" font-weight=\"\(weight)\"\(turn)>\(Self.escape(string))</text>")
  }

  /// Text made safe for XML content and attributes.
  package static func escape(_ string: String) -> String {
    var result = ""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      default:
        // XML 1.0 allows no control characters except tab and line ends.
        if scalar.value >= 0x20 || scalar == "\t" || scalar == "\n" { result.unicodeScalars.append(scalar) }
      }
    }
    return result
  }

  /// A coordinate with at most two decimals.
  static func format(_ value: Double) -> String {
    // A picture has thousands of pixels; what is beyond millions is nowhere in it.
    guard value.isFinite else { return "0" }
    let rounded = (min(max(value, -1e7), 1e7) * 100).rounded() / 100
    return rounded == rounded.rounded() ? String(Int(rounded)) : String(rounded)
  }
}
