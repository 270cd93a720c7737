// Cross-entropy, choice of tokens, AdamW.

import Glibc

extension ReferenceBackend {
  package func crossEntropy(
    _ x: Tensor, head: WeightMatrix, bias: Tensor?, targets: Tensor, losses: Tensor, scale: Float, dx: Tensor?,
    gradients: (weight: Tensor, bias: Tensor?)?
  ) throws {
    let (d, vocabulary) = (x.columns, head.outputs)
    let (px, pw, pl) = (floats(x), floats(head), floats(losses))
    let pb = bias.map { floats($0) }
    var logits = [Double](repeating: 0, count: vocabulary)
    for row in 0..<x.rows {
      for token in 0..<vocabulary { logits[token] = dot(px + row * d, pw + token * d, d) + Double(pb?[token] ?? 0) }
      let largest = logits.max() ?? 0
      var total = 0.0
      for token in 0..<vocabulary { total += exp(logits[token] - largest) }
      let target = Int(integers(targets)[row])
      pl[row] = Float(largest + log(total) - logits[target])
      // dloss/dlogit = softmax − one-hot
      for token in 0..<vocabulary {
        let probability = exp(logits[token] - largest) / total
        logits[token] = Double(scale) * (probability - (token == target ? 1 : 0))
      }
      if let dx {
        let pdx = floats(dx) + row * d
        for i in 0..<d {
          var sum = 0.0
          for token in 0..<vocabulary { sum += logits[token] * Double(pw[token * d + i]) }
          pdx[i] = Float(sum)
        }
      }
      if let gradients {
        let dw = floats(gradients.weight)
        for token in 0..<vocabulary {
          for i in 0..<d { dw[token * d + i] += Float(logits[token] * Double(px[row * d + i])) }
        }
        if let bias = gradients.bias {
          for token in 0..<vocabulary { floats(bias)[token] += Float(logits[token]) }
        }
      }
    }
  }

  package func argmax(_ logits: Tensor, into indices: Tensor) throws {
    let (pl, target) = (floats(logits), integers(indices))
    for row in 0..<logits.rows {
      let numbers = UnsafeBufferPointer(start: pl + row * logits.columns, count: logits.columns)
      guard numbers.allSatisfy(\.isFinite) else {
        target[row] = -1
        continue
      }
      var best = 0
      for column in 1..<max(logits.columns, 1) where numbers[column] > numbers[best] { best = column }
      target[row] = Int32(best)
    }
  }

  package func topK(_ logits: Tensor, values: Tensor, indices: Tensor) throws {
    let k = values.columns
    for row in 0..<logits.rows {
      let source = floats(logits) + row * logits.columns
      let order = (0..<logits.columns).sorted { source[$0] != source[$1] ? source[$0] > source[$1] : $0 < $1 }
      for rank in 0..<k {
        floats(values)[row * k + rank] = source[order[rank]]
        integers(indices)[row * k + rank] = Int32(order[rank])
      }
    }
  }

  package func norm(of gradients: Tensor, into norm: Tensor) throws {
    let source = floats(gradients)
    floats(norm)[0] = Float(dot(source, source, gradients.count).squareRoot())
  }

  package func adamW(
    _ parameters: Tensor, gradients: Tensor, firstMoment: Tensor, secondMoment: Tensor, step: AdamWStep,
    clip: (norm: Tensor, maximum: Float)?
  ) throws {
    let (p, g, m, v) = (floats(parameters), floats(gradients), floats(firstMoment), floats(secondMoment))
    let factor = clip.map { min(1, $0.maximum / (floats($0.norm)[0] + 1e-6)) } ?? 1
    let (beta1, beta2) = (Double(step.beta1), Double(step.beta2))
    let correction1 = 1 - pow(beta1, Double(step.step))
    let correction2 = (1 - pow(beta2, Double(step.step))).squareRoot()
    let rate = Double(step.learningRate)
    for i in 0..<parameters.count {
      let gradient = Double(g[i] * factor)
      m[i] = Float(beta1 * Double(m[i]) + (1 - beta1) * gradient)
      v[i] = Float(beta2 * Double(v[i]) + (1 - beta2) * gradient * gradient)
      let decayed = Double(p[i]) * (1 - rate * Double(step.weightDecay))
      p[i] = Float(
        decayed - rate / correction1 * Double(m[i]) / (Double(v[i]).squareRoot() / correction2 + Double(step.epsilon)))
    }
  }
}
