import Foundation

/// A linear axis: data range, tick positions and their labels.
public struct Axis: Sendable {
  public let range: ClosedRange<Double>
  public let ticks: [Double]
  private let decimals: Int

  /// An axis that covers all finite `values` with a small margin and about `count` ticks at round numbers.
  public init(covering values: [Double], count: Int = 6, includeZero: Bool = false) {
    var finite = values.filter(\.isFinite)
    if includeZero { finite.append(0) }
    var low = finite.min() ?? 0
    var high = finite.max() ?? 1
    if high - low < 1e-12 * max(1, abs(high)) {
      let pad = max(abs(high) * 0.05, 1e-6)
      low -= pad
      high += pad
    }
    let margin = (high - low) * 0.05
    if !(includeZero && low == 0) { low -= margin }
    high += margin
    let step = Self.roundStep((high - low) / Double(max(count, 2)))
    range = low...high
    ticks = stride(from: (low / step).rounded(.up) * step, through: high, by: step).map { $0 }
    decimals = max(0, Int((-log10(step)).rounded(.up)))
  }

  /// The position of `value` on the axis, 0 at its low end and 1 at its high end.
  public func fraction(_ value: Double) -> Double {
    (value - range.lowerBound) / (range.upperBound - range.lowerBound)
  }

  /// The tick's text, with as many decimals as the spacing needs.
  public func label(_ tick: Double) -> String {
    let value = abs(tick) < 1e-12 ? 0 : tick
    return String(format: "%.\(decimals)f", value)
  }

  private static func roundStep(_ raw: Double) -> Double {
    let magnitude = pow(10, floor(log10(raw)))
    let normalised = raw / magnitude
    let nice: Double = normalised <= 1 ? 1 : normalised <= 2 ? 2 : normalised <= 5 ? 5 : 10
    return nice * magnitude
  }
}
