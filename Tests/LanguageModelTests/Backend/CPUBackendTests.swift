import RandomStreams
import Testing

@testable import LanguageModel

/// Every operation of the CPU backend, on every instruction set of this processor (and with emulated tiles), against
/// the reference backend.
@Suite struct CPUBackendTests {
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

  @Test func sizeClassesCoverTheirBytes() {
    for bytes in [0, 1, 64, 65, 513, 4096, 4097, 1_000_003, 50_257 * 768 * 4] {
      let size = CPUMemory.roundUp(bytes)
      #expect(size >= bytes && size % 64 == 0)
      #expect(size <= max(64, bytes + bytes / 7 + 64))
    }
  }

  @Test func pathsAreOrderedAndNamed() throws {
    #expect(CPUPath.available.first == .portable)
    #expect(try CPUBackend(precision: .float32, threads: 1, path: .portable).kernels == "portable-f32")
    #expect(try CPUBackend(precision: .automatic, threads: 1, path: .avx2).precision == .float32)
    #expect(try CPUBackend(threads: 1).precision != .automatic)
    #expect(CPUBackend.processors >= 1)
  }
}
