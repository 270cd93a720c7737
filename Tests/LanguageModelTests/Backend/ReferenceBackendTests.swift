import RandomStreams
import TestSupport
import Testing

@testable import LanguageModel

/// The reference backend against finite differences and its own contract.
@Suite(.bounded) struct ReferenceBackendTests {
  private typealias Lane = BackendConformance.Lane

  /// Checks ⟨gradient, direction⟩ against (L(x + εv) − L(x − εv)) / 2ε, L = Σ weight · f(x), along a random v.
  private func checkGradient(
    _ name: String, rows: Int, columns: Int, outputs: Int, _ forward: (Lane, Tensor) throws -> Tensor,
    _ backward: (Lane, Tensor, Tensor) throws -> Tensor
  ) throws {
    let lane = Lane(ReferenceBackend())
    let x = lane.numbers(rows * columns)
    let direction = lane.numbers(rows * columns)
    let weight = lane.numbers(rows * outputs)
    func value(_ step: Float) throws -> Double {
      let moved = zip(x, direction).map { $0 + step * $1 }
      let tensor = try lane.backend.upload(moved, rows: rows, columns: columns, kind: .activation)
      return zip(try lane.backend.download(try forward(lane, tensor)), weight).reduce(0) {
        $0 + Double($1.0) * Double($1.1)
      }
    }
    let step: Float = 1.0 / 256
    let expected = (try value(step) - value(-step)) / Double(2 * step)
    let input = try lane.backend.upload(x, rows: rows, columns: columns, kind: .activation)
    let upstream = try lane.backend.upload(weight, rows: rows, columns: outputs, kind: .activation)
    let gradient = try lane.backend.download(try backward(lane, input, upstream))
    let actual = zip(gradient, direction).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    #expect(abs(actual - expected) < 5e-3 * max(1, abs(expected)), "\(name): \(actual), differences say \(expected)")
  }

  @Test func normsByFiniteDifferences() throws {
    for kind in [Normalization.layerNorm(epsilon: 1e-5), .rmsNorm(epsilon: 1e-5)] {
      let weight = Lane(ReferenceBackend()).numbers(7)
      let run = { (lane: Lane, x: Tensor) -> (Tensor, Tensor, Tensor) in
        let w = try lane.backend.upload(weight, rows: 1, columns: 7, kind: .parameter)
        let y = try lane.empty(3, 7)
        let statistics = try lane.empty(3, 2, .parameter)
        try lane.backend.normalize(
          x, residual: nil, sum: nil, kind: kind, weight: w, bias: nil, into: y, statistics: statistics)
        return (y, statistics, w)
      }
      try checkGradient("\(kind)", rows: 3, columns: 7, outputs: 7, { try run($0, $1).0 }) { lane, x, dy in
        let (_, statistics, w) = try run(lane, x)
        try lane.backend.normalizeBackward(
          dy, x: x, statistics: statistics, kind: kind, weight: w, gradients: nil, into: dy, accumulate: false)
        return dy
      }
    }
  }

  @Test func activationsByFiniteDifferences() throws {
    for function in [ActivationFunction.gelu, .geluTanh] {
      try checkGradient(
        "\(function)", rows: 4, columns: 9, outputs: 9,
        { lane, x in
          let y = try lane.empty(4, 9)
          try lane.backend.activate(x, function, into: y)
          return y
        },
        { lane, x, dy in
          try lane.backend.activateBackward(dy, x: x, function, into: dy)
          return dy
        })
    }
    try checkGradient(
      "gated SiLU", rows: 4, columns: 10, outputs: 5,
      { lane, x in
        let y = try lane.empty(4, 5)
        try lane.backend.gatedSiLU(x, into: y)
        return y
      },
      { lane, x, dy in
        let dx = try lane.empty(4, 10)
        try lane.backend.gatedSiLUBackward(dy, x: x, into: dx)
        return dx
      })
  }

  @Test func attentionByFiniteDifferences() throws {
    for shape in [
      AttentionShape(heads: 2, keyValueHeads: 2, headSize: 4), AttentionShape(heads: 4, keyValueHeads: 2, headSize: 2),
    ] {
      let run = { (lane: Lane, x: Tensor) -> (Tensor, Tensor, PackedSequences) in
        let sequences = try PackedSequences(lengths: [4, 1, 3], backend: lane.backend)
        let out = try lane.empty(8, shape.queryColumns)
        let logSumExp = try lane.empty(8, shape.heads, .parameter)
        try lane.backend.attention(x, sequences, shape, into: out, logSumExp: logSumExp)
        return (out, logSumExp, sequences)
      }
      try checkGradient(
        "attention", rows: 8, columns: shape.columns, outputs: shape.queryColumns, { try run($0, $1).0 }
      ) { lane, x, dy in
        let (out, logSumExp, sequences) = try run(lane, x)
        let dx = try lane.empty(8, shape.columns)
        try lane.backend.attentionBackward(
          dy, qkv: x, out: out, logSumExp: logSumExp, sequences, shape, into: dx)
        return dx
      }
    }
  }

  @Test func lossByFiniteDifferences() throws {
    let head = Lane(ReferenceBackend()).numbers(11 * 6)
    let losses = { (lane: Lane, x: Tensor, dx: Tensor?) -> Tensor in
      let matrix = try lane.backend.makeMatrix(
        [ArrayWeight(head, shape: [11, 6])], layout: .outputsByInputs, parameter: nil)
      let result = try lane.empty(1, 4, .parameter)
      try lane.backend.crossEntropy(
        x, head: matrix, bias: nil, targets: try lane.backend.upload(indices: [3, 0, 10, 3]), losses: result, scale: 1,
        dx: dx, gradients: nil)
      return result
    }
    let lane = Lane(ReferenceBackend())
    let x = lane.numbers(24)
    let direction = lane.numbers(24)
    func total(_ step: Float) throws -> Double {
      let moved = try lane.backend.upload(
        zip(x, direction).map { $0 + step * $1 }, rows: 4, columns: 6, kind: .activation)
      return try lane.backend.download(try losses(lane, moved, nil)).reduce(0) { $0 + Double($1) }
    }
    let dx = try lane.empty(4, 6)
    _ = try losses(lane, try lane.backend.upload(x, rows: 4, columns: 6, kind: .activation), dx)
    let actual = zip(try lane.backend.download(dx), direction).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    let expected = (try total(1 / 256) - total(-1 / 256)) * 128
    #expect(abs(actual - expected) < 5e-3 * max(1, abs(expected)))
  }

  @Test func refusesBeyondItsLimit() throws {
    let backend = ReferenceBackend(memoryLimit: 1000)
    let held = try backend.makeTensor(rows: 10, columns: 20, kind: .activation)
    do {
      _ = try backend.makeTensor(rows: 10, columns: 20, kind: .activation)
      Issue.record("an allocation beyond the limit succeeded")
    } catch let error as BackendError {
      #expect(error.code == .outOfMemory)
    }
    #expect(backend.memory == BackendMemory(used: held.count * 4, peak: 800, limit: 1000))
    _ = try backend.makeTensor(rows: 1, columns: 50, kind: .activation)
  }

  @Test func halfPrecision() {
    func single(_ half: UInt16) -> Float {
      var result: Float = 0
      withUnsafeBytes(of: half) { bytes in
        if let base = bytes.baseAddress { HalfPrecision.float16ToFloat32(base, &result, 1) }
      }
      return result
    }
    #expect(single(0x3c00) == 1)
    #expect(single(0xc000) == -2)
    #expect(single(0x0001) == 0x1p-24)
    #expect(single(0x7c00) == .infinity)
    #expect(single(0x7e00).isNaN)
  }

  @Test func weightLayouts() throws {
    let backend = ReferenceBackend()
    let rows = ArrayWeight([1, 2, 3, 4, 5, 6], shape: [2, 3])
    let x = try backend.upload([1, 10, 100], rows: 1, columns: 3, kind: .activation)
    let y = try backend.makeTensor(rows: 1, columns: 4, kind: .activation)
    let stacked = try backend.makeMatrix([rows, rows], layout: .outputsByInputs, parameter: nil)
    try backend.linear(x, stacked, bias: nil, into: y, accumulate: false)
    #expect(try backend.download(y) == [321, 654, 321, 654])
    let columns = ArrayWeight([1, 4, 2, 5, 3, 6], shape: [3, 2])
    let transposed = try backend.makeMatrix([columns, columns], layout: .inputsByOutputs, parameter: nil)
    try backend.linear(x, transposed, bias: nil, into: y, accumulate: false)
    #expect(try backend.download(y) == [321, 654, 321, 654])
  }

  @Test func conformsToItself() throws {
    try BackendConformance.run(on: ReferenceBackend(), tolerance: 0)
  }
}
