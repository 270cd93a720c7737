import Foundation
import LinearAlgebra
import TestSupport
import Testing

@testable import BayesianOptimization

@Suite(.bounded) struct WarmStartTests {
  @Test func roundTripIsExact() throws {
    var covariance = Matrix.identity(3)
    covariance[1, 0] = 0.1
    covariance[0, 1] = 0.1
    let state = SurrogateWarmStart(
      chains: [.init(position: [1, -2.5, 1e-300], stepSize: 0.1), .init(position: [0.1, 0.2, 0.3], stepSize: 2)],
      covariance: covariance, weight: 12.5, coldPoints: 77)
    let data = try #require(WarmStart.encode([state, nil]))
    #expect(WarmStart.decode(data, outcomes: 2) == [state, nil])
    #expect(WarmStart.encode([state, nil]) == data)
    #expect(WarmStart.encode([nil, nil]) == nil)
  }

  @Test func damagedDataMeansAColdStart() throws {
    let state = SurrogateWarmStart(
      chains: [.init(position: [1, 2], stepSize: 0.1)], covariance: Matrix.identity(2), weight: 3)
    let data = try #require(WarmStart.encode([state]))
    for length in 0..<data.count { #expect(WarmStart.decode(data.prefix(length), outcomes: 1) == [nil]) }
    #expect(WarmStart.decode(data + Data([0]), outcomes: 1) == [nil])
    #expect(WarmStart.decode(data, outcomes: 2) == [nil, nil])
    for index in data.indices {
      var damaged = data
      damaged[index] ^= 0xff
      _ = WarmStart.decode(damaged, outcomes: 1)
    }
  }

  /// Every field of a real state is carried, so that a new one cannot be forgotten.
  @Test func aFittedStateSurvives() throws {
    let points = Matrix((0..<12).map { [Double($0) / 11, Double($0 % 3) / 2] })
    let fit = SurrogateFitter.fit(
      points: points, values: (0..<12).map { Double($0 * $0 % 7) }, settings: SurrogateSettings(schedule: .standard),
      seed: 1, index: 0)
    let fitted = fit.warmStart
    let state = try #require(fitted)
    #expect(WarmStart.decode(WarmStart.encode([state]), outcomes: 1) == [state])
  }
}
