import Foundation

/// A linear axis: data range, tick positions and their labels.
///
/// Any finite numbers can be drawn: lengths are computed in halves, so that a range from -1e308 to 1e308 has one too.
package struct Axis: Sendable {
  package let range: ClosedRange<Double>
  package let ticks: [Double]
  private let format: LabelFormat

  private enum LabelFormat: Sendable {
    case decimals(Int)
    case significant(Int)
  }

  /// Most ticks of an axis, whatever the numbers.
  static let largestTickCount = 50

  /// An axis that covers all finite `values` with a small margin and about `count` ticks at round numbers.
  ///
  /// A margin never crosses zero: where no value is negative, no tick is.
  ///
  /// - Parameter whole: ticks at whole numbers only.
  package init(covering values: [Double], count: Int = 6, includeZero: Bool = false, whole: Bool = false) {
    var finite = values.filter(\.isFinite)
    if includeZero { finite.append(0) }
    let low = finite.min() ?? 0
    let high = finite.max() ?? 1
    let magnitude = max(abs(low), abs(high))
    // Half the length, for the whole one may be beyond the largest number.
    let half = high / 2 - low / 2
    guard half > magnitude * 1e-12, (half / 1e6).isNormal else {
      self.init(at: high)
      return
    }
    let margin = half * 0.1
    let start = low >= 0 ? max(0, low - margin) : max(low - margin, -Double.greatestFiniteMagnitude)
    let end = high <= 0 ? min(0, high + margin) : min(high + margin, Double.greatestFiniteMagnitude)
    var step = Self.roundStep((end / 2 - start / 2) / Double(max(count, 2)) * 2)
    if whole { step = max(1, step.rounded(.up)) }
    var ticks: [Double] = []
    var multiple = (start / step).rounded(.up)
    while multiple * step <= end, ticks.count < Self.largestTickCount {
      ticks.append(multiple * step)
      multiple += 1
    }
    self.init(range: start...end, ticks: ticks, format: Self.format(step: step, magnitude: magnitude))
  }

  private init(range: ClosedRange<Double>, ticks: [Double], format: LabelFormat) {
    self.range = range
    self.ticks = ticks
    self.format = format
  }

  /// An axis around a single value, which is its only tick.
  private init(at value: Double) {
    let pad = value == 0 ? 1 : max(abs(value) * 0.05, .leastNormalMagnitude)
    let limit = Double.greatestFiniteMagnitude
    self.init(
      range: max(value - pad, -limit)...min(value + pad, limit), ticks: [value], format: .significant(6))
  }

  /// The position of `value` on the axis, 0 at its low end and 1 at its high end.
  package func fraction(_ value: Double) -> Double {
    (value / 2 - range.lowerBound / 2) / (range.upperBound / 2 - range.lowerBound / 2)
  }

  /// The tick's text, with as many digits as the spacing needs.
  package func label(_ tick: Double) -> String {
    switch format {
    case .decimals(let decimals):
      let text = String(format: "%.\(decimals)f", tick)
      // A tick at zero may be a rounding error below it.
      return text.contains { $0 != "-" && $0 != "0" && $0 != "." } ? text : String(format: "%.\(decimals)f", 0.0)
    case .significant(let digits): return tick == 0 ? "0" : String(format: "%.\(digits)g", tick)
    }
  }

  private static func format(step: Double, magnitude: Double) -> LabelFormat {
    let exponent = log10(step).rounded(.down)
    guard magnitude < 1e7, step >= 1e-6 else {
      // Finite numbers have exponents within ±324: no trap.
      return .significant(min(17, max(2, Int(log10(magnitude).rounded(.down) - exponent) + 1)))
    }
    return .decimals(max(0, Int(-exponent)))
  }

  private static func roundStep(_ raw: Double) -> Double {
    let magnitude = pow(10, floor(log10(raw)))
    let normalised = raw / magnitude
    let nice: Double = normalised <= 1 ? 1 : normalised <= 2 ? 2 : normalised <= 5 ? 5 : 10
    let step = nice * magnitude
    return step.isNormal ? step : raw
  }
}
