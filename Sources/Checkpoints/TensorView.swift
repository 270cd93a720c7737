import ModelFiles

/// Element types of safetensors files.
public enum TensorType: String, Hashable, Sendable, CaseIterable {
  case bool = "BOOL"
  case uint8 = "U8"
  case int8 = "I8"
  case float8E5M2 = "F8_E5M2"
  case float8E4M3 = "F8_E4M3"
  case int16 = "I16"
  case uint16 = "U16"
  case float16 = "F16"
  case bfloat16 = "BF16"
  case int32 = "I32"
  case uint32 = "U32"
  case float32 = "F32"
  case float64 = "F64"
  case int64 = "I64"
  case uint64 = "U64"

  /// Bytes per element.
  public var size: Int {
    switch self {
    case .bool, .uint8, .int8, .float8E5M2, .float8E4M3: 1
    case .int16, .uint16, .float16, .bfloat16: 2
    case .int32, .uint32, .float32: 4
    case .float64, .int64, .uint64: 8
    }
  }

  /// Whether values can be read as f32 (f32, f16, bf16, f64).
  public var isFloat: Bool {
    switch self {
    case .float16, .bfloat16, .float32, .float64: true
    default: false
    }
  }

  /// The name that config.json uses (`dtype`), where there is one.
  public var configurationName: String? {
    switch self {
    case .float16: "float16"
    case .bfloat16: "bfloat16"
    case .float32: "float32"
    case .float64: "float64"
    default: nil
    }
  }
}

/// A tensor inside a mapped file: no copy, row-major, little-endian.
///
/// Keeps its file mapped.
public struct TensorView: Sendable {
  /// The tensor's name in the file, or the canonical one in a ``Checkpoint``.
  public let name: String
  /// The type of its elements.
  public let type: TensorType
  /// Sizes, slowest dimension first; empty for a scalar.
  public let shape: [Int]
  /// The mapping that holds the elements.
  package let file: MappedFile
  /// Where in the file they are, in bytes.
  let range: Range<Int>

  /// The elements as stored, `elementCount * type.size` bytes; valid while the view or its file lives.
  public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: file.bytes[range]) }

  /// The product of the shape.
  public var elementCount: Int { range.count / type.size }

  /// The elements in place, if they are f32 and aligned to four bytes.
  public var mappedFloat32: UnsafeBufferPointer<Float>? {
    type == .float32 && isAligned ? bytes.bindMemory(to: Float.self) : nil
  }

  /// The bit patterns in place, if they are bf16 (or f16, by `type`) and aligned to two bytes.
  public var mappedHalfWords: UnsafeBufferPointer<UInt16>? {
    type.size == 2 && isAligned ? bytes.bindMemory(to: UInt16.self) : nil
  }

  private var isAligned: Bool { Int(bitPattern: bytes.baseAddress) % type.size == 0 }

  /// All elements as f32.
  ///
  /// Throws (`unsupported`) for integer types.
  public func float32Values() throws -> [Float] {
    let count = elementCount
    return try [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      try copyFloat32(to: UnsafeMutableBufferPointer(rebasing: buffer[0..<count]))
      initialized = count
    }
  }

  /// Converts `destination.count` elements from element `offset` on to f32.
  ///
  /// Throws (`unsupported`) for integer types.
  public func copyFloat32(to destination: UnsafeMutableBufferPointer<Float>, from offset: Int = 0) throws {
    precondition(offset >= 0 && destination.count <= elementCount - offset, "range outside the tensor")
    guard let output = destination.baseAddress, let start = bytes.baseAddress else { return }
    let input = start + offset * type.size
    let count = destination.count
    switch type {
    case .float32:
      UnsafeMutableRawPointer(output).copyMemory(from: input, byteCount: count * 4)
    case .bfloat16: HalfPrecision.bfloat16ToFloat32(input, output, count)
    case .float16: HalfPrecision.float16ToFloat32(input, output, count)
    case .float64:
      for index in 0..<count { output[index] = Float(input.loadUnaligned(fromByteOffset: index * 8, as: Double.self)) }
    default:
      throw ModelFileError(
        .unsupported, "tensor '\(name)' holds \(type.rawValue), expected F32, F16, BF16 or F64", file: file.url.path)
    }
  }
}
