/// Reads checkpoint weights as 32-bit numbers in [out, in] order.
public enum WeightReader {
  /// (outputs, inputs) of sources stacked along the outputs.
  public static func size(of sources: [any WeightSource], layout: WeightLayout) -> (outputs: Int, inputs: Int) {
    var outputs = 0
    var inputs = 0
    for source in sources {
      let size = size(of: source.shape, layout: layout)
      outputs += size.outputs
      inputs = size.inputs
    }
    return (outputs, inputs)
  }

  private static func size(of shape: [Int], layout: WeightLayout) -> (outputs: Int, inputs: Int) {
    guard shape.count == 2 else { return (1, shape.reduce(1, *)) }
    return layout == .outputsByInputs ? (shape[0], shape[1]) : (shape[1], shape[0])
  }

  /// Fills `target` [out, in] from the stacked sources.
  public static func read(
    _ sources: [any WeightSource], layout: WeightLayout, into target: UnsafeMutableBufferPointer<Float>
  ) {
    guard var pointer = target.baseAddress else { return }
    for source in sources {
      let (outputs, inputs) = size(of: source.shape, layout: layout)
      source.withUnsafeBytes { bytes in
        if layout == .outputsByInputs || source.shape.count < 2 {
          convert(bytes, source.elementType, count: outputs * inputs, to: pointer)
        } else {
          var row = [Float](repeating: 0, count: outputs)
          let stride = outputs * source.elementType.size
          for input in 0..<inputs {
            let part = UnsafeRawBufferPointer(rebasing: bytes[(input * stride)..<((input + 1) * stride)])
            row.withUnsafeMutableBufferPointer { buffer in
              guard let base = buffer.baseAddress else { return }
              convert(part, source.elementType, count: outputs, to: base)
              for output in 0..<outputs { pointer[output * inputs + input] = base[output] }
            }
          }
        }
      }
      pointer += outputs * inputs
    }
  }

  /// All elements of a source in its own order.
  public static func floats(_ source: any WeightSource) -> [Float] {
    let count = source.shape.reduce(1, *)
    return [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      if let base = buffer.baseAddress {
        source.withUnsafeBytes { convert($0, source.elementType, count: count, to: base) }
      }
      initialized = count
    }
  }

  private static func convert(
    _ bytes: UnsafeRawBufferPointer, _ type: WeightElementType, count: Int, to target: UnsafeMutablePointer<Float>
  ) {
    switch type {
    case .float32:
      UnsafeMutableRawPointer(target).copyMemory(
        from: bytes.baseAddress ?? UnsafeRawPointer(target), byteCount: count * 4)
    case .bfloat16:
      for index in 0..<count {
        let bits = bytes.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)
        target[index] = Float(bitPattern: UInt32(bits) << 16)
      }
    case .float16:
      for index in 0..<count {
        target[index] = float(half: bytes.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self))
      }
    }
  }

  /// IEEE half precision to single, exactly (Swift has no Float16 on every platform).
  static func float(half bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let exponent = UInt32(bits >> 10) & 0x1f
    let fraction = UInt32(bits & 0x3ff)
    switch exponent {
    case 0:
      let magnitude = Float(fraction) * 0x1p-24
      return sign == 0 ? magnitude : -magnitude
    case 31: return Float(bitPattern: sign | 0x7f80_0000 | fraction << 13)
    default: return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
    }
  }
}
