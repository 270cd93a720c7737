import TestSupport
import Testing

@testable import LanguageModel

/// The CPU backend against the contract.
@Suite(.bounded) struct CPUBackendConformanceTests {
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

  @Test func largeProducts() throws {
    let compared = try BackendConformance.runLarge(
      on: try CPUBackend(precision: .bfloat16, threads: 3), tolerance: 2e-2)
    #expect(compared > 80)
  }

  /// The best path of this machine may not be the one with tiles.
  @Test func largeProductsOnEmulatedTiles() throws {
    let backend = try CPUBackend(precision: .bfloat16, threads: 2, path: .amxEmulated)
    #expect(try BackendConformance.runLarge(on: backend, tolerance: 2e-2) > 80)
  }

  /// With a limit on memory no packed transposes are kept.
  @Test func tilesWithoutTransposes() throws {
    let backend = try CPUBackend(precision: .bfloat16, threads: 2, memoryLimit: 1 << 30, path: .amxEmulated)
    #expect(try BackendConformance.run(on: backend, tolerance: 2e-2) > 200)
  }

  @Test(arguments: [nil, 1 << 30]) func transposesAreKeptWhereMemoryIsNotLimited(limit: Int?) throws {
    let backend = try CPUBackend(precision: .bfloat16, threads: 1, memoryLimit: limit, path: .amxEmulated)
    let numbers: [Float] = (0..<40 * 70).map { Float($0 % 7) }
    let source = ArrayWeight(numbers, shape: [40, 70])
    let weight = try backend.makeMatrix([source], layout: .outputsByInputs, parameter: nil)
    let dy = try backend.upload([Float](repeating: 1, count: 3 * 40), rows: 3, columns: 40, kind: .activation)
    let dx = try backend.makeTensor(rows: 3, columns: 70, kind: .activation)
    try backend.linearInputGradient(dy, weight, into: dx, accumulate: false)
    #expect((unsafeDowncast(weight, to: CPUMatrix.self).transposed == nil) == (limit != nil))
    var sums = [Float](repeating: 0, count: 70)
    for (index, number) in numbers.enumerated() { sums[index % 70] += number }
    #expect(try backend.download(dx) == sums + sums + sums)
  }
}
