import CKernels

/// A weight matrix of the CPU backend: where its elements lie, and its packed copy once a product wanted one.
final class CPUMatrix: WeightMatrix {
  /// Rows `first ..< first + rows` of W: element (row, input) at row · rowStride + input · columnStride of `pointer`.
  struct Part {
    let pointer: UnsafeRawPointer
    let type: Int32
    let first: Int
    let rows: Int
    let rowStride: Int
    let columnStride: Int
  }

  /// Empty where only the packed copy is left.
  private(set) var parts: [Part]
  /// Keeps what the parts point into: sources, or a converted copy.
  private var owners: [Any]
  /// The mapped file behind each part; empty when the elements lie in memory.
  let mapped: [any WeightSource]
  /// bf16 panels (see lm_weights.c), made when first wanted: embedding tables that are never multiplied need none.
  var packed: CPUBuffer?
  /// The packed transpose, where tiles want it for dx = dy·W and memory is not scarce.
  var transposed: CPUBuffer?
  /// Rows gathered since pages of a mapped table were last given back.
  var gathered = 0

  init(
    outputs: Int, inputs: Int, parameter: Tensor?, parts: [Part], owners: [Any], mapped: [any WeightSource] = []
  ) {
    self.parts = parts
    self.owners = owners
    self.mapped = mapped
    super.init(outputs: outputs, inputs: inputs, parameter: parameter)
  }

  /// Leaves only the packed copy.
  func dropElements() {
    parts = []
    owners = []
  }
}

extension WeightElementType {
  fileprivate var code: Int32 {
    switch self {
    case .float32: Int32(LM_TYPE_F32)
    case .float16: Int32(LM_TYPE_F16)
    case .bfloat16: Int32(LM_TYPE_BF16)
    }
  }
}

extension CPUBackend {
  package func makeMatrix(_ sources: [any WeightSource], layout: WeightLayout, parameter: Tensor?) throws
    -> WeightMatrix
  {
    let (outputs, inputs) = WeightReader.size(of: sources, layout: layout)
    if let parameter {
      WeightReader.read(
        sources, layout: layout, into: UnsafeMutableBufferPointer(start: floats(parameter), count: parameter.count))
      return try makeMatrix(parameter: parameter)
    }
    // In 32 bits only 32-bit sources can be read in place.
    let inPlace = sources.allSatisfy { source in
      let aligned = source.withUnsafeBytes { Int(bitPattern: $0.baseAddress) % source.elementType.size == 0 }
      return aligned && (precision == .bfloat16 || source.elementType == .float32)
    }
    guard inPlace else {
      let copy = try CPUTensor(rows: outputs, columns: inputs, kind: .parameter, memory: pool)
      WeightReader.read(
        sources, layout: layout, into: UnsafeMutableBufferPointer(start: floats(copy), count: copy.count))
      return CPUMatrix(
        outputs: outputs, inputs: inputs, parameter: nil, parts: [whole(copy, outputs, inputs)], owners: [copy])
    }
    var parts: [CPUMatrix.Part] = []
    var first = 0
    for source in sources {
      let rows = source.shape.count < 2 ? 1 : layout == .outputsByInputs ? source.shape[0] : source.shape[1]
      let byOutputs = source.shape.count < 2 || layout == .outputsByInputs
      try source.withUnsafeBytes { bytes in
        guard let base = bytes.baseAddress, bytes.count >= rows * inputs * source.elementType.size else {
          throw BackendError(
            .unavailable, "a weight of shape \(source.shape) has only \(bytes.count) bytes; read the checkpoint again")
        }
        parts.append(
          CPUMatrix.Part(
            pointer: base, type: source.elementType.code, first: first, rows: rows,
            rowStride: byOutputs ? inputs : 1, columnStride: byOutputs ? 1 : rows))
      }
      first += rows
    }
    let mapped = sources.allSatisfy(\.isMapped)
    let matrix = CPUMatrix(
      outputs: outputs, inputs: inputs, parameter: nil, parts: parts, owners: sources, mapped: mapped ? sources : [])
    // Large weights that lie in memory anyway (random initialisation, converted types) are kept once, packed.
    if !mapped, precision == .bfloat16, outputs * inputs >= CPUBackend.largeMatrix {
      _ = try packed(matrix)
      matrix.dropElements()
    }
    return matrix
  }

  /// Elements from which on a second copy of a matrix is not kept.
  private static let largeMatrix = 1 << 18

  package func makeMatrix(parameter: Tensor) throws -> WeightMatrix {
    CPUMatrix(
      outputs: parameter.rows, inputs: parameter.columns, parameter: parameter,
      parts: [whole(parameter, parameter.rows, parameter.columns)], owners: [parameter])
  }

  // Trainable matrices are read where they lie: nothing is derived from them.
  package func refresh(_ matrices: [WeightMatrix]) throws {}

  private func whole(_ tensor: Tensor, _ outputs: Int, _ inputs: Int) -> CPUMatrix.Part {
    CPUMatrix.Part(
      pointer: UnsafeRawPointer(floats(tensor)), type: Int32(LM_TYPE_F32), first: 0, rows: outputs, rowStride: inputs,
      columnStride: 1)
  }

  /// The packed copy of a frozen matrix in bf16; nil where products read the elements in place.
  func packed(_ matrix: CPUMatrix) throws -> CPUBuffer? {
    guard precision == .bfloat16, matrix.parameter == nil else { return nil }
    if let packed = matrix.packed { return packed }
    let size = lm_packed_size(matrix.outputs, matrix.inputs)
    let buffer = try CPUBuffer(bytes: size, memory: pool, lasting: true)
    lm_fill(context, size / 4, 0, buffer.pointer.assumingMemoryBound(to: Float.self))
    for (index, part) in matrix.parts.enumerated() {
      pack(part, of: matrix, into: buffer, source: matrix.mapped.isEmpty ? nil : matrix.mapped[index])
    }
    matrix.packed = buffer
    return buffer
  }

  /// The packed transpose of a frozen matrix; nil where products transpose the packed copy on their way.
  ///
  /// Tiles multiply faster than it is transposed, so that doing it in every product costs a tenth of a training step. Kept
  /// only where nobody limited memory and less than half of the machine's is in use.
  func transposed(_ matrix: CPUMatrix, packed: CPUBuffer) -> CPUBuffer? {
    if let transposed = matrix.transposed { return transposed }
    let size = lm_packed_size(matrix.inputs, matrix.outputs)
    let memory = pool.status
    guard path >= .amxbf16, memory.limit == nil, memory.used + size <= pool.machineBytes / 2 else { return nil }
    guard let buffer = try? CPUBuffer(bytes: size, memory: pool, lasting: true) else { return nil }
    lm_pack_transposed(
      context, packed.pointer.assumingMemoryBound(to: UInt16.self), matrix.outputs, matrix.inputs,
      buffer.pointer.assumingMemoryBound(to: UInt16.self))
    matrix.transposed = buffer
    return buffer
  }

  /// Packs one part, some rows at a time where they lie together in a mapped file, whose pages are then given back: what
  /// stays in memory is the packed copy alone.
  private func pack(_ part: CPUMatrix.Part, of matrix: CPUMatrix, into buffer: CPUBuffer, source: (any WeightSource)?) {
    let elementSize = part.type == Int32(LM_TYPE_F32) ? 4 : 2
    let isByRows = part.columnStride == 1
    let rowBytes = matrix.inputs * elementSize
    let step = source == nil || !isByRows ? part.rows : max(32, (8 << 20) / max(1, rowBytes) / 32 * 32)
    for row in stride(from: 0, to: part.rows, by: step) {
      let count = min(step, part.rows - row)
      lm_pack(
        context, buffer.pointer.assumingMemoryBound(to: UInt16.self), matrix.inputs, part.first + row, count,
        part.pointer + row * part.rowStride * elementSize, part.type, part.rowStride, part.columnStride)
      source?.discardPages(isByRows ? (row * rowBytes)..<((row + count) * rowBytes) : 0..<(part.rows * rowBytes))
    }
  }
}
