// Operations that treat each row by itself: norms, activations, copies, embeddings.

import Glibc

extension ReferenceBackend {
  package func normalize(
    _ x: Tensor, residual: Tensor?, sum: Tensor?, kind: Normalization, weight: Tensor, bias: Tensor?, into y: Tensor,
    statistics: Tensor?
  ) throws {
    let d = x.columns
    let (px, py, pw) = (floats(x), floats(y), floats(weight))
    let pb = bias.map { floats($0) }
    for row in 0..<x.rows {
      var source = px + row * d
      if let residual, let sum {
        let (pr, ps) = (floats(residual) + row * d, floats(sum) + row * d)
        for i in 0..<d { ps[i] = source[i] + pr[i] }
        source = ps
      }
      let (mean, reciprocal) = moments(source, d, kind)
      for i in 0..<d {
        py[row * d + i] = Float((Double(source[i]) - mean) * reciprocal * Double(pw[i]) + Double(pb?[i] ?? 0))
      }
      if let statistics {
        floats(statistics)[2 * row] = Float(mean)
        floats(statistics)[2 * row + 1] = Float(reciprocal)
      }
    }
  }

  private func moments(_ x: UnsafePointer<Float>, _ d: Int, _ kind: Normalization) -> (mean: Double, reciprocal: Double)
  {
    var mean = 0.0
    let epsilon: Float
    switch kind {
    case .layerNorm(let value):
      epsilon = value
      for i in 0..<d { mean += Double(x[i]) }
      mean /= Double(d)
    case .rmsNorm(let value): epsilon = value
    }
    var variance = 0.0
    for i in 0..<d { variance += (Double(x[i]) - mean) * (Double(x[i]) - mean) }
    return (mean, 1 / (variance / Double(d) + Double(epsilon)).squareRoot())
  }

  package func normalizeBackward(
    _ dy: Tensor, x: Tensor, statistics: Tensor, kind: Normalization, weight: Tensor,
    gradients: (weight: Tensor, bias: Tensor?)?, into dx: Tensor?, accumulate: Bool
  ) throws {
    let d = x.columns
    let (px, pdy, pw, ps) = (floats(x), floats(dy), floats(weight), floats(statistics))
    var isLayerNorm = false
    if case .layerNorm = kind { isLayerNorm = true }
    var dWeight = [Double](repeating: 0, count: d)
    var dBias = [Double](repeating: 0, count: d)
    for row in 0..<x.rows {
      let (mean, reciprocal) = (Double(ps[2 * row]), Double(ps[2 * row + 1]))
      var meanG = 0.0
      var meanGX = 0.0
      for i in 0..<d {
        let hat = (Double(px[row * d + i]) - mean) * reciprocal
        let upstream = Double(pdy[row * d + i])
        dWeight[i] += upstream * hat
        dBias[i] += upstream
        meanG += upstream * Double(pw[i])
        meanGX += upstream * Double(pw[i]) * hat
      }
      meanG = isLayerNorm ? meanG / Double(d) : 0
      meanGX /= Double(d)
      guard let dx else { continue }
      let pdx = floats(dx) + row * d
      for i in 0..<d {
        let hat = (Double(px[row * d + i]) - mean) * reciprocal
        let value = (Double(pdy[row * d + i]) * Double(pw[i]) - meanG - hat * meanGX) * reciprocal
        pdx[i] = Float(accumulate ? Double(pdx[i]) + value : value)
      }
    }
    if let gradients {
      let target = floats(gradients.weight)
      for i in 0..<d { target[i] = Float(Double(target[i]) + dWeight[i]) }
      if let bias = gradients.bias {
        let target = floats(bias)
        for i in 0..<d { target[i] = Float(Double(target[i]) + dBias[i]) }
      }
    }
  }

  package func activate(_ x: Tensor, _ function: ActivationFunction, into y: Tensor) throws {
    let (px, py) = (floats(x), floats(y))
    for i in 0..<x.count {
      let value = Double(px[i])
      py[i] = Float(value * gate(value, function).value)
    }
  }

  package func activateBackward(_ dy: Tensor, x: Tensor, _ function: ActivationFunction, into dx: Tensor) throws {
    let (pdy, px, pdx) = (floats(dy), floats(x), floats(dx))
    for i in 0..<x.count {
      let value = Double(px[i])
      let g = gate(value, function)
      pdx[i] = Float(Double(pdy[i]) * (g.value + value * g.slope))
    }
  }

  /// g and g' of f(x) = x g(x).
  private func gate(_ x: Double, _ function: ActivationFunction) -> (value: Double, slope: Double) {
    switch function {
    case .gelu:
      return (0.5 * (1 + erf(x / 2.0.squareRoot())), exp(-0.5 * x * x) / (2 * Double.pi).squareRoot())
    case .geluTanh:
      let c = (2 / Double.pi).squareRoot()
      let t = tanh(c * (x + 0.044715 * x * x * x))
      return (0.5 * (1 + t), 0.5 * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x))
    }
  }

  package func gatedSiLU(_ x: Tensor, into y: Tensor) throws {
    let (px, py, width) = (floats(x), floats(y), y.columns)
    for row in 0..<x.rows {
      for i in 0..<width {
        let gate = Double(px[row * 2 * width + i])
        py[row * width + i] = Float(gate / (1 + exp(-gate)) * Double(px[row * 2 * width + width + i]))
      }
    }
  }

  package func gatedSiLUBackward(_ dy: Tensor, x: Tensor, into dx: Tensor) throws {
    let (pdy, px, pdx, width) = (floats(dy), floats(x), floats(dx), dy.columns)
    for row in 0..<dy.rows {
      for i in 0..<width {
        let (gate, up) = (Double(px[row * 2 * width + i]), Double(px[row * 2 * width + width + i]))
        let sigmoid = 1 / (1 + exp(-gate))
        let upstream = Double(pdy[row * width + i])
        pdx[row * 2 * width + i] = Float(upstream * up * sigmoid * (1 + gate * (1 - sigmoid)))
        pdx[row * 2 * width + width + i] = Float(upstream * gate * sigmoid)
      }
    }
  }

  package func add(_ x: Tensor, to y: Tensor) throws {
    let (px, py) = (floats(x), floats(y))
    for i in 0..<x.count { py[i] += px[i] }
  }

  package func copyRows(_ x: Tensor, fromRow: Int, count: Int, to y: Tensor, toRow: Int) throws {
    (floats(y) + toRow * y.columns).update(from: floats(x) + fromRow * x.columns, count: count * x.columns)
  }

  package func gatherRows(_ x: Tensor, _ rows: Tensor, into y: Tensor) throws {
    for (target, source) in try download(indices: rows).enumerated() {
      try copyRows(x, fromRow: Int(source), count: 1, to: y, toRow: target)
    }
  }

  package func scatterRows(_ x: Tensor, _ rows: Tensor, into y: Tensor) throws {
    try fill(y, with: 0)
    for (source, target) in try download(indices: rows).enumerated() {
      try copyRows(x, fromRow: source, count: 1, to: y, toRow: Int(target))
    }
  }

  package func embed(
    _ tokens: Tensor, _ table: WeightMatrix, positions: Tensor?, _ positionTable: WeightMatrix?, into y: Tensor
  ) throws {
    let (pt, py, d) = (floats(table), floats(y), y.columns)
    for row in 0..<y.rows {
      let source = pt + Int(integers(tokens)[row]) * d
      for i in 0..<d { py[row * d + i] = source[i] }
      guard let positions, let positionTable else { continue }
      let position = floats(positionTable) + Int(integers(positions)[row]) * d
      for i in 0..<d { py[row * d + i] += position[i] }
    }
  }

  package func embedBackward(_ dy: Tensor, _ indices: Tensor, gradient: Tensor) throws {
    let (pdy, target, d) = (floats(dy), floats(gradient), dy.columns)
    for row in 0..<dy.rows {
      let to = target + Int(integers(indices)[row]) * d
      for i in 0..<d { to[i] += pdy[row * d + i] }
    }
  }
}
