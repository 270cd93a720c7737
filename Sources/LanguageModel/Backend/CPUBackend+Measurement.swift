// How much of the time goes to matrix products, and how fast they can be on this machine.

import CKernels
import Glibc

extension CPUBackend {
  /// Matrix products of a backend so far.
  package struct ProductTotals: Sendable, Equatable {
    /// Wall-clock seconds in products.
    package var seconds: Double
    /// 2 · m · n · k of each product.
    package var operations: Double

    package static func - (left: ProductTotals, right: ProductTotals) -> ProductTotals {
      ProductTotals(seconds: left.seconds - right.seconds, operations: left.operations - right.operations)
    }
  }

  /// What products have taken since the backend was made.
  package var productTotals: ProductTotals {
    var totals = ProductTotals(seconds: 0, operations: 0)
    lm_product_totals(context, &totals.seconds, &totals.operations)
    return totals
  }

  /// Operations per second of the best of `repetitions` products of a size that suits the kernels
  /// (420 x 768 times 768 x 3,072, frozen right operand): the limit that whole models can be held against.
  package func productLimit(repetitions: Int = 40) throws -> Double {
    let (rows, inputs, outputs) = (420, 768, 3072)
    let source = ArrayWeight([Float](repeating: 0.01, count: inputs * outputs), shape: [outputs, inputs])
    let weight = try makeMatrix([source], layout: .outputsByInputs, parameter: nil)
    let x = try makeTensor(rows: rows, columns: inputs, kind: .activation)
    let y = try makeTensor(rows: rows, columns: outputs, kind: .activation)
    try fill(x, with: 0.5)
    var best = Double.infinity
    for _ in 0..<max(1, repetitions) {
      let before = productTotals
      try linear(x, weight, bias: nil, into: y, accumulate: false)
      best = min(best, (productTotals - before).seconds)
    }
    return 2 * Double(rows * inputs * outputs) / best
  }
}
