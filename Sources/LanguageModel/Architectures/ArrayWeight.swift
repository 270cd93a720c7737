/// Weights that were made in memory (random initialisation, tests), row-major f32.
public struct ArrayWeight: WeightSource {
  public let shape: [Int]
  public let values: [Float]
  public var elementType: WeightElementType { .float32 }

  /// Weights of the given shape; `values` must fill it.
  public init(_ values: [Float], shape: [Int]) {
    precondition(values.count == shape.reduce(1, *), "\(values.count) values for shape \(shape)")
    self.values = values
    self.shape = shape
  }

  public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try values.withUnsafeBytes(body)
  }
}
