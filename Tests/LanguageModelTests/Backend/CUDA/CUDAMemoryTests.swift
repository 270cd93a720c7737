import CUDAEmulation
import Foundation
import RandomStreams
import TestSupport
import Testing

@testable import LanguageModel

extension EmulatedCUDATests {
  /// Memory, faults and transfers on the emulated device.
  struct Memory {
    /// What does not fit is refused, and the backend goes on working.
    @Test func outOfMemoryIsTypedAndSurvived() throws {
      try EmulatedCUDA.run {
        let backend = try EmulatedCUDA.backend(.float32, memoryLimit: 40 << 20)
        let small = try backend.upload([1, 2, 3], rows: 1, columns: 3, kind: .parameter)
        let error = #expect(throws: BackendError.self) {
          try backend.makeTensor(rows: 4096, columns: 4096, kind: .activation)
        }
        #expect(error?.code == .outOfMemory)
        #expect(try backend.download(small) == [1, 2, 3])
        // A full device: the budget would allow it, the device does not.
        cuda_emulation_set_memory(cuda_emulation_allocated_bytes() + (1 << 20))
        let refused = #expect(throws: BackendError.self) {
          try backend.makeTensor(rows: 1024, columns: 1024, kind: .parameter)
        }
        #expect(refused?.code == .outOfMemory)
        cuda_emulation_set_memory(1 << 30)
        #expect(try backend.download(try backend.makeFilled(1024, 1024, 2)).allSatisfy { $0 == 2 })
      }
    }

    /// A configuration that cannot fit fails before its first step, and the base stays usable.
    @Test func anInfeasibleConfigurationIsRefused() throws {
      try EmulatedCUDA.run {
        let model = try ModelFixtures.model("gpt2", on: try EmulatedCUDA.backend(.bfloat16, memoryLimit: 60 << 20))
        var steps = 0
        var hooks = TrainingHooks()
        hooks.progress = { _ in steps += 1 }
        func train(count: Int, rank: Int) throws {
          let adapter = try model.makeAdapter(AdapterPlan(layers: [0, 1, 2], count: count, rank: rank), seed: 1)
          var options = TrainingOptions()
          options.epochs = 1
          try model.train(adapter, on: [TrainingExample(text: [1, 2, 3, 4])], options: options, hooks: hooks)
        }
        let error = #expect(throws: BackendError.self) { try train(count: 32, rank: 96) }
        #expect(error?.code == .outOfMemory)
        #expect(steps == 0)
        try train(count: 1, rank: 8)
        #expect(steps == 1)
      }
    }

    /// What was kept goes before the device refuses.
    @Test func keptMemoryIsGivenBack() throws {
      try EmulatedCUDA.run {
        let backend = try EmulatedCUDA.backend(.float32, memoryLimit: 64 << 20)
        for _ in 0..<3 { _ = try backend.makeFilled(1024, 4096, 1) }  // 16 MiB, dropped and kept
        let calls = cuda_emulation_allocation_calls()
        _ = try backend.makeFilled(1024, 4096, 1)
        #expect(cuda_emulation_allocation_calls() == calls, "a kept block was not used again")
        _ = try backend.makeFilled(1280, 4096, 1)  // 20 MiB: only after the 16 are given back
        #expect(backend.memory.used <= 33 << 20)
        backend.releaseCachedMemory()
        #expect(cuda_emulation_allocated_bytes() <= 33 << 20)
      }
    }

    /// Ten thousand training steps' worth of memory: after the first ones a run asks the device for nothing more.
    @Test func trainingAsksForMemoryInTheBeginningOnly() throws {
      try EmulatedCUDA.run {
        let model = try ModelFixtures.model("gpt2", on: try EmulatedCUDA.backend(.bfloat16))
        let adapter = try model.makeAdapter(AdapterPlan(layers: [2], count: 1, rank: 2), seed: 1)
        var options = TrainingOptions()
        options.epochs = 10
        options.batchSize = 2
        options.prefixCacheBytes = 0
        var hooks = TrainingHooks()
        var seen: [[Int64]] = []
        hooks.progress = { _ in
          seen.append([cuda_emulation_allocation_calls(), cuda_emulation_allocated_bytes()])
        }
        let examples = (0..<20).map { number in
          TrainingExample(text: (0..<(2 + number % 4)).map { (number * 7 + $0 * 13) % 290 })
        }
        try model.train(adapter, on: examples, options: options, hooks: hooks)
        #expect(seen.count == 100)
        #expect(Set(seen.dropFirst(20)).count == 1, "memory was asked for after step 20")
      }
    }

    /// Ten thousand steps of varied sizes ask the device for memory only in the beginning.
    @Test func noLeakOverTenThousandSteps() throws {
      try EmulatedCUDA.run {
        let backend = try EmulatedCUDA.backend(.bfloat16)
        let norm = try backend.makeTensor(rows: 1, columns: 1, kind: .parameter)
        var stream = RandomStream(seed: 1, purpose: "steps")
        var (bytes, objects, calls): (Int64, Int64, Int64) = (0, 0, 0)
        for step in 0..<10_000 {
          let rows = 1 + stream.integer(below: 6)
          let x = try backend.makeTensor(rows: rows, columns: 8, kind: .activation)
          try backend.fill(x, with: 1)
          try backend.add(x, to: x)
          let gradient = try backend.upload(
            [Float](repeating: 0.5, count: rows), rows: 1, columns: rows, kind: .parameter)
          try backend.norm(of: gradient, into: norm)
          if step == 200 {
            (bytes, objects) = (cuda_emulation_allocated_bytes(), cuda_emulation_other_objects())
            calls = cuda_emulation_allocation_calls()
          }
        }
        #expect(cuda_emulation_allocated_bytes() == bytes)
        #expect(cuda_emulation_other_objects() == objects)
        #expect(cuda_emulation_allocation_calls() == calls)
        #expect(try backend.download(norm)[0] > 0)
      }
    }

    /// A LoRA branch is two products that add to what is there, its gradient four: no kernel besides, no other memory than
    /// the gradient of xAᵀ.
    @Test func loraIsProductsOnly() throws {
      try EmulatedCUDA.run {
        let backend = try EmulatedCUDA.backend(.bfloat16)
        let x = try backend.makeFilled(8, 32, 0.5)
        let y = try backend.makeFilled(8, 48, 1)
        let u = try backend.makeFilled(8, 16, 0)
        let arena = try backend.makeTensor(rows: 1, columns: 16 * 32 + 32 * 16, kind: .parameter)
        let gradients = try backend.makeTensor(rows: 1, columns: arena.count, kind: .parameter)
        try backend.fill(arena, with: 0.25)
        try backend.fill(gradients, with: 0)
        func pair(_ tensor: Tensor) throws -> (a: Tensor, b: Tensor) {
          (
            try backend.view(of: tensor, offset: 0, rows: 16, columns: 32),
            try backend.view(of: tensor, offset: 16 * 32, rows: 32, columns: 16)
          )
        }
        let (own, gradient) = (try pair(arena), try pair(gradients))
        func run() throws {
          try backend.lora(x, own.a, own.b, scale: 0.5, projected: u, addingTo: y, columns: 16)
          try backend.loraBackward(
            y, columns: 16, x: x, projected: u, own.a, own.b, scale: 0.5, gradients: gradient, addingTo: x)
        }
        try run()  // makes the bf16 copy of the arena
        let before = (cuda_emulation_products(), cuda_emulation_launches(), cuda_emulation_allocation_calls())
        try run()
        #expect(cuda_emulation_products() - before.0 == 6)
        #expect(cuda_emulation_launches() == before.1)
        #expect(cuda_emulation_allocation_calls() == before.2)
        // AdamW renews the copy itself: the next branch needs no conversion.
        let (first, second) = (
          try backend.makeTensor(rows: 1, columns: arena.count, kind: .parameter),
          try backend.makeTensor(rows: 1, columns: arena.count, kind: .parameter)
        )
        for tensor in [first, second] { try backend.fill(tensor, with: 0) }
        try backend.fill(gradients, with: 1)
        try backend.adamW(
          arena, gradients: gradients, firstMoment: first, secondMoment: second,
          step: AdamWStep(learningRate: 0.125, weightDecay: 0, step: 1), clip: nil)
        let launches = cuda_emulation_launches()
        try backend.fill(y, with: 0)
        try backend.fill(x, with: 1)
        try backend.lora(x, own.a, own.b, scale: 1, projected: u, addingTo: y, columns: 16)
        #expect(cuda_emulation_launches() == launches)
        // 32 · 0.125 = 4 each in u, then 16 · 4 · 0.125 = 8.
        #expect(try backend.download(u).allSatisfy { abs($0 - 4) < 0.01 })
        #expect(try backend.download(y).enumerated().allSatisfy { abs($1 - ($0 % 48 < 16 ? 0 : 8)) < 0.05 })
      }
    }

    /// A pinned buffer that is filled again before its copy has been waited for sends the wrong numbers: the emulated
    /// device shows it.
    @Test func aLateDeviceShowsAMissingWait() throws {
      try EmulatedCUDA.run {
        let backend = try EmulatedCUDA.backend(.float32)
        let context = backend.context
        let x = try backend.makeFilled(1, 4, 0)
        var pinned: CUDADriver.Handle?
        #expect(context.driver.allocatePinned(&pinned, 16, 0) == 0)
        defer { _ = context.driver.freePinned(pinned) }
        let buffer = try #require(pinned).assumingMemoryBound(to: Float.self)
        cuda_emulation_defer(1)
        for i in 0..<4 { buffer[i] = 1 }
        try context.copyToDevice(backend.writing(x), buffer, 16)
        for i in 0..<4 { buffer[i] = 2 }
        #expect(try backend.download(x) == [2, 2, 2, 2])
      }
    }

    /// Training on a device that is late gives the same bits: nothing is read or reused before its time.
    @Test func aLateDeviceTrainsTheSame() throws {
      try EmulatedCUDA.run {
        var losses: [[Double]] = []
        for isLate: Int32 in [0, 1] {
          cuda_emulation_defer(isLate)
          let model = try ModelFixtures.model("gpt2", on: try EmulatedCUDA.backend(.bfloat16))
          let adapter = try model.makeAdapter(AdapterPlan(layers: [1, 2], count: 1, rank: 4), seed: 1)
          var options = TrainingOptions()
          options.epochs = 3
          losses.append(
            try model.train(
              adapter, on: [TrainingExample(text: [5, 9, 200, 7]), TrainingExample(text: [1, 2, 3, 4, 5, 6])],
              options: options
            ).losses)
        }
        #expect(losses[0] == losses[1])
        #expect(losses[0].count == 3)
      }
    }

    /// Kernels are compiled once for a device; a damaged file is compiled again.
    @Test func compiledKernelsAreKept() throws {
      try EmulatedCUDA.run {
        let folder = try TemporaryFolder()
        func compilations(_ precision: CUDABackend.Precision) throws -> Int64 {
          let before = cuda_emulation_compilations()
          let backend = try EmulatedCUDA.backend(precision, cache: folder.url)
          let x = try backend.makeFilled(2, 8, 1)
          try backend.add(x, to: x)
          #expect(try backend.download(x).allSatisfy { $0 == 2 })
          return cuda_emulation_compilations() - before
        }
        #expect(try compilations(.float32) == 1)
        #expect(try compilations(.float32) == 0)
        #expect(try compilations(.bfloat16) > 0, "another form of the kernels is another file")
        let files = try FileManager.default.contentsOfDirectory(at: folder.url, includingPropertiesForKeys: nil)
        for file in files { try Data("damaged".utf8).write(to: file) }
        #expect(try compilations(.float32) == 1)
        #expect(try compilations(.float32) == 0)
      }
    }

    /// Weights of every type arrive exactly, through pinned buffers far smaller than they are, on a device that takes them
    /// at once and on one that takes its time.
    @Test(arguments: [CUDABackend.Precision.float32, .bfloat16], [false, true])
    func weightsArriveInPieces(_ precision: CUDABackend.Precision, _ isLate: Bool) throws {
      try EmulatedCUDA.run {
        cuda_emulation_defer(isLate ? 1 : 0)
        let backend = try EmulatedCUDA.backend(precision, stagingChunk: 64 << 10)
        let (outputs, inputs) = (301, 517)
        // Numbers that every type holds exactly.
        let values: [Float] = (0..<(outputs * inputs)).map { (index: Int) -> Float in
          let number = (index * 7 + index / 517) % 129 - 64
          return Float(number) / 8
        }
        for type in [WeightElementType.float32, .bfloat16, .float16] {
          let source = StoredWeight(values, shape: [outputs, inputs], type: type)
          let matrix = try backend.makeMatrix([source], layout: .outputsByInputs, parameter: nil)
          let tokens = try backend.upload(indices: (0..<outputs).map { Int32($0) })
          let rows = try backend.makeTensor(rows: outputs, columns: inputs, kind: .activation)
          try backend.embed(tokens, matrix, positions: nil, nil, into: rows)
          #expect(try backend.download(rows) == values, "\(type)")
        }
      }
    }

    /// A fault on the device is reported with the failing call, and again by whatever follows.
    @Test func aFaultIsReported() throws {
      cuda_emulation_reset()
      defer { cuda_emulation_reset() }
      let backend = try EmulatedCUDA.backend(.float32)
      let x = try backend.makeFilled(4, 8, 1)
      try backend.add(x, to: x)
      cuda_emulation_fail_launch(1)
      let error = #expect(throws: CUDAError.self) { try backend.add(x, to: x) }
      #expect(error?.code == .device)
      #expect(error?.call == "cuLaunchKernel(add)")
      #expect(error?.status == 719)
      #expect(throws: CUDAError.self) { try backend.synchronize() }
      #expect(throws: CUDAError.self) { _ = try backend.download(x) }
    }

    @Test func missingDevicesAndHugeHeadsAreRefused() throws {
      try EmulatedCUDA.run {
        let error = #expect(throws: CUDAError.self) {
          _ = try CUDABackend(
            device: 3, precision: .float32, memoryLimit: nil, symbols: EmulatedCUDA.symbols, cache: nil)
        }
        #expect(error?.code == .unavailable)
        #expect(error?.description.contains("cuda:3") == true)
        let backend = try EmulatedCUDA.backend(.float32)
        let sequences = try PackedSequences(lengths: [2], backend: backend)
        let shape = AttentionShape(heads: 1, keyValueHeads: 1, headSize: 160)
        let qkv = try backend.makeFilled(2, shape.columns, 1)
        let out = try backend.makeTensor(rows: 2, columns: 160, kind: .activation)
        let refusal = #expect(throws: CUDAError.self) {
          try backend.attention(qkv, sequences, shape, into: out, logSumExp: nil)
        }
        #expect(refusal?.code == .unsupported)
      }
    }

    @Test func devicesAreListed() throws {
      let devices = try CUDADevice.all(CUDADriver(EmulatedCUDA.symbols))
      #expect(devices.map(\.name) == ["Emulated GPU"])
      #expect(devices.first?.architecture == "sm_90")
      #expect(devices.first?.memory == 1 << 30)
    }

    /// Equal calls give equal bits.
    @Test func equalCallsGiveEqualBits() throws {
      try EmulatedCUDA.run {
        let backend = try EmulatedCUDA.backend(.bfloat16)
        let once = try (0..<2).map { _ in
          let model = try ModelFixtures.model("llama-gqa", on: backend)
          let adapter = try model.makeAdapter(AdapterPlan(layers: [0, 1], count: 2, rank: 4), seed: 3)
          var options = TrainingOptions()
          options.epochs = 3
          return try model.train(
            adapter, on: [TrainingExample(text: [5, 9, 200, 7]), TrainingExample(text: [1, 2, 3, 4, 5, 6])],
            options: options
          ).losses
        }
        #expect(once[0] == once[1])
      }
    }
  }
}

/// Weights in any element type.
struct StoredWeight: WeightSource {
  let shape: [Int]
  let elementType: WeightElementType
  private let bytes: [UInt8]

  init(_ values: [Float], shape: [Int], type: WeightElementType) {
    self.shape = shape
    elementType = type
    bytes = values.flatMap { value -> [UInt8] in
      switch type {
      case .float32: return Swift.withUnsafeBytes(of: value.bitPattern) { Array($0) }
      case .bfloat16: return Swift.withUnsafeBytes(of: UInt16(value.bitPattern >> 16)) { Array($0) }
      case .float16:
        let bits = value.bitPattern
        let exponent = Int(bits >> 23 & 0xff) - 112
        let half = value == 0 ? 0 : UInt16(exponent) << 10 | UInt16(bits >> 13 & 0x3ff)
        return Swift.withUnsafeBytes(of: half | UInt16(bits >> 16 & 0x8000)) { Array($0) }
      }
    }
  }

  func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try bytes.withUnsafeBytes(body)
  }
}

extension CUDABackend {
  fileprivate func makeFilled(_ rows: Int, _ columns: Int, _ value: Float) throws -> Tensor {
    let tensor = try makeTensor(rows: rows, columns: columns, kind: .activation)
    try fill(tensor, with: value)
    return tensor
  }
}
