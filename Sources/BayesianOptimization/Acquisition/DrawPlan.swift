import CKernels
import LinearAlgebra
import RandomStreams

/// The posterior of n candidates under one draw, one outcome after the other: means (n), variances (n), covariances with the
/// baseline (n x b).
struct PackedPosterior: Sendable {
  let candidates: Int
  let baseline: Int
  private(set) var elements: [Double] = []

  init(outcomes: Int, candidates: Int, baseline: Int) {
    self.candidates = candidates
    self.baseline = baseline
    elements.reserveCapacity(outcomes * candidates * (2 + baseline))
  }

  mutating func append(_ part: CandidatePosterior) {
    elements += part.mean
    elements += part.variance
    elements += part.crossCovariance.elements
  }

  private func start(_ outcome: Int) -> Int { outcome * candidates * (2 + baseline) }
  func mean(_ outcome: Int, _ row: Int) -> Double { elements[start(outcome) + row] }
  func variance(_ outcome: Int, _ row: Int) -> Double { elements[start(outcome) + candidates + row] }
  /// b covariances of a candidate with the baseline.
  func crossCovariance(_ outcome: Int, _ row: Int) -> [Double] {
    let first = start(outcome) + 2 * candidates + row * baseline
    return Array(elements[first..<(first + baseline)])
  }
}

/// Everything about one hyperparameter draw that the candidates share: factors, normals and the boxes of each sample.
struct DrawPlan: Sendable {
  let outcomes: Int
  let baseline: Int
  let samples: Int
  /// L of each outcome's baseline covariance, b x b.
  private let triangles: [LowerTriangle]
  /// Per outcome: S x b normals.
  private let normals: [Double]
  /// What the native code reads: per outcome L (b x b), then its normals (S x b).
  private let factors: [Double]
  /// Smallest conditional variance of each outcome.
  let floors: [Double]
  let boxes: [BoxDecomposition]
  private let thresholdStart: [Int32]
  private let thresholds: [Double]
  private let cellStart: [Int32]
  private let cells: [Int32]

  /// `normals` holds m x S x b standard normal numbers.
  init(
    models: [any PosteriorModel], baseline: Matrix, reference: [Double], draw: Int, normals: [Double], samples: Int
  ) {
    let (m, b) = (models.count, baseline.rows)
    outcomes = m
    self.baseline = b
    self.samples = samples
    self.normals = normals
    var triangles: [LowerTriangle] = []
    var factors: [Double] = []
    var floors: [Double] = []
    // S x b x m
    var values = [[[Double]]](
      repeating: [[Double]](repeating: [Double](repeating: 0, count: m), count: b), count: samples)
    for (outcome, model) in models.enumerated() {
      // 1) the joint posterior of the baseline, b, and its factor
      let joint = model.posterior(at: baseline, draw: draw % model.drawCount)
      let triangle = LowerTriangle(factorizing: joint.covariance)
      let own = (outcome * samples * b)..<((outcome + 1) * samples * b)
      triangles.append(triangle)
      factors += triangle.elements
      factors += normals[own]
      // 2) variances that are rounding of the prior's size count as this much
      var scale = 0.0
      for row in 0..<b { scale = max(scale, joint.covariance[row, row]) }
      floors.append(max(1e-12 * (scale.isFinite ? scale : 1), 1e-14))
      // 3) samples f_B = μ_B + L z_s
      for sample in 0..<samples {
        let first = own.lowerBound + sample * b
        let sampled = triangle.sample(mean: joint.mean, normals: normals[first..<(first + b)])
        for row in 0..<b { values[sample][row][outcome] = sampled[row] }
      }
    }
    self.triangles = triangles
    self.factors = factors
    self.floors = floors
    // 4) the region that no sample dominates, as boxes (Daulton et al. 2021, section 4; Yang et al. 2019)
    // One outcome needs no reference: its only box starts at the best sampled value.
    let floorPoint = m == 1 ? [-Double.greatestFiniteMagnitude] : reference
    boxes = values.map { BoxDecomposition(rows: $0, reference: floorPoint) }
    (thresholdStart, thresholds) = Self.thresholds(boxes, outcomes: m)
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

  /// Σ_s EHVI_s for each candidate, n; the formulas are those of `ehvi_accumulate`.
  func sums(
    _ posterior: PackedPosterior,
    kernel: Kernel = { ehvi_accumulate($0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) }
  ) -> Result<[Double], AcquisitionError> {
    var sums = [Double](repeating: 0, count: posterior.candidates)
    let status = kernel(
      Int32(outcomes), Int32(posterior.candidates), Int32(baseline), Int32(samples), posterior.elements, factors,
      floors, thresholdStart, thresholds, cellStart, cells, &sums)
    return status == 0 ? .success(sums) : .failure(.native(status: Int(status)))
  }

  /// log EHVI_s of candidate `row` for the first `used` samples.
  func logTerms(_ posterior: PackedPosterior, row: Int, samples used: Int) -> [Double] {
    var means = [[Double]](repeating: [Double](repeating: 0, count: outcomes), count: used)
    var deviations = [Double](repeating: 0, count: outcomes)
    for outcome in 0..<outcomes {
      // 1) v = L⁻¹ c, b: the whitened covariances with the baseline
      let v = triangles[outcome].solve(posterior.crossCovariance(outcome, row))
      // 2) what the baseline leaves of the variance
      var variance = posterior.variance(outcome, row)
      for value in v { variance -= value * value }
      deviations[outcome] = max(variance, floors[outcome]).squareRoot()
      // 3) the mean given each sample, mean + v · z_s
      for sample in 0..<used {
        let z = (outcome * samples + sample) * baseline
        var mean = posterior.mean(outcome, row)
        for j in 0..<baseline { mean += normals[z + j] * v[j] }
        means[sample][outcome] = mean
      }
    }
    return (0..<used).map {
      ExpectedImprovement.logHypervolume(over: boxes[$0], mean: means[$0], standardDeviation: deviations)
    }
  }
}

/// Standard normal numbers for the baseline: scrambled Sobol points where the dimension allows, else Philox.
struct BaselineNormals: Sendable {
  private let perDraw: [[Double]]

  init(outcomes: Int, baseline: Int, draws: Int, samples: Int, seed: UInt64, index: Int) {
    let dimension = outcomes * baseline
    var stream = RandomStream(seed: seed, purpose: "acquisition/normals", index: UInt64(max(0, index)))
    let sobol =
      dimension <= Sobol.maximumDimension ? Sobol(dimension: dimension, scrambledBy: &stream) : nil
    perDraw = (0..<draws).map { draw in
      // m x S x b
      var values = [Double](repeating: 0, count: outcomes * samples * baseline)
      for sample in 0..<samples {
        let point = sobol?.point(draw * samples + sample)
        for outcome in 0..<outcomes {
          for row in 0..<baseline {
            values[(outcome * samples + sample) * baseline + row] =
              point.map { NormalQuantile.value($0[outcome * baseline + row]) } ?? stream.normal()
          }
        }
      }
      return values
    }
  }

  /// The m x S x b numbers of a draw.
  func draw(_ draw: Int) -> [Double] { perDraw[draw] }
}
