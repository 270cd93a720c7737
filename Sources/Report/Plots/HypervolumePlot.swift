/// Dominated hypervolume against the number of finished trials, one or several series.
package struct HypervolumePlot: Sendable {
  /// A curve; `values[i]` is the hypervolume after i + 1 finished trials, `band` its lower and upper edge.
  package struct Series: Sendable {
    package var name: String
    package var values: [Double]
    package var band: [ClosedRange<Double>]?
    package init(name: String, values: [Double], band: [ClosedRange<Double>]? = nil) {
      self.name = name
      self.values = values
      self.band = band
    }
  }

  package var title: String
  package var subtitle: String
  package var series: [Series]
  /// Trials of the initial design; a line marks where the model takes over.
  package var initialTrials: Int

  package init(title: String, subtitle: String, series: [Series], initialTrials: Int) {
    self.title = title
    self.subtitle = subtitle
    self.series = series
    self.initialTrials = initialTrials
  }

  /// The picture as SVG text.
  package func render() -> String {
    let count = series.map(\.values.count).max() ?? 1
    let values = series.flatMap { $0.values + ($0.band ?? []).flatMap { [$0.lowerBound, $0.upperBound] } }
    var frame = PlotFrame(
      title: title, subtitle: subtitle, x: Axis(covering: [1, Double(max(count, 2))], count: 8, whole: true),
      xTitle: "finished trials", y: Axis(covering: values), yTitle: "dominated hypervolume")
    if initialTrials > 0, initialTrials < count {
      let position = frame.xPixel(Double(initialTrials) + 0.5)
      frame.document.line(
        (position, frame.top), (position, frame.document.height - frame.bottom),
        style: "stroke:#9ca3af;stroke-dasharray:3 4")
      frame.document.text(
        "the model proposes from here", at: (position + 6, frame.document.height - frame.bottom - 8), size: 11,
        color: "#6b7280")
    }
    for (index, curve) in series.enumerated() { draw(curve, color: color(index), in: &frame) }
    if series.count > 1 { frame.legend(series.enumerated().map { ($0.element.name, color($0.offset)) }) }
    return frame.document.text
  }

  private func color(_ index: Int) -> String { Palette.series[index % Palette.series.count] }

  private func draw(_ curve: Series, color: String, in frame: inout PlotFrame) {
    if let band = curve.band, band.count == curve.values.count {
      let upper = band.enumerated().map { frame.point(Double($0.offset + 1), $0.element.upperBound) }
      let lower = band.enumerated().map { frame.point(Double($0.offset + 1), $0.element.lowerBound) }
      frame.document.path(
        upper + lower.reversed(), closed: true, style: "fill:\(color);fill-opacity:0.13;stroke:none")
    }
    var line: [(Double, Double)] = []
    for (index, value) in curve.values.enumerated() {
      if index > 0 { line.append(frame.point(Double(index + 1), curve.values[index - 1])) }
      line.append(frame.point(Double(index + 1), value))
    }
    frame.document.path(line, style: "fill:none;stroke:\(color);stroke-width:2.2;stroke-linejoin:round")
    if let last = curve.values.last {
      frame.document.circle(frame.point(Double(curve.values.count), last), radius: 3.6, style: "fill:\(color)")
    }
  }
}
