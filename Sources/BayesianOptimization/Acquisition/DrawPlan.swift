import CKernels
import LinearAlgebra
import RandomStreams

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Scalar functions under a name that no member hides.
enum Scalar {
  static func log(_ x: Double) -> Double { Glibc.log(x) }
}

/// Everything about one hyperparameter draw that the candidates share: factors, normals and the boxes of each sample.
struct DrawPlan: Sendable {
  let outcomes: Int
  let anchors: Int
  let samples: Int
  /// Per outcome: L (b x b, lower, row-major), then normals (S x b).
  let anchoring: [Double]
  /// Smallest conditional variance of each outcome.
  let floors: [Double]
  let boxes: [BoxDecomposition]
  private let thresholdStart: [Int32]
  private let thresholds: [Double]
  private let cellStart: [Int32]
  private let cells: [Int32]

  /// `normals` holds outcomes x S x b standard normal numbers.
  init(
    models: [any PosteriorModel], anchors: Matrix, reference: [Double], draw: Int, normals: [Double], samples: Int
  ) {
    outcomes = models.count
    self.anchors = anchors.rows
    self.samples = samples
    let b = anchors.rows
    var anchoring: [Double] = []
    var floors: [Double] = []
    var values = [[[Double]]](
      repeating: [[Double]](repeating: [Double](repeating: 0, count: models.count), count: b), count: samples)
    for (outcome, model) in models.enumerated() {
      let joint = model.posterior(at: anchors, draw: draw % model.drawCount)
      let factor = JitteredCholesky.factor(joint.covariance)
      let own = Array(normals[(outcome * samples * b)..<((outcome + 1) * samples * b)])
      anchoring += factor
      anchoring += own
      var scale = 0.0
      for row in 0..<b { scale = max(scale, joint.covariance[row, row]) }
      floors.append(max(1e-12 * (scale.isFinite ? scale : 1), 1e-14))
      for sample in 0..<samples {
        for row in 0..<b {
          var value = joint.mean[row]
          for column in 0...row { value += factor[row * b + column] * own[sample * b + column] }
          values[sample][row][outcome] = value
        }
      }
    }
    self.anchoring = anchoring
    self.floors = floors
    // One outcome needs no reference: its only box starts at the best sampled value.
    let floorPoint = models.count == 1 ? [-Double.greatestFiniteMagnitude] : reference
    boxes = values.map { BoxDecomposition(rows: $0, reference: floorPoint) }
    (thresholdStart, thresholds) = Self.thresholds(boxes, outcomes: models.count)
    (cellStart, cells) = Self.cells(boxes)
  }

  private static func thresholds(_ boxes: [BoxDecomposition], outcomes: Int) -> ([Int32], [Double]) {
    var start: [Int32] = [0]
    var values: [Double] = []
    for outcome in 0..<outcomes {
      for box in boxes {
        // Minus infinity stands for "no reference"; no cell of a usable front refers to it.
        values += box.thresholds[outcome].map { max($0, -1e12) }
        start.append(Int32(values.count))
      }
    }
    return (start, values)
  }

  private static func cells(_ boxes: [BoxDecomposition]) -> ([Int32], [Int32]) {
    var start: [Int32] = [0]
    var values: [Int32] = []
    var count: Int32 = 0
    for box in boxes {
      for cell in box.cells {
        for (lower, upper) in zip(cell.lower, cell.upper) {
          values.append(lower)
          values.append(upper)
        }
      }
      count += Int32(box.cells.count)
      start.append(count)
    }
    return (start, values)
  }

  /// Computes one tile of sums; the native code outside tests.
  typealias Kernel =
    @Sendable (
      Int32, Int32, Int32, Int32, UnsafePointer<Double>, UnsafePointer<Double>, UnsafePointer<Double>,
      UnsafePointer<Int32>, UnsafePointer<Double>, UnsafePointer<Int32>, UnsafePointer<Int32>,
      UnsafeMutablePointer<Double>
    ) -> Int32

  /// Σ_s EHVI_s for each candidate, given their packed posterior.
  func sums(
    _ posterior: [Double], candidates: Int,
    kernel: Kernel = { ehvi_accumulate($0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) }
  ) -> Result<[Double], AcquisitionError> {
    var sums = [Double](repeating: 0, count: candidates)
    let status = kernel(
      Int32(outcomes), Int32(candidates), Int32(anchors), Int32(samples), posterior, anchoring, floors,
      thresholdStart, thresholds, cellStart, cells, &sums)
    return status == 0 ? .success(sums) : .failure(.native(status: Int(status)))
  }

  /// log EHVI_s of candidate `row` for the first `samples` samples.
  func logTerms(_ posterior: [Double], row: Int, candidates: Int, samples used: Int) -> [Double] {
    var means = [[Double]](repeating: [Double](repeating: 0, count: outcomes), count: used)
    var deviations = [Double](repeating: 0, count: outcomes)
    for outcome in 0..<outcomes {
      let base = outcome * candidates * (2 + anchors)
      let factor = outcome * anchors * (anchors + samples)
      let normals = factor + anchors * anchors
      var v = [Double](repeating: 0, count: anchors)
      var variance = posterior[base + candidates + row]
      for j in 0..<anchors {
        var value = posterior[base + 2 * candidates + row * anchors + j]
        for k in 0..<j { value -= anchoring[factor + j * anchors + k] * v[k] }
        v[j] = value / anchoring[factor + j * anchors + j]
        variance -= v[j] * v[j]
      }
      deviations[outcome] = max(variance, floors[outcome]).squareRoot()
      for sample in 0..<used {
        var mean = posterior[base + row]
        for j in 0..<anchors { mean += anchoring[normals + sample * anchors + j] * v[j] }
        means[sample][outcome] = mean
      }
    }
    return (0..<used).map {
      ExpectedImprovement.logHypervolume(over: boxes[$0], mean: means[$0], standardDeviation: deviations)
    }
  }
}

/// Standard normal numbers for the anchors: scrambled Sobol points where the dimension allows, else Philox.
struct AnchorNormals: Sendable {
  private let perDraw: [[Double]]

  init(outcomes: Int, anchors: Int, draws: Int, samples: Int, seed: UInt64, index: Int) {
    let dimension = outcomes * anchors
    var stream = RandomStream(seed: seed, purpose: "acquisition/normals", index: UInt64(max(0, index)))
    let sobol =
      dimension <= Sobol.maximumDimension ? Sobol(dimension: dimension, scrambledBy: &stream) : nil
    perDraw = (0..<draws).map { draw in
      var values = [Double](repeating: 0, count: outcomes * samples * anchors)
      for sample in 0..<samples {
        let point = sobol?.point(draw * samples + sample)
        for outcome in 0..<outcomes {
          for anchor in 0..<anchors {
            values[(outcome * samples + sample) * anchors + anchor] =
              point.map { NormalQuantile.value($0[outcome * anchors + anchor]) } ?? stream.normal()
          }
        }
      }
      return values
    }
  }

  func draw(_ draw: Int) -> [Double] { perDraw[draw] }
}
