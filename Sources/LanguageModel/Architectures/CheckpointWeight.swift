import Glibc

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

  // A file that was copied to memory has no pages to read again.
  var isMapped: Bool { view.file.identity != "memory" }

  func discardPages(_ range: Range<Int>) {
    guard isMapped, let base = view.bytes.baseAddress, !range.isEmpty else { return }
    let page = UInt(sysconf(Int32(_SC_PAGESIZE)))
    let first = (UInt(bitPattern: base) + UInt(range.lowerBound)) / page * page
    let end = UInt(bitPattern: base) + UInt(min(range.upperBound, view.bytes.count))
    madvise(UnsafeMutableRawPointer(bitPattern: first), Int(end - first), MADV_DONTNEED)
  }
}
