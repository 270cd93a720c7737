// Rotary embedding and attention: thin calls of the C kernels.

import CKernels

extension AttentionShape {
  fileprivate var kernelShape: lm_attention_shape {
    lm_attention_shape(
      heads: Int32(heads), kv_heads: Int32(keyValueHeads), head_size: Int32(headSize), scale: scale)
  }
}

extension CPUBackend {
  public func rotate(_ x: Tensor, heads: Int, headSize: Int, positions: Tensor, table: Tensor, inverse: Bool) throws {
    lm_rotate(
      context, x.rows, x.columns, Int32(heads), Int32(headSize), integers(positions), floats(table), inverse, floats(x))
  }

  public func attention(
    _ qkv: Tensor, _ sequences: PackedSequences, _ shape: AttentionShape, into out: Tensor, logSumExp: Tensor?
  ) throws {
    let done = sequences.offsets.map(Int64.init).withUnsafeBufferPointer {
      lm_attention(
        context, mode, sequences.count, $0.baseAddress, shape.kernelShape, floats(qkv), floats(out), floats(logSumExp))
    }
    if !done { throw scratchRefused() }
  }

  public func attentionBackward(
    _ dout: Tensor, qkv: Tensor, out: Tensor, logSumExp: Tensor, _ sequences: PackedSequences, _ shape: AttentionShape,
    into dqkv: Tensor
  ) throws {
    let done = sequences.offsets.map(Int64.init).withUnsafeBufferPointer {
      lm_attention_backward(
        context, mode, sequences.count, $0.baseAddress, shape.kernelShape, floats(dout), floats(qkv), floats(out),
        floats(logSumExp), floats(dqkv))
    }
    if !done { throw scratchRefused() }
  }

  public func storeKeysValues(
    _ qkv: Tensor, _ sequences: PackedSequences, _ shape: AttentionShape, slots: [Int], capacity: Int, keys: Tensor,
    values: Tensor
  ) throws {
    let (size, width) = (shape.headSize, shape.keyColumns)
    for (sequence, slot) in slots.enumerated() {
      let rows = sequences.offsets[sequence]..<sequences.offsets[sequence + 1]
      for head in 0..<shape.keyValueHeads {
        var target = (slot * shape.keyValueHeads + head) * capacity * size
        for row in rows {
          let source = floats(qkv) + row * qkv.columns + shape.queryColumns + head * size
          (floats(keys) + target).update(from: source, count: size)
          (floats(values) + target).update(from: source + width, count: size)
          target += size
        }
      }
    }
  }

  public func attentionStep(
    _ qkv: Tensor, _ shape: AttentionShape, rows: CachedRows, capacity: Int, keys: Tensor, values: Tensor,
    into out: Tensor
  ) throws {
    let done = rows.slots.map(Int64.init).withUnsafeBufferPointer { slots in
      rows.lengths.map(Int64.init).withUnsafeBufferPointer { lengths in
        lm_attention_step(
          context, qkv.rows, shape.kernelShape, floats(qkv), slots.baseAddress, lengths.baseAddress, capacity,
          floats(keys), floats(values), floats(out))
      }
    }
    if !done { throw scratchRefused() }
  }
}
