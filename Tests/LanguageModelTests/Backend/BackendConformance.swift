import RandomStreams
import Testing

@testable import LanguageModel

/// The contract of `Backend` as a test: every operation on a backend against the reference backend, on the same random
/// inputs, over shapes that are odd, 1, and beyond usual block sizes.
struct BackendConformance {
  let backend: any Backend
  /// Largest max |Δ| / max |reference|.
  let tolerance: Double
  /// Set where results are wanted instead of a comparison.
  var recorder: Recorder?
  /// How many results were compared.
  private let tally = Tally()

  private final class Tally { var compared = 0 }

  /// Runs everything and returns how many results were compared with the reference.
  ///
  /// `tolerance`: about 2e-5 for 32-bit backends, 2e-2 where products are in bf16.
  @discardableResult
  static func run(on backend: any Backend, tolerance: Double) throws -> Int {
    let suite = BackendConformance(backend: backend, tolerance: tolerance)
    try suite.memory()
    for (tokens, inputs, outputs) in [(1, 1, 1), (3, 5, 7), (17, 33, 65), (70, 128, 300), (129, 96, 31)] {
      try suite.linear(tokens, inputs, outputs)
      for rank in [1, 8, 37] { try suite.lora(tokens, inputs, outputs, rank) }
      try suite.branched(tokens, inputs, outputs, ranks: [8])
      try suite.crossEntropy(tokens, inputs, outputs)
      try suite.rows(tokens, inputs)
    }
    for shape in [(1, 1, 2), (4, 4, 8), (4, 2, 8), (6, 1, 10), (2, 2, 64), (4, 2, 32)] {
      let attention = AttentionShape(heads: shape.0, keyValueHeads: shape.1, headSize: shape.2)
      for lengths in [[1], [5, 1, 9], [67, 3]] { try suite.attention(attention, lengths) }
      try suite.decoding(attention)
    }
    for ranks in [[], [1], [37], [70], [4, 9]] { try suite.branched(40, 70, 130, ranks: ranks) }
    try suite.choice()
    for count in [1, 15, 16, 1000, 40_001] { try suite.optimizer(count) }
    return suite.tally.compared
  }

  /// Products beyond every block of rows, columns and inner dimension that a backend may work in.
  @discardableResult
  static func runLarge(on backend: any Backend, tolerance: Double) throws -> Int {
    let suite = BackendConformance(backend: backend, tolerance: tolerance)
    for (tokens, inputs, outputs) in [(33, 8300, 40), (300, 1100, 97), (530, 40, 2100)] {
      try suite.linear(tokens, inputs, outputs)
      try suite.branched(tokens, inputs, outputs, ranks: [16])
    }
    try suite.attention(AttentionShape(heads: 2, keyValueHeads: 1, headSize: 32), [1030, 40])
    // Gradients of more than 2 MB.
    try suite.attention(AttentionShape(heads: 12, keyValueHeads: 4, headSize: 64), [127, 33, 1, 260])
    return suite.tally.compared
  }

  /// What a backend computes over a few shapes, without a comparison.
  static func results(on backend: any Backend) throws -> [[Float]] {
    let suite = BackendConformance(backend: backend, tolerance: .infinity, recorder: Recorder())
    try suite.linear(17, 33, 65)
    try suite.branched(300, 70, 130, ranks: [16])
    try suite.rows(5, 300)
    try suite.attention(AttentionShape(heads: 4, keyValueHeads: 2, headSize: 24), [70, 3])
    try suite.decoding(AttentionShape(heads: 4, keyValueHeads: 2, headSize: 8))
    try suite.crossEntropy(9, 40, 700)
    try suite.choice()
    try suite.optimizer(5000)
    return suite.recorder?.values ?? []
  }

  /// Keeps what a backend reported.
  final class Recorder {
    var values: [[Float]] = []
  }

  /// Runs what rests on matrix products, over few shapes.
  func products() throws {
    for (tokens, inputs, outputs) in [(1, 1, 1), (17, 33, 65)] {
      try linear(tokens, inputs, outputs)
      try lora(tokens, inputs, outputs, 8)
      try crossEntropy(tokens, inputs, outputs)
    }
  }

  /// One of the two backends, with inputs that are the same on both.
  final class Lane {
    let backend: any Backend
    private var stream = RandomStream(seed: 11, purpose: "conformance")
    private(set) var outputs: [(name: String, values: [Float])] = []

    init(_ backend: any Backend) { self.backend = backend }

    func numbers(_ count: Int, scale: Double = 1) -> [Float] {
      // Multiples of 2^-6 below 4 are exact in bf16: inputs are then the same in every precision.
      (0..<count).map { _ in Float(max(-250, min(250, (stream.normal() * scale * 64).rounded()))) / 64 }
        .map { Float(bitPattern: $0.bitPattern & 0xffff_0000) }
    }

    func random(_ rows: Int, _ columns: Int, _ kind: ElementKind = .activation, scale: Double = 1) throws -> Tensor {
      try backend.upload(numbers(rows * columns, scale: scale), rows: rows, columns: columns, kind: kind)
    }

    func empty(_ rows: Int, _ columns: Int, _ kind: ElementKind = .activation) throws -> Tensor {
      try backend.makeTensor(rows: rows, columns: columns, kind: kind)
    }

    func indices(_ count: Int, below bound: Int) throws -> Tensor {
      try backend.upload(indices: (0..<count).map { _ in Int32(stream.integer(below: bound)) })
    }

    func matrix(_ outputs: Int, _ inputs: Int, _ layout: WeightLayout = .outputsByInputs) throws -> WeightMatrix {
      let shape = layout == .outputsByInputs ? [outputs, inputs] : [inputs, outputs]
      let source = ArrayWeight(numbers(outputs * inputs, scale: 0.3), shape: shape)
      return try backend.makeMatrix([source], layout: layout, parameter: nil)
    }

    func trainableMatrix(_ outputs: Int, _ inputs: Int) throws -> WeightMatrix {
      try backend.makeMatrix(parameter: try random(outputs, inputs, .parameter, scale: 0.3))
    }

    func report(_ name: String, _ tensor: Tensor) throws {
      let values =
        tensor.kind == .index ? try backend.download(indices: tensor).map { Float($0) } : try backend.download(tensor)
      outputs.append((name, values))
    }
  }

  /// Runs `body` on both backends and compares everything it reports.
  private func compare(_ operation: String, exact: Bool = false, _ body: (Lane) throws -> Void) throws {
    let lanes = (tested: Lane(backend), reference: Lane(ReferenceBackend()))
    try body(lanes.tested)
    if let recorder {
      recorder.values += lanes.tested.outputs.map(\.values)
      return
    }
    try body(lanes.reference)
    #expect(lanes.tested.outputs.count == lanes.reference.outputs.count)
    for (tested, reference) in zip(lanes.tested.outputs, lanes.reference.outputs) {
      let difference = relativeDifference(tested.values, reference.values)
      tally.compared += 1
      #expect(
        difference <= (exact ? 0 : tolerance), "\(backend.name): \(operation), \(reference.name): off by \(difference)")
    }
  }

  // MARK: Operations

  private func memory() throws {
    try compare("memory", exact: true) { lane in
      let x = try lane.random(5, 7)
      try lane.report("upload", x)
      try lane.backend.fill(x, with: -2)
      try lane.report("fill", x)
      let flat = try lane.random(1, 64, .parameter)
      let view = try lane.backend.view(of: flat, offset: 16, rows: 3, columns: 5)
      try lane.report("view", view)
      try lane.backend.fill(view, with: 1)
      try lane.report("write through a view", flat)
      try lane.report("indices", try lane.indices(9, below: 100))
    }
  }

  private func linear(_ tokens: Int, _ inputs: Int, _ outputs: Int) throws {
    let operation = "linear \(tokens) x \(inputs) -> \(outputs)"
    for form in 0..<3 {
      try compare("\(operation), form \(form)") { lane in
        let weight =
          form == 2
          ? try lane.trainableMatrix(outputs, inputs)
          : try lane.matrix(outputs, inputs, form == 0 ? .outputsByInputs : .inputsByOutputs)
        let x = try lane.random(tokens, inputs)
        let bias = try lane.random(1, outputs, .parameter)
        let y = try lane.random(tokens, outputs)
        try lane.backend.linear(x, weight, bias: bias, into: y, accumulate: true)
        try lane.report("y +=", y)
        try lane.backend.linear(x, weight, bias: nil, into: y, accumulate: false)
        try lane.report("y", y)
        let logits = try lane.empty(tokens, outputs, .parameter)
        try lane.backend.linear(x, weight, bias: bias, into: logits, accumulate: false)
        try lane.report("y in 32 bits", logits)
        let dy = try lane.random(tokens, outputs)
        let dx = try lane.random(tokens, inputs)
        try lane.backend.linearInputGradient(dy, weight, into: dx, accumulate: true)
        try lane.report("dx +=", dx)
        try lane.backend.linearInputGradient(dy, weight, into: dx, accumulate: false)
        try lane.report("dx", dx)
        let dw = try lane.random(outputs, inputs, .parameter)
        let db = try lane.random(1, outputs, .parameter)
        try lane.backend.linearWeightGradient(dy, x, weightGradient: dw, biasGradient: db)
        try lane.report("dW", dw)
        try lane.report("dbias", db)
        if let parameter = weight.parameter {
          try lane.backend.fill(parameter, with: 0.5)
          try lane.backend.refresh([weight])
          try lane.backend.linear(x, weight, bias: nil, into: y, accumulate: false)
          try lane.report("y after refresh", y)
        }
      }
    }
  }

  private func lora(_ tokens: Int, _ inputs: Int, _ outputs: Int, _ rank: Int) throws {
    try compare("lora \(tokens) x \(inputs) -> \(outputs), rank \(rank)") { lane in
      let extra = 3
      let x = try lane.random(tokens, inputs)
      let a = try lane.random(rank, inputs, .parameter, scale: 0.3)
      let b = try lane.random(outputs, rank, .parameter, scale: 0.3)
      let u = try lane.empty(tokens, rank)
      let y = try lane.random(tokens, outputs + extra)
      try lane.backend.lora(x, a, b, scale: 0.5, projected: u, addingTo: y, columns: extra)
      try lane.report("u", u)
      try lane.report("y", y)
      let dy = try lane.random(tokens, outputs + extra)
      let dx = try lane.random(tokens, inputs)
      let gradients = (a: try lane.random(rank, inputs, .parameter), b: try lane.random(outputs, rank, .parameter))
      try lane.backend.loraBackward(
        dy, columns: extra, x: x, projected: u, a, b, scale: 0.5, gradients: gradients, addingTo: dx)
      try lane.report("dA", gradients.a)
      try lane.report("dB", gradients.b)
      try lane.report("dx", dx)
      try lane.backend.loraBackward(
        dy, columns: extra, x: x, projected: u, a, b, scale: 0.5, gradients: nil, addingTo: dx)
      try lane.report("dx, frozen", dx)
      try lane.backend.loraBackward(
        dy, columns: extra, x: x, projected: u, a, b, scale: 0.5, gradients: gradients, addingTo: nil)
      try lane.report("dA without dx", gradients.a)
    }
  }

  /// Branches together with the frozen product, on all columns and on some of them.
  private func branched(_ tokens: Int, _ inputs: Int, _ outputs: Int, ranks: [Int]) throws {
    for column in [0, 3, 32] {
      try compare("\(tokens) x \(inputs) -> \(column) + \(outputs) with branches \(ranks)") { lane in
        let weight = try lane.matrix(outputs + column, inputs)
        let x = try lane.random(tokens, inputs)
        let bias = try lane.random(1, outputs + column, .parameter)
        let y = try lane.empty(tokens, outputs + column)
        var branches = try ranks.enumerated().map { index, rank in
          LowRankBranch(
            a: try lane.random(rank, inputs, .parameter, scale: 0.3),
            b: try lane.random(outputs, rank, .parameter, scale: 0.3), scale: 0.5 + Float(index), columns: column,
            projected: try lane.empty(tokens, rank))
        }
        try lane.backend.linear(x, weight, bias: bias, branches: branches, into: y)
        try lane.report("y", y)
        for branch in branches { try lane.report("u", branch.projected) }
        let dy = try lane.random(tokens, outputs + column)
        let dx = try lane.random(tokens, inputs)
        try lane.backend.linearBackward(dy, weight, x: x, branches: branches, into: dx, accumulate: true)
        try lane.report("dx +=, frozen", dx)
        for (index, rank) in ranks.enumerated() {
          branches[index].gradients = (
            a: try lane.random(rank, inputs, .parameter), b: try lane.random(outputs, rank, .parameter)
          )
        }
        try lane.backend.linearBackward(dy, weight, x: x, branches: branches, into: dx, accumulate: false)
        try lane.report("dx", dx)
        for branch in branches {
          guard let gradients = branch.gradients else { continue }
          try lane.report("dA", gradients.a)
          try lane.report("dB", gradients.b)
        }
      }
    }
  }

  func rows(_ tokens: Int, _ width: Int) throws {
    for kind in [Normalization.layerNorm(epsilon: 1e-5), .rmsNorm(epsilon: 1e-5)] {
      try compare("norm \(kind) \(tokens) x \(width)") { try self.norm($0, kind, tokens, width) }
    }
    try compare("activations \(tokens) x \(width)") { lane in
      for function in [ActivationFunction.gelu, .geluTanh] {
        let x = try lane.random(tokens, width, scale: 2)
        let y = try lane.empty(tokens, width)
        try lane.backend.activate(x, function, into: y)
        try lane.report("\(function)", y)
        let dy = try lane.random(tokens, width)
        try lane.backend.activateBackward(dy, x: x, function, into: dy)
        try lane.report("\(function) backward", dy)
        try lane.backend.activate(x, function, into: x)
        try lane.report("\(function) in place", x)
      }
      let x = try lane.random(tokens, 2 * width, scale: 2)
      let y = try lane.empty(tokens, width)
      try lane.backend.gatedSiLU(x, into: y)
      try lane.report("gated SiLU", y)
      let dx = try lane.empty(tokens, 2 * width)
      try lane.backend.gatedSiLUBackward(try lane.random(tokens, width), x: x, into: dx)
      try lane.report("gated SiLU backward", dx)
    }
    try compare("copies \(tokens) x \(width)") { lane in
      let x = try lane.random(tokens, width)
      let y = try lane.random(tokens + 2, width)
      try lane.backend.copyRows(x, fromRow: tokens / 2, count: tokens - tokens / 2, to: y, toRow: 1)
      try lane.report("copied", y)
      let rows = try lane.backend.upload(indices: stride(from: tokens - 1, through: 0, by: -2).map { Int32($0) })
      let picked = try lane.empty(rows.columns, width)
      try lane.backend.gatherRows(x, rows, into: picked)
      try lane.report("gathered", picked)
      try lane.backend.scatterRows(picked, rows, into: x)
      try lane.report("scattered", x)
      try lane.backend.add(x, to: try lane.random(tokens, width))
      let table = try lane.matrix(29, width)
      let positionTable = try lane.trainableMatrix(31, width)
      let tokenIDs = try lane.indices(tokens, below: 29)
      let positions = try lane.indices(tokens, below: 31)
      try lane.backend.embed(tokenIDs, table, positions: positions, positionTable, into: x)
      try lane.report("embedded", x)
      try lane.backend.embed(tokenIDs, table, positions: nil, nil, into: x)
      try lane.report("embedded without positions", x)
      let gradient = try lane.random(29, width, .parameter)
      try lane.backend.embedBackward(x, tokenIDs, gradient: gradient)
      try lane.report("embedding gradient", gradient)
    }
  }

  private func norm(_ lane: Lane, _ kind: Normalization, _ tokens: Int, _ width: Int) throws {
    let x = try lane.random(tokens, width, scale: 2)
    let residual = try lane.random(tokens, width)
    let weight = try lane.random(1, width, .parameter)
    let isLayerNorm = kind == .layerNorm(epsilon: 1e-5)
    let bias = isLayerNorm ? try lane.random(1, width, .parameter) : nil
    let y = try lane.empty(tokens, width)
    try lane.backend.normalize(
      x, residual: nil, sum: nil, kind: kind, weight: weight, bias: bias, into: y, statistics: nil)
    if width > 1 { try lane.report("y", y) }
    let statistics = try lane.empty(tokens, 2, .parameter)
    try lane.backend.normalize(
      x, residual: residual, sum: residual, kind: kind, weight: weight, bias: bias, into: y, statistics: statistics)
    try lane.report("sum", residual)
    // A layer norm over one number divides rounding by √ε: nothing to compare.
    guard width > 1 else { return }
    try lane.report("y of sum", y)
    try lane.report("statistics", statistics)
    let dy = try lane.random(tokens, width)
    let dx = try lane.random(tokens, width)
    let gradients = (
      weight: try lane.random(1, width, .parameter), bias: isLayerNorm ? try lane.random(1, width, .parameter) : nil
    )
    try lane.backend.normalizeBackward(
      dy, x: residual, statistics: statistics, kind: kind, weight: weight, gradients: gradients, into: dx,
      accumulate: true)
    try lane.report("dx +=", dx)
    try lane.report("dweight", gradients.weight)
    if let bias = gradients.bias { try lane.report("dbias", bias) }
    try lane.backend.normalizeBackward(
      dy, x: residual, statistics: statistics, kind: kind, weight: weight, gradients: gradients, into: nil,
      accumulate: false)
    try lane.report("dweight without dx", gradients.weight)
    try lane.backend.normalizeBackward(
      dy, x: residual, statistics: statistics, kind: kind, weight: weight, gradients: nil, into: dy, accumulate: false)
    try lane.report("dx in place", dy)
  }

  func attention(_ shape: AttentionShape, _ lengths: [Int]) throws {
    try compare("attention \(shape.heads)/\(shape.keyValueHeads) x \(shape.headSize), \(lengths)") { lane in
      let sequences = try PackedSequences(lengths: lengths, backend: lane.backend)
      let tokens = sequences.tokens
      let rotated = try lane.random(tokens, shape.columns)
      let table = try lane.random(70, shape.headSize, .parameter)
      let positions = try lane.indices(tokens, below: 70)
      let heads = shape.heads + shape.keyValueHeads
      for inverse in [true, false] {
        try lane.backend.rotate(
          rotated, heads: heads, headSize: shape.headSize, positions: positions, table: table, inverse: inverse)
        try lane.report("rotated", rotated)
      }
      // Fresh numbers: those above are rounded where activations are stored in bf16, and softmax magnifies that.
      let qkv = try lane.random(tokens, shape.columns)
      let out = try lane.empty(tokens, shape.queryColumns)
      try lane.backend.attention(qkv, sequences, shape, into: out, logSumExp: nil)
      try lane.report("out", out)
      let logSumExp = try lane.empty(tokens, shape.heads, .parameter)
      try lane.backend.attention(qkv, sequences, shape, into: out, logSumExp: logSumExp)
      try lane.report("logSumExp", logSumExp)
      let dqkv = try lane.empty(tokens, shape.columns)
      try lane.backend.attentionBackward(
        try lane.random(tokens, shape.queryColumns), qkv: qkv, out: out, logSumExp: logSumExp, sequences, shape,
        into: dqkv)
      try lane.report("dqkv", dqkv)
    }
  }

  private func decoding(_ shape: AttentionShape) throws {
    try compare("decoding \(shape.heads)/\(shape.keyValueHeads) x \(shape.headSize)") { lane in
      let sequences = try PackedSequences(lengths: [3, 1, 7], backend: lane.backend)
      let qkv = try lane.random(sequences.tokens, shape.columns)
      let capacity = 9
      let keys = try lane.empty(4 * shape.keyValueHeads * capacity, shape.headSize, .cache)
      let values = try lane.empty(4 * shape.keyValueHeads * capacity, shape.headSize, .cache)
      try lane.backend.fill(keys, with: 0)
      try lane.backend.fill(values, with: 0)
      try lane.backend.storeKeysValues(
        qkv, sequences, shape, slots: [2, 0, 3], capacity: capacity, keys: keys, values: values)
      try lane.report("keys", keys)
      try lane.report("values", values)
      let step = try lane.random(2, shape.columns)
      let out = try lane.empty(2, shape.queryColumns)
      let numbers = try lane.backend.upload(indices: [3, 2, 7, 3])
      func attend(_ slots: [Int], _ lengths: [Int]) throws {
        try lane.backend.attentionStep(
          step, shape, rows: CachedRows(slots: slots, lengths: lengths, device: numbers), capacity: capacity,
          keys: keys, values: values, into: out)
      }
      try attend([3, 2], [7, 3])
      try lane.report("out", out)
      try lane.report("keys after", keys)
      // Once more, recorded where the backend can: the numbers of the replay count.
      let recorded = try lane.backend.record { try attend([3, 2], [7, 3]) }
      for (slots, lengths) in [([3, 2], [8, 4]), ([0, 1], [1, 0])] {
        try lane.backend.write(indices: (slots + lengths).map { Int32($0) }, to: numbers)
        if let recorded { try recorded.replay() } else { try attend(slots, lengths) }
        try lane.report("out of \(lengths)", out)
        try lane.report("values of \(lengths)", values)
      }
    }
  }

  /// Generation of `count` sequences at once.
  func manySequences(_ count: Int) throws {
    let shape = AttentionShape(heads: 2, keyValueHeads: 1, headSize: 6)
    try compare("decoding \(count) sequences") { lane in
      let lengths = (0..<count).map { 1 + $0 % 3 }
      let slots = (0..<count).map { ($0 * 3) % count }
      let sequences = try PackedSequences(lengths: lengths, backend: lane.backend)
      let qkv = try lane.random(sequences.tokens, shape.columns)
      let keys = try lane.empty(count * shape.keyValueHeads * 5, shape.headSize, .cache)
      let values = try lane.empty(count * shape.keyValueHeads * 5, shape.headSize, .cache)
      try lane.backend.fill(keys, with: 0)
      try lane.backend.fill(values, with: 0)
      try lane.backend.storeKeysValues(
        qkv, sequences, shape, slots: slots, capacity: 5, keys: keys, values: values)
      let step = try lane.random(count, shape.columns)
      let out = try lane.empty(count, shape.queryColumns)
      try lane.backend.attentionStep(
        step, shape, rows: CachedRows(slots: slots, lengths: lengths, backend: lane.backend), capacity: 5, keys: keys,
        values: values, into: out)
      try lane.report("out", out)
      try lane.report("keys", keys)
      try lane.report("values", values)
    }
  }

  private func crossEntropy(_ rows: Int, _ width: Int, _ vocabulary: Int) throws {
    try compare("cross-entropy \(rows) x \(width), \(vocabulary)") { lane in
      let x = try lane.random(rows, width)
      let head = try lane.matrix(vocabulary, width)
      let bias = try lane.random(1, vocabulary, .parameter)
      let targets = try lane.indices(rows, below: vocabulary)
      let losses = try lane.empty(1, rows, .parameter)
      try lane.backend.crossEntropy(
        x, head: head, bias: nil, targets: targets, losses: losses, scale: 0, dx: nil, gradients: nil)
      try lane.report("losses", losses)
      guard vocabulary > 1 else { return }  // one class: gradients are rounding
      let dx = try lane.empty(rows, width)
      let gradients = (
        weight: try lane.random(vocabulary, width, .parameter),
        bias: Optional(try lane.random(1, vocabulary, .parameter))
      )
      try lane.backend.crossEntropy(
        x, head: head, bias: bias, targets: targets, losses: losses, scale: 0.25, dx: dx, gradients: gradients)
      try lane.report("losses with bias", losses)
      try lane.report("dx", dx)
      try lane.report("dW", gradients.weight)
      if let bias = gradients.bias { try lane.report("dbias", bias) }
    }
  }

  private func choice() throws {
    for kind in [ElementKind.activation, .parameter] {
      try compare("choice from \(kind)s", exact: true) { lane in
        let logits = try lane.random(5, 333, kind)  // quantised numbers: with ties
        let best = try lane.empty(1, 5, .index)
        try lane.backend.argmax(logits, into: best)
        try lane.report("argmax", best)
        // −1 for rows with a number that is none or infinite, wherever it stands.
        var numbers = (0..<(5 * 333)).map { Float($0 % 50) }
        (numbers[0], numbers[333 + 332], numbers[2 * 333 + 40]) = (.nan, .infinity, -.infinity)
        let broken = try lane.backend.upload(numbers, rows: 5, columns: 333, kind: kind)
        try lane.backend.argmax(broken, into: best)
        try lane.report("argmax of rows that are not finite", best)
        for k in [1, 20, 333] {
          let values = try lane.empty(5, k)
          let indices = try lane.empty(5, k, .index)
          try lane.backend.topK(logits, values: values, indices: indices)
          try lane.report("top values", values)
          try lane.report("top indices", indices)
        }
      }
    }
  }

  private func optimizer(_ count: Int) throws {
    try compare("optimizer \(count)") { lane in
      let parameters = try lane.random(1, count, .parameter)
      let gradients = try lane.random(1, count, .parameter)
      let first = try lane.empty(1, count, .parameter)
      let second = try lane.empty(1, count, .parameter)
      try lane.backend.fill(first, with: 0)
      try lane.backend.fill(second, with: 0)
      let norm = try lane.empty(1, 1, .parameter)
      try lane.backend.norm(of: gradients, into: norm)
      try lane.report("norm", norm)
      for step in 1...3 {
        let clip: (norm: Tensor, maximum: Float)? = step == 2 ? nil : (norm, 0.5)
        try lane.backend.adamW(
          parameters, gradients: gradients, firstMoment: first, secondMoment: second,
          step: AdamWStep(learningRate: 0.1, weightDecay: 0.1, step: step), clip: clip)
      }
      try lane.report("parameters", parameters)
      try lane.report("first moment", first)
      try lane.report("second moment", second)
    }
  }
}
