// Loss, choice of tokens and the optimizer. M labelled rows, V vocabulary, D model width.

import Foundation

extension CUDABackend {
  /// Largest block of 32-bit logits that is held at once, in bytes.
  static let logitBytes = 128 << 20

  /// Rows of a block of logits.
  static func logitRows(vocabulary: Int, of rows: Int) -> Int {
    max(1, min(rows, max(32, logitBytes / (4 * vocabulary))))
  }

  // Logits in 32 bits and their gradient, a block at a time.
  package func lossBytes(rows: Int, vocabulary: Int) -> Int {
    Self.logitRows(vocabulary: vocabulary, of: rows) * vocabulary * (4 + activationSize)
  }

  package func crossEntropy(
    _ x: Tensor, head: WeightMatrix, bias: Tensor?, targets: Tensor, losses: Tensor, scale: Float, dx: Tensor?,
    gradients: (weight: Tensor, bias: Tensor?)?
  ) throws {
    let (d, vocabulary) = (x.columns, head.outputs)
    let needsGradient = dx != nil || gradients != nil
    let block = Self.logitRows(vocabulary: vocabulary, of: x.rows)
    let logits = try makeTensor(rows: block, columns: vocabulary, kind: .parameter)
    let gradient = needsGradient ? try makeTensor(rows: block, columns: vocabulary, kind: .activation) : nil
    for first in stride(from: 0, to: x.rows, by: block) {
      let rows = min(block, x.rows - first)
      let input = MatrixProduct.Operand(
        address: reading(x) + DevicePointer(first * d * activationSize), stride: d)
      // logits [rows, V] = x Wᵀ in 32 bits; then dlogits = scale · (softmax − one-hot)
      try multiply(
        input, rows: rows, head, bias: nil, into: .init(address: writing(logits), stride: vocabulary), isWide: true,
        accumulate: false)
      try kernels.launch(
        .crossEntropy, grid: (rows, 1, 1), threads: 512,
        [
          .int(vocabulary), .pointer(reading(logits)), .pointer(reading(bias)),
          .pointer(reading(targets) + DevicePointer(first * 4)), .float(scale),
          .pointer(writing(losses) + DevicePointer(first * 4)), .pointer(writing(gradient)),
        ])
      guard let gradient else { continue }
      let upstream = MatrixProduct.Operand(address: reading(gradient), stride: vocabulary)
      if let dx {
        try multiplyTransposed(
          upstream, rows: rows, head,
          into: .init(address: writing(dx) + DevicePointer(first * d * activationSize), stride: d), accumulate: false)
      }
      if let gradients {
        try addWeightGradient(
          upstream, input, rows: rows, outputs: vocabulary, inputs: d, weight: gradients.weight, bias: gradients.bias)
      }
    }
  }

  package func argmax(_ logits: Tensor, into indices: Tensor) throws {
    try launchTopK(logits, count: 1, values: nil, indices: indices)
  }

  package func topK(_ logits: Tensor, values: Tensor, indices: Tensor) throws {
    // The kernel goes over the row once per number.
    guard values.columns > 256 else {
      return try launchTopK(logits, count: values.columns, values: values, indices: indices)
    }
    let (source, columns, k) = (try download(logits), logits.columns, values.columns)
    var (best, places): ([Float], [Int32]) = ([], [])
    for row in 0..<logits.rows {
      let part = source[(row * columns)..<((row + 1) * columns)]
      // Not-a-number comes last: sorting needs an order.
      let keys = part.map { $0.isNaN ? -Float.infinity : $0 }
      for index in (0..<columns).sorted(by: { keys[$0] != keys[$1] ? keys[$0] > keys[$1] : $0 < $1 }).prefix(k) {
        best.append(part[part.startIndex + index])
        places.append(Int32(index))
      }
    }
    try write(best, to: values)
    let target = writing(indices)
    try places.withUnsafeBytes { bytes in
      if let base = bytes.baseAddress { try context.copyToDevice(target, base, bytes.count) }
    }
    try synchronize()
  }

  private func launchTopK(_ logits: Tensor, count: Int, values: Tensor?, indices: Tensor) throws {
    try kernels.launch(
      .topK, grid: (logits.rows, 1, 1), threads: 256,
      [
        .int(logits.columns), .int(count), .int(logits.kind == .parameter ? 1 : 0), .pointer(reading(logits)),
        .pointer(writing(values)), .int(values?.kind == .parameter ? 1 : 0), .pointer(writing(indices)),
      ])
  }

  package func norm(of gradients: Tensor, into norm: Tensor) throws {
    let blocks = min(1024, (gradients.count + 2047) / 2048)
    let partial = try CUDABuffer(bytes: blocks * 8, memory: pool)
    try kernels.launch(
      .sumOfSquares, grid: (blocks, 1, 1), threads: 256,
      [.long(gradients.count), .pointer(reading(gradients)), .pointer(partial.address)])
    try kernels.launch(
      .finishNorm, grid: (1, 1, 1), threads: 256, [.int(blocks), .pointer(partial.address), .pointer(writing(norm))])
  }

  package func adamW(
    _ parameters: Tensor, gradients: Tensor, firstMoment: Tensor, secondMoment: Tensor, step: AdamWStep,
    clip: (norm: Tensor, maximum: Float)?
  ) throws {
    let count = Double(step.step)
    // The bf16 copy that products read is written along with the parameters, where there is one that is up to date.
    let tensor = unsafeDowncast(parameters, to: CUDATensor.self)
    let buffer = tensor.buffer
    let narrowed = buffer.narrowed.flatMap { $0.version == buffer.version ? $0.copy : nil }
    defer { if let narrowed { buffer.narrowed = (narrowed, buffer.version) } }
    try kernels.launch(
      .adamW, count: (parameters.count + 7) / 8,
      [
        .long(parameters.count), .float(step.learningRate), .float(step.beta1), .float(step.beta2),
        .float(step.epsilon),
        .float(step.weightDecay), .float(Float(1 - pow(Double(step.beta1), count))),
        .float(Float(1 - pow(Double(step.beta2), count))), .pointer(reading(clip?.norm)),
        .float(clip?.maximum ?? 0), .pointer(writing(parameters)), .pointer(reading(gradients)),
        .pointer(writing(firstMoment)), .pointer(writing(secondMoment)),
        .pointer(narrowed.map { $0.address + DevicePointer(tensor.offset / 2) }),
      ])
  }
}
