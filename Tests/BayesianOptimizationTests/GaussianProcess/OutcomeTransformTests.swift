import Foundation
import TestSupport
import Testing

@testable import BayesianOptimization

@Suite(.bounded) struct OutcomeTransformTests {
  @Test func standardizesWithTheSampleDeviation() {
    let transform = OutcomeTransform(.standardize, fitting: [1, 2, 3, 6])
    #expect(abs(transform.mean - 3) < 1e-15)
    #expect(abs(transform.scale - (14.0 / 3).squareRoot()) < 1e-15)
    #expect(abs(transform([6])[0] - 3 / (14.0 / 3).squareRoot()) < 1e-15)
    let back = transform.objectiveUnits(mean: transform(6), variance: 2)
    #expect(abs(back.mean - 6) < 1e-14)
    #expect(abs(back.variance - 2 * 14.0 / 3) < 1e-13)
    #expect(abs(transform.standardErrors([1])[0] - 1 / transform.scale) < 1e-15)
  }

  @Test(arguments: [1e12, 1e-12, 1e300, 1e-300])
  func scalesDoNotMatter(scale: Double) {
    let values = [0.3, -1.2, 2.2, 0.9]
    let expected = OutcomeTransform(.standardize, fitting: values)(values)
    let scaled = values.map { $0 * scale }
    let transform = OutcomeTransform(.standardize, fitting: scaled)
    #expect(largestDifference(transform(scaled), expected) < 1e-12)
    #expect(!transform.isConstant)
  }

  @Test(arguments: [OutcomeTransform.Kind.standardize, .normalCopula], [[], [5], [5, 5, 5], [0.1, 0.1, 0.1]])
  func constantsAreMappedToZero(kind: OutcomeTransform.Kind, values: [Double]) {
    let transform = OutcomeTransform(kind, fitting: values)
    #expect(transform.isConstant)
    #expect(transform(values).allSatisfy { abs($0) < 1e-12 })
  }

  @Test func copulaUsesRanksAndSharesTies() {
    let values = [10, 1, 1, 1000.0]
    let transform = OutcomeTransform(.normalCopula, fitting: values)
    let scores = transform(values)
    #expect(scores[1] == scores[2])
    #expect(abs(scores[1] - NormalDistribution.quantile(0.25)) < 1e-14)
    #expect(abs(scores[0] - NormalDistribution.quantile(0.625)) < 1e-14)
    #expect(abs(transform.objectiveUnits(mean: scores[0], variance: 0).mean - 10) < 1e-9)
    #expect(transform(1e9) == scores[3])
  }

  @Test(arguments: [1e-10, 0.001, 0.02425, 0.3, 0.5, 0.7, 0.999, 1 - 1e-10])
  func quantileInvertsTheDistribution(p: Double) {
    #expect(abs(NormalDistribution.cumulative(NormalDistribution.quantile(p)) - p) < 1e-15)
  }
}
