// Linear layers and low-rank branches, written as their definitions.

extension ReferenceBackend {
  package func linear(_ x: Tensor, _ weight: WeightMatrix, bias: Tensor?, into y: Tensor, accumulate: Bool) throws {
    let (px, pw, py) = (floats(x), floats(weight), floats(y))
    let (inputs, outputs) = (weight.inputs, weight.outputs)
    let pb = bias.map { floats($0) }
    for row in 0..<x.rows {
      for output in 0..<outputs {
        var sum = dot(px + row * inputs, pw + output * inputs, inputs) + Double(pb?[output] ?? 0)
        if accumulate { sum += Double(py[row * outputs + output]) }
        py[row * outputs + output] = Float(sum)
      }
    }
  }

  package func linearInputGradient(_ dy: Tensor, _ weight: WeightMatrix, into dx: Tensor, accumulate: Bool) throws {
    let (pdy, pw, pdx) = (floats(dy), floats(weight), floats(dx))
    let (inputs, outputs) = (weight.inputs, weight.outputs)
    var sums = [Double](repeating: 0, count: inputs)
    for row in 0..<dy.rows {
      for input in 0..<inputs { sums[input] = accumulate ? Double(pdx[row * inputs + input]) : 0 }
      for output in 0..<outputs {
        let factor = Double(pdy[row * outputs + output])
        for input in 0..<inputs { sums[input] += factor * Double(pw[output * inputs + input]) }
      }
      for input in 0..<inputs { pdx[row * inputs + input] = Float(sums[input]) }
    }
  }

  package func linearWeightGradient(_ dy: Tensor, _ x: Tensor, weightGradient: Tensor, biasGradient: Tensor?) throws {
    let (outputs, inputs) = (dy.columns, x.columns)
    outerProduct(floats(dy), stride: outputs, outputs, floats(x), inputs, rows: x.rows, 1, floats(weightGradient))
    if let biasGradient {
      let (target, source) = (floats(biasGradient), floats(dy))
      for output in 0..<outputs {
        var sum = Double(target[output])
        for row in 0..<dy.rows { sum += Double(source[row * outputs + output]) }
        target[output] = Float(sum)
      }
    }
  }

  package func lora(
    _ x: Tensor, _ a: Tensor, _ b: Tensor, scale: Float, projected u: Tensor, addingTo y: Tensor, columns: Int
  ) throws {
    let (px, pa, pb, pu, py) = (floats(x), floats(a), floats(b), floats(u), floats(y))
    let (inputs, rank, outputs) = (a.columns, a.rows, b.rows)
    for row in 0..<x.rows {
      for index in 0..<rank {
        pu[row * rank + index] = Float(dot(px + row * inputs, pa + index * inputs, inputs))
      }
      let target = py + row * y.columns + columns
      for output in 0..<outputs {
        let sum = dot(pu + row * rank, pb + output * rank, rank)
        target[output] = Float(Double(target[output]) + Double(scale) * sum)
      }
    }
  }

  package func loraBackward(
    _ dy: Tensor, columns: Int, x: Tensor, projected u: Tensor, _ a: Tensor, _ b: Tensor, scale: Float,
    gradients: (a: Tensor, b: Tensor)?, addingTo dx: Tensor?
  ) throws {
    let (inputs, rank, outputs) = (a.columns, a.rows, b.rows)
    let (pa, pb) = (floats(a), floats(b))
    let pdy = floats(dy) + columns
    var du = [Float](repeating: 0, count: x.rows * rank)
    for row in 0..<x.rows {
      for index in 0..<rank {
        var sum = 0.0
        for output in 0..<outputs { sum += Double(pdy[row * dy.columns + output]) * Double(pb[output * rank + index]) }
        du[row * rank + index] = Float(Double(scale) * sum)
      }
    }
    du.withUnsafeMutableBufferPointer { buffer in
      guard let pdu = buffer.baseAddress else { return }
      if let gradients {
        outerProduct(pdy, stride: dy.columns, outputs, floats(u), rank, rows: x.rows, scale, floats(gradients.b))
        outerProduct(pdu, stride: rank, rank, floats(x), inputs, rows: x.rows, 1, floats(gradients.a))
      }
      guard let dx else { return }
      let pdx = floats(dx)
      for row in 0..<x.rows {
        for input in 0..<inputs {
          var sum = Double(pdx[row * inputs + input])
          for index in 0..<rank { sum += Double(pdu[row * rank + index]) * Double(pa[index * inputs + input]) }
          pdx[row * inputs + input] = Float(sum)
        }
      }
    }
  }

  /// target[m, n] += scale · Σ_row left[row, m] · right[row, n].
  private func outerProduct(
    _ left: UnsafePointer<Float>, stride: Int, _ m: Int, _ right: UnsafePointer<Float>, _ n: Int, rows: Int,
    _ scale: Float, _ target: UnsafeMutablePointer<Float>
  ) {
    var sums = [Double](repeating: 0, count: n)
    for i in 0..<m {
      for j in 0..<n { sums[j] = 0 }
      for row in 0..<rows {
        let factor = Double(left[row * stride + i])
        for j in 0..<n { sums[j] += factor * Double(right[row * n + j]) }
      }
      for j in 0..<n { target[i * n + j] = Float(Double(target[i * n + j]) + Double(scale) * sums[j]) }
    }
  }

  func dot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int) -> Double {
    var sum = 0.0
    for index in 0..<count { sum += Double(a[index]) * Double(b[index]) }
    return sum
  }
}
