import CKernels
import Foundation
import TestSupport

@testable import LanguageModel

/// Digests of a fixed set of outputs of one backend: all operations, products of many shapes, 20 training steps.
struct KernelDigest {
  private(set) var digests: [String: String] = [:]
  private let backend: CPUBackend

  init(_ backend: CPUBackend) throws {
    self.backend = backend
    try operations()
    for shape in ProductShape.all { try product(shape) }
    try branches()
    for name in ["gpt2", "llama-gqa"] { try training(name) }
  }

  /// Every operation, by the first word of its name.
  private mutating func operations() throws {
    var groups: [String: BitDigest] = [:]
    for shape in Array(OperationShapes.all.dropFirst()) + [.large] {
      let outputs = try OperationTrace(backend, shape).outputs
      for name in outputs.keys.sorted() {
        groups[String(name.prefix { $0 != " " }), default: BitDigest()].add(outputs[name] ?? [])
      }
    }
    for (group, digest) in groups { digests["operations, \(group)"] = "\(digest)" }
  }

  private func tensor(_ rows: Int, _ columns: Int, seed: UInt64) throws -> Tensor {
    try backend.upload(randoms(rows * columns, seed: seed), rows: rows, columns: columns, kind: .activation)
  }

  /// One product with every kind of operands, beside and below each of the algorithms' limits.
  private mutating func product(_ shape: ProductShape) throws {
    let (m, n, k) = (shape.m, shape.n, shape.k)
    let (a, b, bias) = try (tensor(m, k, seed: 1), tensor(k, n, seed: 2), tensor(1, n, seed: 3))
    let source = ArraySource.random(n, k, seed: 4, type: .bfloat16)
    let weight = try backend.makeMatrix([source], layout: .outputsByInputs, parameter: nil)
    let turned = try backend.makeMatrix(
      [ArraySource.random(k, n, seed: 5, type: .bfloat16)], layout: .outputsByInputs, parameter: nil)
    var digest = BitDigest()
    let rows = CPUBackend.Strided(backend.floats(a), k)
    let columns = CPUBackend.Strided(backend.floats(a), 1, m)
    let plain = [
      backend.plain(CPUBackend.Strided(backend.floats(b), n)),
      backend.plain(CPUBackend.Strided(backend.floats(b), 1, k)),
    ]
    let y = try tensor(m, n, seed: 6)
    for exact in [true, false] {
      for left in [rows, columns] {
        for right in plain {
          for accumulate in [false, true] {
            try backend.product(
              m, n, k, scale: 0.75, left, right, bias: accumulate ? nil : UnsafePointer(backend.floats(bias)),
              accumulate: accumulate, into: backend.floats(y), stride: n, exact: exact)
            digest.add(try backend.download(y))
          }
        }
      }
    }
    for accumulate in [false, true] {
      try backend.linear(a, weight, bias: bias, into: y, accumulate: accumulate)
      digest.add(try backend.download(y))
      try backend.linearInputGradient(a, turned, into: y, accumulate: accumulate)
      digest.add(try backend.download(y))
      // The packed copy, transposed on its way.
      if let packed = try backend.packed(unsafeDowncast(turned, to: CPUMatrix.self)) {
        let right = backend.packedOperand(packed, inputs: n, outputs: k, kind: LM_OPERAND_PACKED_TRANSPOSED)
        try backend.product(
          m, n, k, rows, right, accumulate: accumulate, into: backend.floats(y), stride: n, exact: false)
        digest.add(try backend.download(y))
      }
    }
    digests["product, \(m) x \(n) x \(k)"] = "\(digest)"
  }

  /// Frozen products together with low-rank branches, forward and backward.
  private mutating func branches() throws {
    var digest = BitDigest()
    for (rows, inputs, outputs, rank, first) in [(37, 70, 130, 6, 32), (150, 300, 96, 40, 0), (5, 64, 64, 4, 0)] {
      let width = outputs - first
      let (x, y, u) = try (tensor(rows, inputs, seed: 1), tensor(rows, outputs, seed: 2), tensor(rows, rank, seed: 3))
      let (a, b) = try (tensor(rank, inputs, seed: 4), tensor(width, rank, seed: 5))
      let (da, db) = try (tensor(rank, inputs, seed: 6), tensor(width, rank, seed: 7))
      let weight = try backend.makeMatrix(
        [ArraySource.random(outputs, inputs, seed: 8)], layout: .outputsByInputs, parameter: nil)
      let branch = LowRankBranch(a: a, b: b, scale: 0.7, columns: first, projected: u, gradients: (da, db))
      try backend.linear(x, weight, bias: tensor(1, outputs, seed: 9), branches: [branch], into: y)
      let (dy, dx) = try (tensor(rows, outputs, seed: 10), tensor(rows, inputs, seed: 11))
      try backend.linearBackward(dy, weight, x: x, branches: [branch], into: dx, accumulate: true)
      for output in [u, y, dx, da, db] { digest.add(try backend.download(output)) }
    }
    digests["branches"] = "\(digest)"
  }

  /// Losses and parameters of 20 steps.
  private mutating func training(_ name: String) throws {
    let model = try ModelFixtures.model(name, on: backend)
    let adapter = try model.makeAdapter(AdapterPlan(layers: [1, 2], count: 2, rank: 3), seed: 9)
    var generator = TokenNumbers(seed: 1)
    let examples = (0..<16).map { _ in
      TrainingExample(
        prompt: generator.ids(2 + generator.below(20), 300), response: generator.ids(1 + generator.below(12), 300))
    }
    var options = TrainingOptions()
    options.batchSize = 4
    options.epochs = 5
    options.learningRate = 1e-2
    options.seed = 5
    let report = try model.train(adapter, on: examples, options: options)
    var digest = BitDigest()
    digest.add([report.steps])
    digest.add(report.losses)
    for values in try adapter.values() {
      digest.add(values.a)
      digest.add(values.b)
    }
    digests["training, \(name), \(report.steps) steps"] = "\(digest)"
  }
}

/// The size of a product.
struct ProductShape {
  let m: Int
  let n: Int
  let k: Int

  /// Few rows with and without groups of three panels; narrow; few columns of a large transposed operand; several blocks of
  /// rows, of columns and of k; longer than one segment of tiles.
  static let all = [
    (1, 1, 1), (3, 33, 70), (5, 300, 900), (12, 100, 64), (16, 200, 400), (257, 20, 390), (400, 7, 30), (64, 130, 500),
    (1200, 96, 40), (130, 300, 800), (33, 72, 8300),
  ].map { ProductShape(m: $0, n: $1, k: $2) }
}
