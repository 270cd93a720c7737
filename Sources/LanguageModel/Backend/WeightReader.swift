/// Reads checkpoint weights as 32-bit numbers in [out, in] order.
package enum WeightReader {
  /// (outputs, inputs) of sources stacked along the outputs.
  package static func size(of sources: [any WeightSource], layout: WeightLayout) -> (outputs: Int, inputs: Int) {
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
  package static func read(
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
  package static func floats(_ source: any WeightSource) -> [Float] {
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
    case .bfloat16: if let base = bytes.baseAddress { HalfPrecision.bfloat16ToFloat32(base, target, count) }
    case .float16: if let base = bytes.baseAddress { HalfPrecision.float16ToFloat32(base, target, count) }
    }
  }
}
