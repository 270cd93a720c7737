import TestSupport
import Testing

@testable import BayesianOptimization
@testable import engram_bench

@Suite(.bounded) struct SearchBenchmarksTests {
  @Test func measurementsAreNumbers() throws {
    let gradient = try #require(SearchBenchmarks.gradient(points: 9, features: 3, repetitions: 3))
    #expect(gradient.minimumMicroseconds > 0 && gradient.minimumMicroseconds <= gradient.medianMicroseconds)
    #expect(gradient.limitGigaflops > 0)
    let fit = SearchBenchmarks.fit(points: 12, features: 4, schedule: .short, threads: 1)
    #expect(fit.coldSeconds > 0 && fit.warmSeconds > 0)
    #expect(fit.cold.warmupGradients > 0 && !fit.cold.warmStarted && fit.warm.warmStarted)
    #expect(SearchBenchmarks.posterior(points: 9, features: 3, candidates: 5, anchors: 4) > 0)
  }

  @Test func simulatedOutcomesShareTheirPoints() {
    let first = SearchBenchmarks.data(points: 20, features: 6, outcome: 0)
    let second = SearchBenchmarks.data(points: 20, features: 6, outcome: 1)
    #expect(first.points == second.points)
    #expect(first.values != second.values)
    #expect(first.points.elements.allSatisfy { $0 >= 0 && $0 <= 1 })
  }
}
