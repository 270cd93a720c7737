import CUDAEmulation
import Testing

@testable import LanguageModel

extension EmulatedCUDATests {
  /// The memory estimate beside what the emulated device gave out.
  struct Feasibility {
    /// The estimate is near what training takes, and refuses before anything is allocated.
    @Test func theEstimateIsNearTheTruth() throws {
      try EmulatedCUDA.run {
        let backend = try EmulatedCUDA.backend(.bfloat16)
        let model = try ModelFixtures.model("llama-mha", on: backend)
        let examples = [TrainingExample(text: (0..<48).map { ($0 * 13) % 290 })]
        var options = TrainingOptions()
        options.maximumSteps = 1
        for (count, rank) in [(1, 8), (8, 32), (16, 64)] {
          let plan = AdapterPlan(layers: [0, 1, 2], count: count, rank: rank)
          let need = try model.trainingMemory(plan, on: examples, options: options)
          let before = backend.memory.used
          let fresh = try EmulatedCUDA.backend(.bfloat16)
          let own = try ModelFixtures.model("llama-mha", on: fresh)
          let resident = fresh.memory.used
          try own.train(try own.makeAdapter(plan, seed: 1), on: examples, options: options)
          let taken = fresh.memory.peak - resident
          #expect(Double(taken) < 1.25 * Double(need.total) + 512 * 200, "rank \(count * rank)")
          #expect(Double(taken) > 0.6 * Double(need.total), "rank \(count * rank)")
          #expect(backend.memory.used == before)
        }
      }
    }
  }
}
