import RandomStreams
import TestSupport
import Testing

@testable import LanguageModel

/// Every operation of the CPU backend, on every instruction set of this processor (and with emulated tiles), against
/// the reference backend.
@Suite(.bounded) struct CPUBackendTests {
  static let paths: [CPUPath] = CPUPath.available + [.amxEmulated]

  @Test(arguments: paths) func float32AgreesWithTheReference(path: CPUPath) throws {
    try compare(
      CPUBackend(precision: .float32, threads: 2, path: path), shapes: OperationShapes.all, tolerance: 2e-5)
  }

  // Without the shape of single numbers: two rounded terms that cancel have no relative error to speak of.
  @Test(arguments: paths) func bfloat16AgreesWithTheReference(path: CPUPath) throws {
    try compare(
      CPUBackend(precision: .bfloat16, threads: 2, path: path), shapes: Array(OperationShapes.all.dropFirst()),
      tolerance: 2e-2)
  }

  @Test(arguments: [CPUPrecision.float32, .bfloat16]) func threadsDoNotChangeABit(precision: CPUPrecision) throws {
    let one = try OperationTrace(CPUBackend(precision: precision, threads: 1), OperationShapes.large).outputs
    for threads in [2, 3] {
      let many = try OperationTrace(CPUBackend(precision: precision, threads: threads), OperationShapes.large).outputs
      for (name, values) in one { #expect(values == many[name], "\(name) with \(threads) threads") }
    }
  }

  private func compare(_ backend: CPUBackend, shapes: [OperationShapes], tolerance: Float) throws {
    for shape in shapes {
      let expected = try OperationTrace(ReferenceBackend(), shape).outputs
      let found = try OperationTrace(backend, shape).outputs
      #expect(expected.count > 20)
      for (name, reference) in expected {
        let values = try #require(found[name])
        let scale = reference.reduce(Float(1e-6)) { max($0, abs($1)) }
        var worst: Float = 0
        for (a, b) in zip(values, reference) { worst = max(worst, a.isFinite ? abs(a - b) / scale : .infinity) }
        #expect(worst <= tolerance, "\(name), \(shape), \(backend.name)")
      }
    }
  }

  /// GELU, its slope and SiLU·gate against 64-bit arithmetic over the whole range that matters.
  @Test(arguments: CPUPath.available) func activationsAreExactToRounding(path: CPUPath) throws {
    let backend = try CPUBackend(precision: .float32, threads: 1, path: path)
    let reference = ReferenceBackend()
    let inputs = (0..<20_001).map { Float($0 - 10_000) * 0.0013 }
    for function in [ActivationFunction.gelu, .geluTanh] {
      let results = try [backend, reference].map { (backend: any Backend) -> ([Float], [Float]) in
        let x = try backend.upload(inputs, rows: 1, columns: inputs.count, kind: .activation)
        let one = try backend.makeTensor(rows: 1, columns: inputs.count, kind: .activation)
        try backend.fill(one, with: 1)
        let y = try backend.makeTensor(rows: 1, columns: inputs.count, kind: .activation)
        try backend.activate(x, function, into: y)
        try backend.activateBackward(one, x: x, function, into: one)
        return try (backend.download(y), backend.download(one))
      }
      for index in inputs.indices {
        let magnitude = max(1, abs(inputs[index]))
        #expect(abs(results[0].0[index] - results[1].0[index]) <= 3e-7 * magnitude, "\(function) at \(inputs[index])")
        #expect(abs(results[0].1[index] - results[1].1[index]) <= 6e-7 * magnitude, "\(function)' at \(inputs[index])")
      }
    }
  }

  @Test func notANumberIsNotHidden() throws {
    for precision in [CPUPrecision.float32, .bfloat16] {
      let backend = try CPUBackend(precision: precision, threads: 1)
      var values = [Float](repeating: 0.5, count: 40 * 64)
      values[70] = .nan
      let x = try backend.upload(values, rows: 40, columns: 64, kind: .activation)
      let head = try backend.makeMatrix([ArraySource.random(50, 64, seed: 3)], layout: .outputsByInputs, parameter: nil)
      let losses = try backend.makeTensor(rows: 1, columns: 40, kind: .parameter)
      let targets = try backend.upload(indices: [Int32](repeating: 7, count: 40))
      try backend.activate(x, .geluTanh, into: x)
      try backend.crossEntropy(
        x, head: head, bias: nil, targets: targets, losses: losses, scale: 1, dx: nil, gradients: nil)
      let found = try backend.download(losses)
      #expect(found[1].isNaN)
      #expect(found[0].isFinite)
    }
  }

  @Test func memoryIsCountedReusedAndRefused() throws {
    let backend = try CPUBackend(precision: .float32, threads: 1, memoryLimit: 1 << 20)
    do {
      let first = try backend.makeTensor(rows: 100, columns: 1000, kind: .activation)
      #expect(first.count == 100_000)
      #expect(backend.memory.used >= 400_000)
      let error = #expect(throws: BackendError.self) {
        _ = try backend.makeTensor(rows: 1000, columns: 1000, kind: .activation)
      }
      #expect(error?.code == .outOfMemory)
      #expect(throws: BackendError.self) {
        _ = try backend.makeTensor(rows: .max / 2, columns: 3, kind: .activation)
      }
    }
    #expect(backend.memory.used == 0)
    #expect(backend.memory.peak >= 400_000)
    // The kept block of 400 kB must make room for another size.
    _ = try backend.makeTensor(rows: 225, columns: 1000, kind: .activation)
    backend.releaseCachedMemory()
  }

  /// Blocks never overlap, come back as one, and the low end of the memory is used again whatever the sizes.
  @Test func blocksAreReusedWithoutOverlap() throws {
    let memory = CPUMemory(limit: 8 << 20)
    var generator = RandomStream(seed: 3, purpose: "memory")
    var live: [(start: UnsafeMutableRawPointer, bytes: Int, mark: UInt8)] = []
    let first = try memory.allocate(bytes: 64)
    var highest = first
    for round in 0..<3000 {
      if live.count > 12 || (round % 3 == 2 && !live.isEmpty) {
        let block = live.remove(at: generator.integer(below: live.count))
        #expect(block.start.load(as: UInt8.self) == block.mark)
        #expect(block.start.load(fromByteOffset: block.bytes - 1, as: UInt8.self) == block.mark)
        memory.recycle(block.start, bytes: block.bytes)
      } else {
        let bytes = 1 + generator.integer(below: 200_000)
        let start = try memory.allocate(bytes: bytes, lasting: round % 50 == 0)
        #expect(UInt(bitPattern: start) % 64 == 0)
        let mark = UInt8(truncatingIfNeeded: round)
        start.initializeMemory(as: UInt8.self, repeating: mark, count: bytes)
        live.append((start, bytes, mark))
        if round % 50 != 0 { highest = max(highest, start) }
      }
      if round % 700 == 699 { memory.releaseKept() }
    }
    // 13 blocks of up to 200 kB: little is lost between them.
    #expect(highest - first < 5 << 20)
    for block in live { memory.recycle(block.start, bytes: block.bytes) }
    memory.recycle(first, bytes: 64)
    #expect(memory.status.used == 0)
    #expect(try memory.allocate(bytes: 7 << 20) == first)
  }

  /// A large table that lies in memory is kept once, packed; rows are gathered from there.
  @Test func largeTablesAreKeptOncePacked() throws {
    let backend = try CPUBackend(precision: .bfloat16, threads: 2)
    let source = ArraySource.random(1100, 1000, seed: 9)
    let table = try backend.makeMatrix([source], layout: .outputsByInputs, parameter: nil)
    #expect(backend.memory.used >= 2_200_000)
    let rows: [Int32] = [0, 1, 31, 32, 33, 1099]
    let y = try backend.makeTensor(rows: rows.count, columns: 1000, kind: .activation)
    try backend.embed(try backend.upload(indices: rows), table, positions: nil, nil, into: y)
    let values = WeightReader.floats(source)
    for (index, value) in try backend.download(y).enumerated() {
      let expected = values[Int(rows[index / 1000]) * 1000 + index % 1000]
      #expect(abs(value - expected) <= abs(expected) / 256)
    }
  }

  /// A row of a product with bf16 weights and 32-bit sums does not depend on how many there are, bit by bit.
  @Test(arguments: CPUPath.available.filter { $0 <= .avx512 }) func fewRowsEqualTheSameAmongMany(path: CPUPath) throws {
    let backend = try CPUBackend(precision: .bfloat16, threads: 2, path: path)
    // Several blocks of k with an odd rest, panels with an odd rest; many groups of panels for two threads to divide.
    for (inputs, outputs) in [(901, 333), (64, 31), (1, 1), (50, 2400)] {
      let weight = try backend.makeMatrix(
        [ArraySource.random(outputs, inputs, seed: 3)], layout: .outputsByInputs, parameter: nil)
      var stream = RandomStream(seed: 4, purpose: "test/few-rows")
      func values(_ count: Int) -> [Float] { (0..<count).map { _ in Float(stream.normal()) } }
      let rows = 40
      let (x, start, offset) = (values(rows * inputs), values(rows * outputs), values(outputs))
      let bias = try backend.upload(offset, rows: 1, columns: outputs, kind: .parameter)
      func product(_ range: Range<Int>, accumulate: Bool) throws -> [Float] {
        func part(_ all: [Float], _ columns: Int) throws -> Tensor {
          try backend.upload(
            Array(all[range.lowerBound * columns..<range.upperBound * columns]), rows: range.count, columns: columns,
            kind: .activation)
        }
        let y = try part(start, outputs)
        try backend.linear(
          part(x, inputs), weight, bias: accumulate ? nil : bias, into: y, accumulate: accumulate)
        return try backend.download(y)
      }
      for accumulate in [false, true] {
        let whole = try product(0..<rows, accumulate: accumulate)
        for count in [1, 2, 3, 4, 5, 7, 8, 13, 16, 17] {
          let found = try product(6..<6 + count, accumulate: accumulate)
          let isSame = found.elementsEqual(whole[6 * outputs..<(6 + count) * outputs])
          #expect(isSame, "\(count) rows, \(inputs) inputs")
        }
      }
    }
  }

  /// Keys and values take two bytes a number beside bf16 weights, and come back as they were rounded.
  @Test(arguments: [CPUPrecision.float32, .bfloat16])
  func cachesAreAsWideAsWeights(precision: CPUPrecision) throws {
    let backend = try CPUBackend(precision: precision, threads: 1)
    let before = backend.memory.used
    let cache = try backend.makeTensor(rows: 1024, columns: 1024, kind: .cache)
    let isHalf = precision == .bfloat16
    #expect(backend.cacheBytes == (isHalf ? 2 : 4))
    #expect(backend.memory.used - before == backend.cacheBytes << 20)
    try backend.fill(cache, with: 1.003)
    #expect(try backend.download(cache).allSatisfy { $0 == (isHalf ? 1 : 1.003) })
    let small = try backend.upload([1.005, -2, .infinity], rows: 1, columns: 3, kind: .cache)
    #expect(try backend.download(small) == (isHalf ? [1.0078125, -2, .infinity] : [1.005, -2, .infinity]))
  }

  /// A step over kept keys and values is the last row of attention over the whole sequence.
  @Test(arguments: CPUPath.available, [CPUPrecision.float32, .bfloat16])
  func stepsContinueAttention(path: CPUPath, precision: CPUPrecision) throws {
    let backend = try CPUBackend(precision: precision, threads: 2, path: path)
    // With tiles, attention over whole sequences rounds what it multiplies; steps do not.
    let tolerance: Float = precision == .bfloat16 && path >= .amxbf16 ? 2e-2 : 2e-5
    // Head sizes that fill no vector, one block of eight vectors, and more; lengths around whole vectors.
    for shape in [
      AttentionShape(heads: 4, keyValueHeads: 2, headSize: 100),
      AttentionShape(heads: 3, keyValueHeads: 3, headSize: 24),
      AttentionShape(heads: 2, keyValueHeads: 1, headSize: 128),
      AttentionShape(heads: 2, keyValueHeads: 2, headSize: 7),
    ] {
      let lengths = [1, 2, 15, 16, 17, 33, 70]
      var stream = RandomStream(seed: 5, purpose: "test/steps")
      // Numbers that bf16 holds, as which keys and values are kept.
      let rows = lengths.map { length in
        (0..<length * shape.columns).map { _ in Float(bitPattern: Float(stream.normal()).bitPattern & 0xffff_0000) }
      }
      func upload(_ values: [Float]) throws -> Tensor {
        try backend.upload(values, rows: values.count / shape.columns, columns: shape.columns, kind: .activation)
      }
      let whole = try PackedSequences(lengths: lengths, backend: backend)
      let expected = try backend.makeTensor(rows: whole.tokens, columns: shape.queryColumns, kind: .activation)
      try backend.attention(try upload(Array(rows.joined())), whole, shape, into: expected, logSumExp: nil)

      let capacity = 72
      let slots = Array(lengths.indices.reversed())
      let size = lengths.count * shape.keyValueHeads * capacity
      let keys = try backend.makeTensor(rows: size, columns: shape.headSize, kind: .cache)
      let values = try backend.makeTensor(rows: size, columns: shape.headSize, kind: .cache)
      let earlier = try PackedSequences(lengths: lengths.map { $0 - 1 }, backend: backend)
      let known = rows.flatMap { $0.dropLast(shape.columns) }
      try backend.storeKeysValues(
        try upload(known), earlier, shape, slots: slots, capacity: capacity, keys: keys, values: values)
      let out = try backend.makeTensor(rows: lengths.count, columns: shape.queryColumns, kind: .activation)
      try backend.attentionStep(
        try upload(rows.flatMap { $0.suffix(shape.columns) }), shape,
        rows: CachedRows(slots: slots, lengths: lengths.map { $0 - 1 }, backend: backend), capacity: capacity,
        keys: keys,
        values: values, into: out)

      let (found, all) = (try backend.download(out), try backend.download(expected))
      for (index, end) in whole.offsets.dropFirst().enumerated() {
        let width = shape.queryColumns
        let difference =
          zip(found[index * width..<(index + 1) * width], all[(end - 1) * width..<end * width])
          .map { abs($0 - $1) }.max() ?? .infinity
        #expect(difference < tolerance, "\(shape), length \(lengths[index])")
      }
    }
  }

  @Test func productsAreCounted() throws {
    let backend = try CPUBackend(threads: 2)
    let before = backend.productTotals
    #expect(try backend.productLimit(repetitions: 2) > 1e6)
    let spent = backend.productTotals - before
    #expect(spent.operations == 2 * 2 * 420 * 768 * 3072)
    #expect(spent.seconds > 0)
  }

  @Test func pathsAreOrderedAndNamed() throws {
    #expect(CPUPath.available.first == .portable)
    #expect(try CPUBackend(precision: .float32, threads: 1, path: .portable).kernels == "portable-f32")
    #expect(try CPUBackend(precision: .automatic, threads: 1, path: .avx2).precision == .float32)
    #expect(try CPUBackend(threads: 1).precision != .automatic)
    #expect(CPUBackend.processors >= 1)
  }
}
