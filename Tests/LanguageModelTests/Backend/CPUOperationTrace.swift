import RandomStreams

@testable import LanguageModel

/// A weight in an array, as a checkpoint would hand it out.
final class ArraySource: WeightSource {
  let elementType: WeightElementType
  let shape: [Int]
  private let bytes: [UInt8]

  init(_ values: [Float], shape: [Int], type: WeightElementType = .float32) {
    self.shape = shape
    elementType = type
    switch type {
    case .float32: bytes = values.withUnsafeBytes { Array($0) }
    case .bfloat16:
      bytes = values.flatMap { value in
        let bits = UInt16(truncatingIfNeeded: value.bitPattern >> 16)
        return [UInt8(truncatingIfNeeded: bits), UInt8(truncatingIfNeeded: bits >> 8)]
      }
    case .float16: bytes = values.flatMap { _ in [UInt8(0), UInt8(0x38)] }  // 0.5
    }
  }

  static func random(_ rows: Int, _ columns: Int, seed: UInt64, type: WeightElementType = .float32) -> ArraySource {
    ArraySource(randoms(rows * columns, seed: seed).map { $0 * 0.3 }, shape: [rows, columns], type: type)
  }

  func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try bytes.withUnsafeBytes(body)
  }
}

/// Numbers in [-1, 1), the same for the same seed.
func randoms(_ count: Int, seed: UInt64) -> [Float] {
  var stream = RandomStream(seed: seed, purpose: "backend-tests", index: 0)
  return (0..<count).map { _ in Float(stream.next() >> 40) / Float(1 << 23) - 1 }
}

/// Sizes of one run of all operations.
struct OperationShapes: CustomStringConvertible, Sendable {
  var lengths: [Int]
  var heads: Int
  var keyValueHeads: Int
  var headSize: Int
  var width: Int
  var rank: Int
  var vocabulary: Int

  var tokens: Int { lengths.reduce(0, +) }
  var description: String {
    "lengths \(lengths) heads \(heads)/\(keyValueHeads)x\(headSize) width \(width) rank \(rank) vocabulary \(vocabulary)"
  }

  static let large = OperationShapes(
    lengths: [70, 1, 33, 64, 130], heads: 4, keyValueHeads: 2, headSize: 32, width: 200, rank: 24, vocabulary: 1111)
  static let all = [
    OperationShapes(
      lengths: [1], heads: 1, keyValueHeads: 1, headSize: 2, width: 1, rank: 1, vocabulary: 1),
    OperationShapes(
      lengths: [5, 1, 9], heads: 3, keyValueHeads: 1, headSize: 6, width: 7, rank: 3, vocabulary: 13),
    OperationShapes(
      lengths: [16, 31, 2], heads: 2, keyValueHeads: 2, headSize: 16, width: 32, rank: 4, vocabulary: 64),
    OperationShapes(
      lengths: [40, 33], heads: 4, keyValueHeads: 2, headSize: 18, width: 65, rank: 17, vocabulary: 131),
  ]
}

/// Runs every operation once on seeded data and keeps what came out, by name.
struct OperationTrace {
  private(set) var outputs: [String: [Float]] = [:]
  private let backend: any Backend
  private let shape: OperationShapes
  private var seed: UInt64 = 1

  init(_ backend: any Backend, _ shape: OperationShapes) throws {
    self.backend = backend
    self.shape = shape
    try products()
    try adapters()
    try rows()
    try embeddings()
    try attention()
    try losses()
    try optimizer()
  }

  private mutating func tensor(_ rows: Int, _ columns: Int, _ kind: ElementKind = .activation) throws -> Tensor {
    seed += 1
    return try backend.upload(randoms(rows * columns, seed: seed), rows: rows, columns: columns, kind: kind)
  }

  private mutating func keep(_ name: String, _ tensor: Tensor) throws {
    outputs[name] = try backend.download(tensor)
  }

  private mutating func products() throws {
    let (t, d, f) = (shape.tokens, shape.width, shape.vocabulary)
    let frozen: [(String, WeightMatrix)] = try [
      ("plain", backend.makeMatrix([ArraySource.random(f, d, seed: 90)], layout: .outputsByInputs, parameter: nil)),
      ("conv", backend.makeMatrix([ArraySource.random(d, f, seed: 91)], layout: .inputsByOutputs, parameter: nil)),
      (
        "bf16",
        backend.makeMatrix(
          [ArraySource.random(f, d, seed: 92, type: .bfloat16)], layout: .outputsByInputs, parameter: nil)
      ),
      (
        "f16",
        backend.makeMatrix(
          [ArraySource.random(f, d, seed: 93, type: .float16)], layout: .outputsByInputs, parameter: nil)
      ),
      (
        "fused",
        backend.makeMatrix(
          [ArraySource.random(f - f / 2, d, seed: 94), ArraySource.random(max(1, f / 2), d, seed: 95)],
          layout: .outputsByInputs, parameter: nil)
      ),
      ("trainable", backend.makeMatrix(parameter: tensor(f, d, .parameter))),
    ]
    for (name, matrix) in frozen {
      let (x, y) = (try tensor(t, d), try tensor(t, matrix.outputs))
      let bias = try tensor(1, matrix.outputs, .parameter)
      try backend.linear(x, matrix, bias: bias, into: y, accumulate: false)
      try keep("linear \(name)", y)
      try backend.linear(x, matrix, bias: nil, into: y, accumulate: true)
      try keep("linear + \(name)", y)
      let (dy, dx) = (try tensor(t, matrix.outputs), try tensor(t, d))
      try backend.linearInputGradient(dy, matrix, into: dx, accumulate: false)
      try keep("input gradient \(name)", dx)
      try backend.linearInputGradient(dy, matrix, into: dx, accumulate: true)
      try keep("input gradient + \(name)", dx)
    }
    let (x, dy, dw, db) = try (tensor(t, d), tensor(t, f), tensor(f, d, .parameter), tensor(1, f, .parameter))
    try backend.linearWeightGradient(dy, x, weightGradient: dw, biasGradient: db)
    try keep("weight gradient", dw)
    try keep("bias gradient", db)
  }

  private mutating func adapters() throws {
    let (t, d, f, r) = (shape.tokens, shape.width, shape.vocabulary, shape.rank)
    let (x, a, b) = try (tensor(t, d), tensor(r, d, .parameter), tensor(f, r, .parameter))
    let (u, y) = try (tensor(t, r), tensor(t, f + 5))
    try backend.lora(x, a, b, scale: 0.7, projected: u, addingTo: y, columns: 3)
    try keep("lora u", u)
    try keep("lora y", y)
    let (dy, dx) = try (tensor(t, f + 5), tensor(t, d))
    let (da, db) = try (tensor(r, d, .parameter), tensor(f, r, .parameter))
    try backend.loraBackward(
      dy, columns: 3, x: x, projected: u, a, b, scale: 0.7, gradients: (da, db), addingTo: dx)
    try keep("lora dx", dx)
    try keep("lora da", da)
    try keep("lora db", db)
  }

  private mutating func rows() throws {
    let (t, d) = (shape.tokens, shape.width)
    for (name, kind) in [("layer", Normalization.layerNorm(epsilon: 1e-5)), ("rms", .rmsNorm(epsilon: 1e-6))] {
      let (x, residual, y) = try (tensor(t, d), tensor(t, d), tensor(t, d))
      let (w, b) = try (tensor(1, d, .parameter), tensor(1, d, .parameter))
      let statistics = try tensor(t, 2, .parameter)
      let bias: Tensor? = name == "layer" ? b : nil
      try backend.normalize(
        x, residual: residual, sum: x, kind: kind, weight: w, bias: bias, into: y, statistics: statistics)
      try keep("\(name) norm", y)
      try keep("\(name) sum", x)
      let (dy, dx, dw, db) = try (tensor(t, d), tensor(t, d), tensor(1, d, .parameter), tensor(1, d, .parameter))
      let gradients: (weight: Tensor, bias: Tensor?) = (dw, bias == nil ? nil : db)
      // A row of one number has no variance: the gradient is rounding noise times 1/sqrt(epsilon).
      if d > 1 {
        try backend.normalizeBackward(
          dy, x: x, statistics: statistics, kind: kind, weight: w, gradients: gradients, into: dx, accumulate: true)
        try keep("\(name) norm dx", dx)
        try keep("\(name) norm dw", dw)
        try keep("\(name) norm db", db)
      }
    }
    for function in [ActivationFunction.gelu, .geluTanh] {
      let (x, dy) = try (tensor(t, d), tensor(t, d))
      let y = try tensor(t, d)
      try backend.activate(x, function, into: y)
      try keep("\(function)", y)
      try backend.activateBackward(dy, x: x, function, into: dy)
      try keep("\(function) dx", dy)
    }
    let (x, dy, y) = try (tensor(t, 2 * d), tensor(t, d), tensor(t, d))
    try backend.gatedSiLU(x, into: y)
    try keep("silu", y)
    try backend.gatedSiLUBackward(dy, x: x, into: x)
    try keep("silu dx", x)
    try backend.add(dy, to: y)
    try keep("add", y)
    let rows = try backend.upload(indices: (0..<t).filter { $0 % 2 == 0 }.map(Int32.init))
    let gathered = try tensor(rows.columns, d)
    try backend.gatherRows(y, rows, into: gathered)
    try keep("gather", gathered)
    try backend.scatterRows(gathered, rows, into: y)
    try keep("scatter", y)
    try backend.copyRows(dy, fromRow: 0, count: 1, to: y, toRow: t - 1)
    try keep("copy", y)
  }

  private mutating func embeddings() throws {
    let (t, d, v) = (shape.tokens, shape.width, shape.vocabulary)
    let table = try backend.makeMatrix(
      [ArraySource.random(v, d, seed: 71, type: .bfloat16)], layout: .outputsByInputs, parameter: nil)
    let positionTable = try backend.makeMatrix(
      [ArraySource.random(t, d, seed: 72)], layout: .outputsByInputs, parameter: nil)
    let tokens = try backend.upload(indices: (0..<t).map { Int32(($0 * 7) % v) })
    let positions = try backend.upload(indices: (0..<t).map { Int32(t - 1 - $0) })
    let (y, gradient) = try (tensor(t, d), tensor(v, d, .parameter))
    try backend.embed(tokens, table, positions: positions, positionTable, into: y)
    try keep("embed", y)
    try backend.embedBackward(y, tokens, gradient: gradient)
    try keep("embed gradient", gradient)
  }

  private mutating func attention() throws {
    let (t, sizes) = (shape.tokens, shape)
    let heads = AttentionShape(heads: sizes.heads, keyValueHeads: sizes.keyValueHeads, headSize: sizes.headSize)
    let sequences = try PackedSequences(lengths: sizes.lengths, backend: backend)
    let (qkv, out, lse) = try (
      tensor(t, heads.columns), tensor(t, heads.queryColumns), tensor(t, sizes.heads, .parameter)
    )
    let positions = try backend.upload(indices: (0..<t).map { Int32($0 % 11) })
    let table = try tensor(11, sizes.headSize, .parameter)
    for inverse in [false, true] {
      try backend.rotate(
        qkv, heads: sizes.heads + sizes.keyValueHeads, headSize: sizes.headSize, positions: positions, table: table,
        inverse: inverse)
      try keep("rotate \(inverse)", qkv)
    }
    try backend.attention(qkv, sequences, heads, into: out, logSumExp: lse)
    try keep("attention", out)
    try keep("attention lse", lse)
    let (dout, dqkv) = try (tensor(t, heads.queryColumns), tensor(t, heads.columns))
    try backend.attentionBackward(dout, qkv: qkv, out: out, logSumExp: lse, sequences, heads, into: dqkv)
    try keep("attention dqkv", dqkv)
    let capacity = (sizes.lengths.max() ?? 1) + 2
    let count = sizes.lengths.count
    let (keys, values) = try (
      tensor((count + 1) * heads.keyValueHeads * capacity, heads.headSize, .cache),
      tensor((count + 1) * heads.keyValueHeads * capacity, heads.headSize, .cache)
    )
    let slots = (0..<count).map { count - $0 }
    try backend.storeKeysValues(
      qkv, sequences, heads, slots: slots, capacity: capacity, keys: keys, values: values)
    let (step, stepOut) = try (tensor(count, heads.columns), tensor(count, heads.queryColumns))
    try backend.attentionStep(
      step, heads, rows: CachedRows(slots: slots, lengths: sizes.lengths, backend: backend), capacity: capacity,
      keys: keys, values: values, into: stepOut)
    try keep("attention step", stepOut)
    try keep("keys", keys)
    try keep("values", values)
  }

  private mutating func losses() throws {
    let (t, d, v) = (shape.tokens, shape.width, shape.vocabulary)
    let head = try backend.makeMatrix(parameter: tensor(v, d, .parameter))
    let frozen = try backend.makeMatrix([ArraySource.random(v, d, seed: 55)], layout: .outputsByInputs, parameter: nil)
    let targets = try backend.upload(indices: (0..<t).map { Int32(($0 * 5) % v) })
    for (name, matrix) in [("trainable", head), ("frozen", frozen)] {
      let (x, dx, losses) = try (tensor(t, d), tensor(t, d), tensor(1, t, .parameter))
      let (bias, dw, db) = try (tensor(1, v, .parameter), tensor(v, d, .parameter), tensor(1, v, .parameter))
      try backend.crossEntropy(
        x, head: matrix, bias: bias, targets: targets, losses: losses, scale: 0.25, dx: dx,
        gradients: name == "frozen" ? nil : (dw, db))
      try keep("loss \(name)", losses)
      if v > 1 { try keep("loss dx \(name)", dx) }
      try keep("loss dw \(name)", dw)
      try keep("loss db \(name)", db)
    }
    let logits = try tensor(t, v)
    let (best, k) = (try backend.upload(indices: [Int32](repeating: 0, count: t)), min(5, v))
    try backend.argmax(logits, into: best)
    outputs["argmax"] = try backend.download(indices: best).map(Float.init)
    let (values, indices) = try (
      tensor(t, k), backend.makeTensor(rows: t, columns: k, kind: .index)
    )
    try backend.topK(logits, values: values, indices: indices)
    try keep("top k", values)
    outputs["top k indices"] = try backend.download(indices: indices).map(Float.init)
  }

  private mutating func optimizer() throws {
    let n = shape.tokens * shape.width
    let (p, g, m, v) = try (
      tensor(1, n, .parameter), tensor(1, n, .parameter), tensor(1, n, .parameter), tensor(1, n, .parameter)
    )
    try backend.write(try backend.download(v).map(abs), to: v)
    let norm = try tensor(1, 1, .parameter)
    try backend.norm(of: g, into: norm)
    try keep("norm", norm)
    try backend.adamW(
      p, gradients: g, firstMoment: m, secondMoment: v,
      step: AdamWStep(learningRate: 0.01, weightDecay: 0.1, step: 3), clip: (norm, 0.5))
    try keep("adamw p", p)
    try keep("adamw m", m)
    try keep("adamw v", v)
  }
}
