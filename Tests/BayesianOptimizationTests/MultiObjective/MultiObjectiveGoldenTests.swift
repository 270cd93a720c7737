import Foundation
import RandomStreams
import TestSupport
import Testing

@testable import BayesianOptimization

/// Reference numbers made with BoTorch 0.18.1 (Fixtures/goldens/bo).
@Suite(.bounded) struct MultiObjectiveGoldenTests {
  struct ParetoFile: Decodable {
    struct Case: Decodable {
      var m: Int
      var kind: String
      var Y: [[Double]]
      var ref_point: [Double]
      var non_dominated: [Bool]
      var non_dominated_deduplicate_false: [Bool]
      var hypervolume: Double
    }
    var cases: [Case]
  }

  private func close(_ a: Double, _ b: Double, _ tolerance: Double = 1e-12) -> Bool {
    abs(a - b) <= tolerance * max(1, abs(b))
  }

  @Test func dominanceAndHypervolume() throws {
    let file = try Fixtures.decode(ParetoFile.self, from: "goldens/bo/pareto_hypervolume.json")
    #expect(file.cases.count == 24)
    for item in file.cases {
      #expect(Dominance.nonDominated(item.Y) == item.non_dominated, "\(item.m) \(item.kind)")
      #expect(Dominance.nonDominated(item.Y, deduplicate: false) == item.non_dominated_deduplicate_false)
      #expect(close(Hypervolume.value(item.Y, reference: item.ref_point), item.hypervolume), "\(item.m) \(item.kind)")
      var history = HypervolumeHistory(reference: item.ref_point)
      for row in item.Y { history.add(row) }
      #expect(close(history.current, item.hypervolume), "\(item.m) \(item.kind)")
    }
  }

  struct ReferenceFile: Decodable {
    struct Case: Decodable {
      var pareto_Y: [[Double]]
      var max_ref_point: [Double]?
      var scale: Double
      var scale_max_ref_point: Bool
      var ref_point: [Double]
    }
    var cases: [Case]
  }

  @Test func referencePoints() throws {
    let file = try Fixtures.decode(ReferenceFile.self, from: "goldens/bo/infer_reference_point.json")
    #expect(file.cases.count == 116)
    for item in file.cases {
      let point = try #require(
        ReferencePoint.infer(
          front: item.pareto_Y, maximum: item.max_ref_point, scale: item.scale, scaleMaximum: item.scale_max_ref_point))
      #expect(zip(point, item.ref_point).allSatisfy { close($0, $1, 1e-14) })
    }
  }

  struct EHVIFile: Decodable {
    struct Case: Decodable {
      var m: Int
      var Y: [[Double]]
      var ref_point: [Double]
      var mean: [[Double]]
      var sd: [[Double]]
      var ehvi: [Double]
    }
    var cases: [Case]
  }

  @Test func exactExpectedHypervolumeImprovement() throws {
    let file = try Fixtures.decode(EHVIFile.self, from: "goldens/bo/ehvi_exact.json")
    #expect(file.cases.count == 12)
    for item in file.cases {
      let boxes = BoxDecomposition(rows: item.Y, reference: item.ref_point)
      for index in item.mean.indices {
        let value = ExpectedImprovement.hypervolume(
          over: boxes, mean: item.mean[index], standardDeviation: item.sd[index])
        #expect(close(value, item.ehvi[index]), "\(value) \(item.ehvi[index])")
        let log = ExpectedImprovement.logHypervolume(
          over: boxes, mean: item.mean[index], standardDeviation: item.sd[index])
        if value > 1e-12 { #expect(close(exp(log), value, 1e-9)) }
      }
    }
  }

  struct SampleFile: Decodable {
    struct Case: Decodable {
      struct Candidate: Decodable {
        var candidate_samples: [[[Double]]]
        var hvi_per_sample: [Double]
        var mean: Double
      }
      var m: Int
      var q: Int
      var n_pending: Int
      var ref_point: [Double]
      var baseline_samples: [[[Double]]]
      var pending_samples: [[[Double]]]
      var candidates: [Candidate]
    }
    var cases: [Case]
  }

  @Test func noisyImprovementPerSample() throws {
    let file = try Fixtures.decode(SampleFile.self, from: "goldens/bo/qnehvi_samples.json")
    #expect(file.cases.count == 8)
    for item in file.cases {
      for candidate in item.candidates {
        let values = SampledImprovement.perSample(
          baseline: item.baseline_samples, pending: item.pending_samples, candidates: candidate.candidate_samples,
          reference: item.ref_point)
        for (value, expected) in zip(values, candidate.hvi_per_sample) { #expect(abs(value - expected) <= 1e-10) }
        #expect(abs(values.reduce(0, +) / Double(values.count) - candidate.mean) <= 1e-10)
      }
    }
  }

  struct EndToEndFile: Decodable {
    struct Case: Decodable {
      var q: Int
      var n_pending: Int
      var qnehvi: Double
      var samples_baseline_pending_candidate: [[[Double]]]
      var hvi_per_sample: [Double]
      var ref_point: [Double]
      var X_baseline: [[Double]]
    }
    var cases: [Case]
  }

  @Test func noisyImprovementOfTheReferenceEndToEnd() throws {
    let file = try Fixtures.decode(EndToEndFile.self, from: "goldens/bo/qnehvi_end_to_end.json")
    #expect(file.cases.count == 6)
    for item in file.cases {
      let samples = item.samples_baseline_pending_candidate
      let baseline = samples[0].count - item.q - item.n_pending
      let values = SampledImprovement.perSample(
        baseline: samples.map { Array($0[..<baseline]) },
        pending: samples.map { Array($0[baseline..<(baseline + item.n_pending)]) },
        candidates: samples.map { Array($0[(baseline + item.n_pending)...]) }, reference: item.ref_point)
      for (value, expected) in zip(values, item.hvi_per_sample) { #expect(abs(value - expected) <= 1e-10) }
      let mean = values.reduce(0, +) / Double(values.count)
      #expect(close(mean, item.qnehvi, 1e-9), "\(mean) \(item.qnehvi)")
    }
  }
}
