// Tensors and weight matrices.

extension CUDABackend {
  private var storage: WeightElementType { precision == .bfloat16 ? .bfloat16 : .float32 }

  /// Whether elements are of the backend's own type.
  private func isOwn(_ kind: ElementKind) -> Bool { kind == .activation || kind == .cache }

  private func elementSize(_ kind: ElementKind) -> Int { isOwn(kind) ? activationSize : 4 }

  package func makeTensor(rows: Int, columns: Int, kind: ElementKind) throws -> Tensor {
    let (count, overflow) = rows.multipliedReportingOverflow(by: columns)
    guard !overflow, count >= 0, count <= Int.max / 16 else {
      throw BackendError.outOfMemory(Int.max, memory: memory)
    }
    let buffer = try CUDABuffer(bytes: count * elementSize(kind), memory: pool)
    return CUDATensor(rows: rows, columns: columns, kind: kind, buffer: buffer)
  }

  package func view(of tensor: Tensor, offset: Int, rows: Int, columns: Int) throws -> Tensor {
    precondition(!isOwn(tensor.kind), "activations cannot be viewed")
    precondition(offset >= 0 && offset + rows * columns <= tensor.count, "a view beyond the end of its tensor")
    return unsafeDowncast(tensor, to: CUDATensor.self).view(offset: offset, rows: rows, columns: columns)
  }

  package func upload(_ values: [Float], rows: Int, columns: Int, kind: ElementKind) throws -> Tensor {
    let tensor = try makeTensor(rows: rows, columns: columns, kind: kind)
    try write(values, to: tensor)
    return tensor
  }

  package func upload(indices: [Int32]) throws -> Tensor {
    let tensor = try makeTensor(rows: 1, columns: indices.count, kind: .index)
    try write(indices: indices, to: tensor)
    return tensor
  }

  package func write(_ values: [Float], to tensor: Tensor) throws {
    precondition(values.count == tensor.count, "\(values.count) values for \(tensor.count) elements")
    let target = writing(tensor)
    try values.withUnsafeBytes { try send($0, .float32, to: target, isOwn(tensor.kind) ? storage : .float32) }
  }

  package func write(indices: [Int32], to tensor: Tensor) throws {
    precondition(indices.count == tensor.count, "\(indices.count) indices for \(tensor.count) elements")
    let target = writing(tensor)
    try indices.withUnsafeBytes { try send($0, .float32, to: target, .float32) }
  }

  package func download(_ tensor: Tensor) throws -> [Float] {
    var source = reading(tensor)
    var wide: CUDABuffer?
    if isOwn(tensor.kind), precision == .bfloat16 {
      let buffer = try CUDABuffer(bytes: tensor.count * 4, memory: pool)
      try convert(source, .bfloat16, to: buffer.address, .float32, count: tensor.count)
      source = buffer.address
      wide = buffer
    }
    return try withExtendedLifetime(wide) { try download(source, count: tensor.count, zero: Float(0)) }
  }

  package func download(indices tensor: Tensor) throws -> [Int32] {
    try download(reading(tensor), count: tensor.count, zero: Int32(0))
  }

  private func download<Element>(_ source: DevicePointer, count: Int, zero: Element) throws -> [Element] {
    var result = [Element](repeating: zero, count: count)
    try result.withUnsafeMutableBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      try context.copyToHost(base, source, bytes.count)
    }
    return result
  }

  package func fill(_ tensor: Tensor, with value: Float) throws {
    if isOwn(tensor.kind), precision == .bfloat16 {
      // To the nearest, ties to even, as the kernels round.
      let bits = value.isNaN ? 0x7fc0_0000 : value.bitPattern + 0x7fff + ((value.bitPattern >> 16) & 1)
      return try context.fill(writing(tensor), halfWord: UInt16(bits >> 16), count: tensor.count)
    }
    try context.fill(writing(tensor), word: value.bitPattern, count: tensor.count)
  }

  /// Copies host elements to the device, converting there where the types differ.
  ///
  /// Small arrays go directly: the
  /// driver takes its own copy at once. Large ones go through pinned memory.
  private func send(
    _ source: UnsafeRawBufferPointer, _ from: WeightElementType, to target: DevicePointer, _ to: WeightElementType
  ) throws {
    guard let base = source.baseAddress, source.count > 0 else { return }
    let isSmall = source.count <= 64 << 10
    guard from != to else {
      if isSmall { return try context.copyToDevice(target, base, source.count) }
      return try staging.send(source, to: { target + DevicePointer($0) })
    }
    // Unconverted elements pass through scratch memory; the stream keeps copy, conversion and the next copy in order.
    let scratch = try CUDABuffer(bytes: min(source.count, staging.chunk), memory: pool)
    let scale = { (bytes: Int) in bytes / from.size * to.size }
    if isSmall, source.count <= staging.chunk {
      try context.copyToDevice(scratch.address, base, source.count)
      return try convert(scratch.address, from, to: target, to, count: source.count / from.size)
    }
    try staging.send(source, to: { _ in scratch.address }) { offset, count in
      try convert(
        scratch.address, from, to: target + DevicePointer(scale(offset)), to, count: count / from.size)
    }
  }

  // MARK: Weights

  package func makeMatrix(_ sources: [any WeightSource], layout: WeightLayout, parameter: Tensor?) throws
    -> WeightMatrix
  {
    let (outputs, inputs) = WeightReader.size(of: sources, layout: layout)
    if let parameter {
      var values = [Float](repeating: 0, count: outputs * inputs)
      values.withUnsafeMutableBufferPointer { WeightReader.read(sources, layout: layout, into: $0) }
      try write(values, to: parameter)
      return try makeMatrix(parameter: parameter)
    }
    let buffer = try CUDABuffer(bytes: outputs * inputs * activationSize, memory: pool)
    // Columns of several sources beside one another would have to be interleaved: put such sources in order first.
    let lies = layout == .inputsByOutputs && sources.allSatisfy { $0.shape.count == 2 }
    if lies, sources.count > 1 {
      var values = [Float](repeating: 0, count: outputs * inputs)
      values.withUnsafeMutableBufferPointer { WeightReader.read(sources, layout: layout, into: $0) }
      try values.withUnsafeBytes { try send($0, .float32, to: buffer.address, storage) }
      return CUDAMatrix(outputs: outputs, inputs: inputs, parameter: nil, values: buffer, liesTransposed: false)
    }
    var target = buffer.address
    for source in sources {
      let count = source.shape.reduce(1, *)
      try source.withUnsafeBytes { bytes in
        let expected = count * source.elementType.size
        guard bytes.count >= expected else {
          throw BackendError(
            .unavailable, "a weight of shape \(source.shape) has only \(bytes.count) bytes; read the checkpoint again")
        }
        try send(UnsafeRawBufferPointer(rebasing: bytes[..<expected]), source.elementType, to: target, storage)
      }
      target += DevicePointer(count * activationSize)
    }
    return CUDAMatrix(outputs: outputs, inputs: inputs, parameter: nil, values: buffer, liesTransposed: lies)
  }

  package func makeMatrix(parameter: Tensor) throws -> WeightMatrix {
    // Products read the parameter itself, or its buffer's bf16 copy (see `operand`).
    CUDAMatrix(
      outputs: parameter.rows, inputs: parameter.columns, parameter: parameter,
      values: unsafeDowncast(parameter, to: CUDATensor.self).buffer, liesTransposed: false)
  }

  // What is derived from a parameter knows its age.
  package func refresh(_ matrices: [WeightMatrix]) throws {}

  /// Where a matrix's elements are, as products read them.
  func elements(_ weight: WeightMatrix) throws -> MatrixProduct.Operand {
    let matrix = unsafeDowncast(weight, to: CUDAMatrix.self)
    if let parameter = matrix.parameter {
      return MatrixProduct.Operand(address: try operand(parameter), stride: matrix.inputs)
    }
    return MatrixProduct.Operand(
      address: matrix.values.address, stride: matrix.stride, liesTransposed: matrix.liesTransposed)
  }
}
