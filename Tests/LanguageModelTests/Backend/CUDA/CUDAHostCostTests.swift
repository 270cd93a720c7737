import CUDAEmulation
import Foundation
import Testing

@testable import LanguageModel

extension EmulatedCUDATests {
  /// What the host spends per kernel launch and product while it trains, printed on demand (`ENGRAM_FULL=1`).
  ///
  /// The device does nothing, so that nothing is waited for; calls into a real driver come on top. Nothing is asserted about
  /// time.
  @Suite(.enabled(if: ProcessInfo.processInfo.environment["ENGRAM_FULL"] == "1")) struct HostCost {
    @Test(arguments: ["gpt2", "llama-gqa"]) func training(_ name: String) throws {
      try EmulatedCUDA.run {
        let model = try ModelFixtures.model(name, on: try EmulatedCUDA.backend(.bfloat16))
        let adapter = try model.makeAdapter(AdapterPlan(layers: [0, 1], count: 2, rank: 4), seed: 3)
        let example = TrainingExample(text: [5, 9, 200, 7, 7, 31, 9, 4, 100, 61, 62, 63])
        var options = TrainingOptions()
        options.epochs = 20
        cuda_emulation_idle(1)
        _ = try model.train(adapter, on: [example, example], options: options)
        options.epochs = 2_000
        let (launches, products) = (cuda_emulation_launches(), cuda_emulation_products())
        let start = ContinuousClock.now
        _ = try model.train(adapter, on: [example, example], options: options)
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let calls = (cuda_emulation_launches() - launches, cuda_emulation_products() - products)
        #expect(calls.0 > 0 && calls.1 > 0)
        print(
          "\(name): \(calls.0 / 2_000) launches and \(calls.1 / 2_000) products a step, "
            + "\(Int(seconds / 2_000 * 1e6)) µs a step, \(Int(seconds / Double(calls.0 + calls.1) * 1e9)) ns each")
      }
    }
  }
}
