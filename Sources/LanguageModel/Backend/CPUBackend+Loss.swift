// Loss, choice of tokens and the optimizer. M labelled rows, V vocabulary, D model width.

import CKernels
import Glibc

extension CPUBackend {
  /// Largest block of logits that is held at once, in bytes: large enough that reading (and, in 32 bits, packing) the
  /// head once per block is small beside its product, small beside a model.
  private static let logitBytes = 112 << 20

  /// Rows of one block of logits; all blocks are about equally large.
  private static func lossBlock(rows: Int, vocabulary: Int) -> Int {
    let limit = max(32, logitBytes / (4 * vocabulary))
    let count = (rows + limit - 1) / limit
    return (rows + count - 1) / count
  }

  /// Distance of rows of logits: whole cache lines, so that products can write past the caches.
  private static func logitStride(_ vocabulary: Int) -> Int { (vocabulary + 15) & ~15 }

  package func lossBytes(rows: Int, vocabulary: Int) -> Int {
    4 * Self.logitStride(vocabulary) * Self.lossBlock(rows: max(1, rows), vocabulary: vocabulary)
  }

  package func crossEntropy(
    _ x: Tensor, head: WeightMatrix, bias: Tensor?, targets: Tensor, losses: Tensor, scale: Float, dx: Tensor?,
    gradients: (weight: Tensor, bias: Tensor?)?
  ) throws {
    let (d, vocabulary) = (x.columns, head.outputs)
    let backward = dx != nil || gradients != nil
    let block = Self.lossBlock(rows: x.rows, vocabulary: vocabulary)
    let width = Self.logitStride(vocabulary)
    let buffer = try CPUBuffer(bytes: block * width * 4, memory: pool)
    let logits = buffer.pointer.assumingMemoryBound(to: Float.self)
    for first in stride(from: 0, to: x.rows, by: block) {
      let rows = min(block, x.rows - first)
      let input = floats(x) + first * d
      // logits [rows, V] = x Wᵀ + bias, then in place dlogits = scale · (softmax − one-hot)
      try multiply(
        input, rows: rows, head, bias: bias.map { UnsafePointer(floats($0)) }, into: logits, stride: width,
        accumulate: false)
      lm_cross_entropy(
        context, rows,
        lm_loss(
          vocabulary: vocabulary, row_stride: width, logits: logits, targets: integers(targets) + first, scale: scale,
          gradient: backward, losses: floats(losses) + first))
      if let dx {
        try multiplyTransposed(
          logits, stride: width, rows: rows, head, into: floats(dx) + first * d, accumulate: false)
      }
      if let gradients {
        try addWeightGradient(
          logits, stride: width, input, rows: rows, outputs: vocabulary, inputs: d, weight: gradients.weight,
          bias: gradients.bias)
      }
    }
  }

  package func argmax(_ logits: Tensor, into indices: Tensor) throws {
    lm_argmax(context, logits.rows, logits.columns, floats(logits), integers(indices))
  }

  package func topK(_ logits: Tensor, values: Tensor, indices: Tensor) throws {
    lm_top_k(
      context, logits.rows, logits.columns, values.columns, floats(logits), floats(values), integers(indices))
  }

  package func norm(of gradients: Tensor, into norm: Tensor) throws {
    floats(norm)[0] = Float(lm_sum_of_squares(context, gradients.count, floats(gradients)).squareRoot())
  }

  package func adamW(
    _ parameters: Tensor, gradients: Tensor, firstMoment: Tensor, secondMoment: Tensor, step: AdamWStep,
    clip: (norm: Tensor, maximum: Float)?
  ) throws {
    let count = Double(step.step)
    let kernelStep = lm_adamw_step(
      learning_rate: step.learningRate, beta1: step.beta1, beta2: step.beta2, epsilon: step.epsilon,
      weight_decay: step.weightDecay, correction1: Float(1 - pow(Double(step.beta1), count)),
      correction2: Float(1 - pow(Double(step.beta2), count)),
      gradient_scale: clip.map { min(1, $0.maximum / (floats($0.norm)[0] + 1e-6)) } ?? 1)
    lm_adamw(
      context, parameters.count, kernelStep,
      lm_adamw_arrays(
        parameters: floats(parameters), gradients: floats(gradients), first: floats(firstMoment),
        second: floats(secondMoment)))
  }
}
