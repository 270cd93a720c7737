// Causal attention by its definition: scores, softmax, weighted values; per sequence, head and query.

import Glibc

extension ReferenceBackend {
  package func rotate(_ x: Tensor, heads: Int, headSize: Int, positions: Tensor, table: Tensor, inverse: Bool) throws {
    let (px, pt, pp) = (floats(x), floats(table), integers(positions))
    let half = headSize / 2
    for row in 0..<x.rows {
      let angles = pt + Int(pp[row]) * headSize
      for head in 0..<heads {
        let base = px + row * x.columns + head * headSize
        for i in 0..<half {
          let (cosine, sine) = (angles[i], inverse ? -angles[half + i] : angles[half + i])
          let (first, second) = (base[i], base[half + i])
          base[i] = first * cosine - second * sine
          base[half + i] = second * cosine + first * sine
        }
      }
    }
  }

  package func attention(
    _ qkv: Tensor, _ sequences: PackedSequences, _ shape: AttentionShape, into out: Tensor, logSumExp: Tensor?
  ) throws {
    let (px, po, size) = (floats(qkv), floats(out), shape.headSize)
    for sequence in 0..<sequences.count {
      let (start, end) = (sequences.offsets[sequence], sequences.offsets[sequence + 1])
      for row in start..<end {
        for head in 0..<shape.heads {
          let group = head / (shape.heads / shape.keyValueHeads)
          let keys = px + start * qkv.columns + shape.queryColumns + group * size
          let value = attend(
            px + row * qkv.columns + head * size, keys: keys, values: keys + shape.keyColumns, stride: qkv.columns,
            count: row - start + 1, shape, into: po + row * out.columns + head * size)
          if let logSumExp { floats(logSumExp)[row * shape.heads + head] = Float(value) }
        }
      }
    }
  }

  /// One query against `count` keys; the result is the logarithm of the softmax's denominator.
  private func attend(
    _ query: UnsafePointer<Float>, keys: UnsafePointer<Float>, values: UnsafePointer<Float>, stride: Int, count: Int,
    _ shape: AttentionShape, into out: UnsafeMutablePointer<Float>
  ) -> Double {
    let size = shape.headSize
    var scores = [Double](repeating: 0, count: count)
    var largest = -Double.infinity
    for key in 0..<count {
      scores[key] = Double(shape.scale) * dot(query, keys + key * stride, size)
      largest = max(largest, scores[key])
    }
    var total = 0.0
    for key in 0..<count {
      scores[key] = exp(scores[key] - largest)
      total += scores[key]
    }
    for i in 0..<size {
      var sum = 0.0
      for key in 0..<count { sum += scores[key] * Double(values[key * stride + i]) }
      out[i] = Float(sum / total)
    }
    return largest + log(total)
  }

  package func attentionBackward(
    _ dout: Tensor, qkv: Tensor, out: Tensor, logSumExp: Tensor, _ sequences: PackedSequences, _ shape: AttentionShape,
    into dqkv: Tensor
  ) throws {
    try fill(dqkv, with: 0)
    let (px, pdo, po, pdx, pl) = (floats(qkv), floats(dout), floats(out), floats(dqkv), floats(logSumExp))
    let (size, stride) = (shape.headSize, qkv.columns)
    for sequence in 0..<sequences.count {
      let (start, end) = (sequences.offsets[sequence], sequences.offsets[sequence + 1])
      for row in start..<end {
        for head in 0..<shape.heads {
          let group = head / (shape.heads / shape.keyValueHeads)
          let query = row * stride + head * size
          let upstream = pdo + row * out.columns + head * size
          let delta = dot(upstream, po + row * out.columns + head * size, size)
          for key in start...row {
            let keyAt = key * stride + shape.queryColumns + group * size
            let valueAt = keyAt + shape.keyColumns
            let score = Double(shape.scale) * dot(px + query, px + keyAt, size)
            let probability = exp(score - Double(pl[row * shape.heads + head]))
            let dScore = probability * (dot(upstream, px + valueAt, size) - delta) * Double(shape.scale)
            for i in 0..<size {
              pdx[valueAt + i] += Float(probability * Double(upstream[i]))
              pdx[query + i] += Float(dScore * Double(px[keyAt + i]))
              pdx[keyAt + i] += Float(dScore * Double(px[query + i]))
            }
          }
        }
      }
    }
  }

  package func storeKeysValues(
    _ qkv: Tensor, _ sequences: PackedSequences, _ shape: AttentionShape, slots: [Int], capacity: Int, keys: Tensor,
    values: Tensor
  ) throws {
    for (sequence, slot) in slots.enumerated() {
      let start = sequences.offsets[sequence]
      for row in start..<sequences.offsets[sequence + 1] {
        store(qkv, row: row, shape, slot: slot, position: row - start, capacity, keys, values)
      }
    }
  }

  private func store(
    _ qkv: Tensor, row: Int, _ shape: AttentionShape, slot: Int, position: Int, _ capacity: Int, _ keys: Tensor,
    _ values: Tensor
  ) {
    let source = floats(qkv) + row * qkv.columns + shape.queryColumns
    for head in 0..<shape.keyValueHeads {
      let target = ((slot * shape.keyValueHeads + head) * capacity + position) * shape.headSize
      let own = source + head * shape.headSize
      (floats(keys) + target).update(from: own, count: shape.headSize)
      (floats(values) + target).update(from: own + shape.keyColumns, count: shape.headSize)
    }
  }

  package func attentionStep(
    _ qkv: Tensor, _ shape: AttentionShape, rows: CachedRows, capacity: Int, keys: Tensor, values: Tensor,
    into out: Tensor
  ) throws {
    let size = shape.headSize
    for row in 0..<qkv.rows {
      let slot = rows.slots[row]
      store(qkv, row: row, shape, slot: slot, position: rows.lengths[row], capacity, keys, values)
      for head in 0..<shape.heads {
        let group = head / (shape.heads / shape.keyValueHeads)
        let first = (slot * shape.keyValueHeads + group) * capacity * size
        _ = attend(
          floats(qkv) + row * qkv.columns + head * size, keys: floats(keys) + first,
          values: floats(values) + first, stride: size, count: rows.lengths[row] + 1, shape,
          into: floats(out) + row * out.columns + head * size)
      }
    }
  }
}
