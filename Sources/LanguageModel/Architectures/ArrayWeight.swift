/// Weights that were made in memory (random initialisation, tests), row-major f32.
package struct ArrayWeight: WeightSource {
  package let shape: [Int]
  package let values: [Float]
  package var elementType: WeightElementType { .float32 }

  /// Weights of the given shape; `values` must fill it.
  package init(_ values: [Float], shape: [Int]) {
    precondition(values.count == shape.reduce(1, *), "\(values.count) values for shape \(shape)")
    self.values = values
    self.shape = shape
  }

  package func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try values.withUnsafeBytes(body)
  }
}
