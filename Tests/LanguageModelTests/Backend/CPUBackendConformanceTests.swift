import Testing

@testable import LanguageModel

/// The CPU backend against the contract.
struct CPUBackendConformanceTests {
  @Test(arguments: [1, 2])
  func float32(_ threads: Int) throws {
    let compared = try BackendConformance.run(
      on: try CPUBackend(precision: .float32, threads: threads), tolerance: 3e-5)
    #expect(compared > 200)
  }

  @Test func bfloat16() throws {
    let compared = try BackendConformance.run(on: try CPUBackend(precision: .bfloat16, threads: 2), tolerance: 2e-2)
    #expect(compared > 200)
  }
}
