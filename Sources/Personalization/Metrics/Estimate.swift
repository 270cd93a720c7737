/// The mean of per-sample values with its standard error.
package struct Estimate: Sendable, Codable, Equatable {
  package var mean: Double
  /// Sample standard deviation over √count; nil with fewer than two values, which say nothing about their spread.
  package var standardError: Double?
  package var count: Int

  package init(mean: Double, standardError: Double?, count: Int) {
    self.mean = mean
    self.standardError = standardError
    self.count = count
  }

  /// Equally weighted values.
  package init(_ values: [Double]) {
    let n = Double(values.count)
    let mean = values.isEmpty ? 0 : values.reduce(0, +) / n
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    self.init(
      mean: mean, standardError: values.count > 1 ? (squares / (n - 1) / n).squareRoot() : nil, count: values.count)
  }

  /// A ratio estimate Σ totals / Σ weights (loss per token over samples of different length), with the standard error
  /// of the ratio from its linearised residuals.
  package init(totals: [Double], weights: [Double]) {
    let weight = weights.reduce(0, +)
    let n = Double(totals.count)
    let mean = weight > 0 ? totals.reduce(0, +) / weight : 0
    let squares = zip(totals, weights).reduce(0) { sum, pair in
      let residual = pair.0 - mean * pair.1
      return sum + residual * residual
    }
    let error = totals.count > 1 && weight > 0 ? (squares * n / (n - 1)).squareRoot() / weight : nil
    self.init(mean: mean, standardError: error, count: totals.count)
  }
}
