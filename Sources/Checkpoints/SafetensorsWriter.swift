import Foundations
import Foundation
import ModelFiles
import StrictJSON

/// A tensor to be written: its description and a closure that delivers the bytes, in one piece or many.
public struct TensorSource {
  /// Its name in the file.
  public let name: String
  /// The type of its elements.
  public let type: TensorType
  /// Sizes, slowest dimension first; empty for a scalar.
  public let shape: [Int]
  /// Calls its argument with consecutive pieces that together make `byteCount` bytes.
  public let deliver: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void

  /// Bytes of the whole tensor.
  public var byteCount: Int { shape.reduce(type.size, *) }

  /// A tensor whose bytes come from a closure, so that a large one never has to be in memory as a whole.
  public init(
    name: String, type: TensorType, shape: [Int],
    deliver: @escaping ((UnsafeRawBufferPointer) throws -> Void) throws -> Void
  ) {
    self.name = name
    self.type = type
    self.shape = shape
    self.deliver = deliver
  }

  /// A tensor copied as it is from another file.
  public init(_ view: TensorView, name: String? = nil) {
    self.init(name: name ?? view.name, type: view.type, shape: view.shape) { try $0(view.bytes) }
  }

  /// A tensor of f32 values, converted to `type` (f32, f16, bf16 or f64) in pieces while it is written.
  public init(name: String, shape: [Int], values: [Float], type: TensorType = .float32) {
    precondition(values.count == shape.reduce(1, *), "'\(name)': \(values.count) values for shape \(shape)")
    self.init(name: name, type: type, shape: shape) { write in
      try values.withUnsafeBufferPointer { try Self.convert($0, type, name, write) }
    }
  }

  /// Delivers f32 values in `type`, 64 Ki elements at a time.
  ///
  /// Refuses values that are infinite or not a number, and those that the type cannot hold.
  static func convert(
    _ values: UnsafeBufferPointer<Float>, _ type: TensorType, _ name: String,
    _ write: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    try requireFinite(values, name)
    if type == .float32 { return try write(UnsafeRawBufferPointer(values)) }
    if type == .float64 {
      for begin in stride(from: 0, to: values.count, by: 1 << 16) {
        let wide = values[begin..<min(begin + (1 << 16), values.count)].map(Double.init)
        try wide.withUnsafeBytes { try write($0) }
      }
      return
    }
    guard type == .float16 || type == .bfloat16 else {
      throw ModelFileError(.unsupported, "cannot write f32 values of '\(name)' as \(type.rawValue)")
    }
    guard let start = values.baseAddress else { return }
    var buffer = [UInt16](repeating: 0, count: min(1 << 16, values.count))
    for begin in stride(from: 0, to: values.count, by: 1 << 16) {
      let count = min(1 << 16, values.count - begin)
      try buffer.withUnsafeMutableBufferPointer { halves in
        guard let output = halves.baseAddress else { return }
        if type == .bfloat16 {
          HalfPrecision.float32ToBFloat16(start + begin, output, count)
        } else {
          HalfPrecision.float32ToFloat16(start + begin, output, count)
        }
        try requireFit(output, count, type, name, start + begin, at: begin)
        try write(UnsafeRawBufferPointer(start: output, count: count * 2))
      }
    }
  }
}

extension TensorSource {
  private static func requireFinite(_ values: UnsafeBufferPointer<Float>, _ name: String) throws {
    for begin in stride(from: 0, to: values.count, by: 4096) {
      let block = begin..<min(begin + 4096, values.count)
      // No branch inside the loop, so that it compiles to vector code.
      var found: UInt32 = 0
      for index in block { found |= values[index].bitPattern & 0x7F80_0000 == 0x7F80_0000 ? 1 : 0 }
      guard found != 0, let index = block.first(where: { !values[$0].isFinite }) else { continue }
      throw ModelFileError(
        .malformed,
        "\(NonFiniteElement(tensor: name, index: index, value: values[index])); such numbers are not written")
    }
  }

  /// Refuses numbers that became infinite when they were rounded to 16 bits.
  private static func requireFit(
    _ halves: UnsafeMutablePointer<UInt16>, _ count: Int, _ type: TensorType, _ name: String,
    _ values: UnsafePointer<Float>, at first: Int
  ) throws {
    let mask: UInt16 = type == .bfloat16 ? 0x7F80 : 0x7C00
    var found: UInt16 = 0
    for index in 0..<count { found |= halves[index] & mask == mask ? 1 : 0 }
    guard found != 0, let index = (0..<count).first(where: { halves[$0] & mask == mask }) else { return }
    throw ModelFileError(
      .unsupported,
      "'\(name)' holds \(values[index]) at element \(first + index), which \(type.rawValue) cannot hold (its largest "
        + "number is \(type == .bfloat16 ? "3.39e38" : "65504")); write this model in a wider type")
  }
}

/// Writes safetensors files: same order (widest type first, then name) and header layout as the reference, so that
/// equal content gives equal bytes.
public enum SafetensorsWriter {
  /// Writes `tensors` to `url` atomically.
  ///
  /// `metadata` strings are sorted by key.
  public static func write(
    _ tensors: [TensorSource], to url: URL, metadata: [String: String] = ["format": "pt"]
  ) throws {
    let ordered = tensors.sorted {
      $0.type.size != $1.type.size ? $0.type.size > $1.type.size : $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
    }
    for (first, second) in zip(ordered, ordered.dropFirst()) where first.name == second.name {
      throw ModelFileError(.mismatch, "tensor '\(first.name)' is given twice", file: url.path)
    }
    var header = JSONObject()
    if !metadata.isEmpty {
      let sorted = metadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
      header.append("__metadata__", .object(JSONObject(sorted.map { ($0.key, .string($0.value)) })))
    }
    var offset = 0
    for tensor in ordered {
      header.append(
        tensor.name,
        .object(
          JSONObject([
            ("dtype", .string(tensor.type.rawValue)), ("shape", .array(tensor.shape.map { .integer($0) })),
            ("data_offsets", .array([.integer(offset), .integer(offset + tensor.byteCount)])),
          ])))
      offset += tensor.byteCount
    }
    var text = JSONValue.object(header).text()
    text += String(repeating: " ", count: (8 - text.utf8.count % 8) % 8)
    try ModelFileError.writing(url) { file in
      try withUnsafeBytes(of: UInt64(text.utf8.count).littleEndian) { try file.write($0) }
      try text.withUTF8 { try file.write(UnsafeRawBufferPointer($0)) }
      for tensor in ordered { try write(tensor, to: file, at: url) }
    }
  }

  private static func write(_ tensor: TensorSource, to file: AtomicFile, at url: URL) throws {
    var delivered = 0
    try tensor.deliver { piece in
      delivered += piece.count
      try file.write(piece)
    }
    guard delivered == tensor.byteCount else {
      throw ModelFileError(
        .mismatch, "tensor '\(tensor.name)' delivered \(delivered) bytes, its shape needs \(tensor.byteCount)",
        file: url.path)
    }
  }
}
