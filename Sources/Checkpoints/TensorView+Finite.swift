import Foundation
import ModelFiles

/// A number of a tensor that is infinite or not a number.
public struct NonFiniteElement: Hashable, Sendable, CustomStringConvertible {
  /// The tensor's name.
  public let tensor: String
  /// The element's place in row-major order, from 0.
  public let index: Int
  /// NaN, ∞ or −∞.
  public let value: Float

  /// An element of a tensor.
  public init(tensor: String, index: Int, value: Float) {
    self.tensor = tensor
    self.index = index
    self.value = value
  }

  /// The tensor, the number and its place.
  public var description: String { "'\(tensor)' holds \(value) at element \(index)" }
}

extension TensorView {
  /// The first element that is infinite or not a number as f32, or nil.
  ///
  /// Reads the whole tensor, several GB/s; integer types have no such elements.
  public func firstNonFinite() -> NonFiniteElement? {
    let index: Int?
    switch type {
    case .float16: index = Self.find(UInt16(0x7C00), in: bytes)
    case .bfloat16: index = Self.find(UInt16(0x7F80), in: bytes)
    case .float32: index = Self.find(UInt32(0x7F80_0000), in: bytes)
    // Computing is in f32: what is beyond its range is infinite here.
    case .float64: index = (0..<elementCount).first { !Float(double(at: $0)).isFinite }
    default: return nil
    }
    guard let index else { return nil }
    var value: [Float] = [.nan]
    // Only floating-point types come here, so this cannot fail.
    try? value.withUnsafeMutableBufferPointer { try copyFloat32(to: $0, from: index) }
    return NonFiniteElement(tensor: name, index: index, value: value[0])
  }

  private func double(at index: Int) -> Double {
    UnsafeRawBufferPointer(bytes).loadUnaligned(fromByteOffset: index * 8, as: Double.self)
  }

  /// The first word whose exponent bits are all set; `bytes` need no alignment.
  private static func find<Word: FixedWidthInteger & UnsignedInteger>(
    _ mask: Word, in bytes: UnsafeRawBufferPointer
  ) -> Int? {
    guard let start = bytes.baseAddress else { return nil }
    let size = MemoryLayout<Word>.size
    let count = bytes.count / size
    // Blocks without a branch inside, so that they compile to vector code.
    for block in stride(from: 0, to: count, by: 4096) {
      let end = min(block + 4096, count)
      var found: Word = 0
      for index in block..<end {
        let word = start.loadUnaligned(fromByteOffset: index &* size, as: Word.self)
        found |= word & mask == mask ? 1 : 0
      }
      guard found == 0 else {
        return (block..<end).first { start.loadUnaligned(fromByteOffset: $0 * size, as: Word.self) & mask == mask }
      }
    }
    return nil
  }
}

extension Checkpoint {
  /// The first weight that is infinite or not a number, or nil.
  ///
  /// Reads every weight once.
  public func firstNonFinite() -> NonFiniteElement? {
    for tensor in tensors { if let element = tensor.firstNonFinite() { return element } }
    return nil
  }

  /// Refuses (`malformed`) a base in which some weight is infinite or not a number: nothing that is computed with it would
  /// mean anything.
  ///
  /// With `cache`, a folder, a base that passed is remembered there under the files' sizes, inodes and modification times.
  public func requireFinite(cache: URL? = nil) throws {
    let record = cache?.appendingPathComponent("finite-\(identity)")
    if let record, FileManager.default.fileExists(atPath: record.path) { return }
    if let element = firstNonFinite() { throw Self.notFinite(element, directory) }
    guard let cache, let record else { return }
    // A cache that cannot be written only costs time.
    try? FileManager.default.createDirectory(at: cache, withIntermediateDirectories: true)
    try? ModelFileError.writing("finite\n", to: record)
  }

  package static func notFinite(_ element: NonFiniteElement, _ directory: URL) -> ModelFileError {
    ModelFileError(
      .malformed,
      "the base's weights are not finite: \(element). Nothing computed with it means anything; get the files again",
      file: directory.path)
  }
}
