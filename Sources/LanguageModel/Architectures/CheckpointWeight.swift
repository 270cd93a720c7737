/// A tensor of a mapped checkpoint as a weight source.
struct CheckpointWeight: WeightSource {
  private let view: TensorView
  let elementType: WeightElementType
  var shape: [Int] { view.shape }

  /// The view itself, or its elements converted where backends do not know the type (f64).
  static func source(_ view: TensorView) throws -> any WeightSource {
    switch view.type {
    case .float32: CheckpointWeight(view: view, elementType: .float32)
    case .float16: CheckpointWeight(view: view, elementType: .float16)
    case .bfloat16: CheckpointWeight(view: view, elementType: .bfloat16)
    default: ArrayWeight(try view.float32Values(), shape: view.shape)
    }
  }

  func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try withExtendedLifetime(view) { try body(view.bytes) }
  }
}
