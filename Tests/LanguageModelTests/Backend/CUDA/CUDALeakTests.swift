import CUDAEmulation
import Foundation
import TestSupport
import Testing

@testable import LanguageModel

#if canImport(Glibc)
  import Glibc
#endif

/// Ten thousand steps of training as a worker does them, trial after trial, on the emulated device.
///
/// In a process of its own, so that its memory is nobody else's.
@Suite(.ownThread, .bounded) struct CUDALeakTests {
  /// A trial is a new adapter, 100 steps over batches of two short rows with validations between, an evaluation, and a
  /// continuation of two prompts by a recorded graph; after every 25 trials the whole trainer (context, stream, kernels,
  /// base) is taken down and made anew.
  ///
  /// What is in use after the last step is what was in use after step 600, when every rank and shape had been seen.
  @Test func tenThousandTrainingStepsTakeNoMore() async {
    await #expect(processExitsWith: .success) {
      cuda_emulation_reset()
      let before = Footprint.Device(used: 0, peak: 0)
      let counts = (cuda_emulation_launches(), cuda_emulation_products(), cuda_emulation_graph_launches())
      var steps = 0
      var footprints: [Footprint] = []
      for trainer in 0..<4 {
        let model = try Trials.makeModel()
        for number in 0..<25 {
          steps += try Trials.run(number, on: model)
          // After step 600, and at the end of each trainer.
          if number == 24 || (trainer == 0 && number == 5) { footprints.append(Footprint(model.backend)) }
        }
        guard trainer == 3 else { continue }
        #expect(steps == 10_000)
        #expect(footprints.count == 5)
        for later in footprints.dropFirst() { #expect(later.device == footprints[0].device) }
        let (first, last) = (footprints[0], footprints[4])
        #expect(last.heap - first.heap < 64 << 10, "the heap grew by \(last.heap - first.heap) bytes")
        #expect(last.resident - first.resident < 4 << 20, "memory grew by \(last.resident - first.resident) bytes")
        try Trials.whatIsForgottenShows(model.backend)
      }
      // With the last trainer everything of it goes.
      #expect(Footprint.Device(used: 0, peak: 0) == before)
      // It was the device that trained and wrote: in every step, and with a graph in every trial.
      #expect(cuda_emulation_launches() - counts.0 > 10 * 10_000)
      #expect(cuda_emulation_products() - counts.1 > 10 * 10_000)
      #expect(cuda_emulation_graph_launches() - counts.2 >= 100)
      #expect(String(cString: cuda_emulation_complaint()).isEmpty)
    }
  }
}

/// Trials on a model of one layer, eight numbers wide.
private enum Trials {
  static func makeModel() throws -> CausalLanguageModel {
    try CausalLanguageModel(
      randomInitialization: ModelConfiguration(
        architecture: .llama, vocabularySize: 12, hiddenSize: 8, layerCount: 1, headCount: 1, positionCount: 16),
      seed: 1, backend: try EmulatedCUDA.backend(.bfloat16), trainable: false)
  }

  /// One trial; the result is its number of steps.
  static func run(_ number: Int, on model: CausalLanguageModel) throws -> Int {
    // One label each: most of the time goes to the emulated blocks of the loss, one per label.
    let examples = [([3, 5], 7), ([3, 7, 5], 1), ([2], 4), ([9, 1], 8)].map {
      TrainingExample(prompt: $0.0, response: [$0.1])
    }
    let adapter = try model.makeAdapter(
      AdapterPlan(layers: [0], count: 1 + number % 2, rank: 1 + number % 3), seed: UInt64(number))
    var options = TrainingOptions()
    options.epochs = 50
    options.batchSize = 2
    options.seed = UInt64(number % 3)
    var hooks = TrainingHooks()
    hooks.validation = [examples[0]]
    hooks.validationInterval = 50
    hooks.keepsBest = true
    hooks.stateInterval = 50
    let report = try model.train(adapter, on: examples, options: options, hooks: hooks)
    _ = try model.evaluate(examples, adapters: [adapter])
    let replies = try model.generate(
      [[3], [9, 1]], options: GenerationOptions(maximumNewTokens: 5, stopIDs: []), adapters: [adapter])
    #expect(replies.map(\.ids.count) == [5, 5])
    return report.steps
  }
}

extension Trials {
  /// The comparison can fail: a tensor, memory of the process and an event that are held show, and are gone afterwards.
  static func whatIsForgottenShows(_ backend: any Backend) throws {
    let before = Footprint(backend)
    func hold() throws {
      let tensor = try backend.makeTensor(rows: 1, columns: 100, kind: .parameter)
      let memory = UnsafeMutableRawPointer.allocate(byteCount: 100_000, alignment: 16)
      defer { memory.deallocate() }
      let driver = try #require(backend as? CUDABackend).context.driver
      var event: CUDADriver.Handle?
      #expect(driver.createEvent(&event, CUDADriver.Constant.eventWithoutTiming) == 0)
      let now = Footprint(backend)
      #expect(now.device.used == before.device.used + 512)
      #expect(now.device.alive["events"] == (before.device.alive["events"] ?? 0) + 1)
      #expect(now.heap - before.heap > 64 << 10)
      #expect(driver.destroyEvent(event) == 0)
      withExtendedLifetime(tensor) {}
    }
    try hold()
    #expect(Footprint(backend).device == before.device)
  }
}

/// What is in use.
private struct Footprint {
  /// On the device, and of its driver.
  struct Device: Equatable {
    /// Bytes that tensors and recordings hold, and the most so far.
    var used: Int
    var peak: Int
    /// Blocks and bytes that the device gave: those in use and those that the allocator keeps.
    var blocks = cuda_emulation_allocations()
    var reserved = cuda_emulation_allocated_bytes()
    /// Objects by kind.
    var alive: [String: Int64] = Dictionary(
      uniqueKeysWithValues: [
        ("contexts", CUDA_EMULATION_CONTEXTS), ("pinned buffers", CUDA_EMULATION_PINNED),
        ("streams", CUDA_EMULATION_STREAMS), ("events", CUDA_EMULATION_EVENTS), ("graphs", CUDA_EMULATION_GRAPHS),
        ("modules", CUDA_EMULATION_MODULES), ("programs", CUDA_EMULATION_PROGRAMS),
        ("cuBLASLt objects", CUDA_EMULATION_PRODUCTS),
      ].map { ($0, cuda_emulation_alive($1)) })
  }

  let device: Device
  /// Bytes of the process's own heap in use, and resident bytes of the process.
  let heap: Int
  let resident: Int

  init(_ backend: any Backend) {
    device = Device(used: backend.memory.used, peak: backend.memory.peak)
    heap = Int(cuda_emulation_heap_bytes())
    let pages = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
    resident = (pages.flatMap { $0.count > 1 ? Int($0[1]) : nil } ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
  }
}
