// Rotary embedding and attention: thin calls of the C kernels.

import CKernels

extension AttentionShape {
  fileprivate var kernelShape: lm_attention_shape {
    lm_attention_shape(
      heads: Int32(heads), kv_heads: Int32(keyValueHeads), head_size: Int32(headSize), scale: scale)
  }
}

extension CPUBackend {
  package func rotate(_ x: Tensor, heads: Int, headSize: Int, positions: Tensor, table: Tensor, inverse: Bool) throws {
    lm_rotate(
      context, x.rows, x.columns, Int32(heads), Int32(headSize), integers(positions), floats(table), inverse, floats(x))
  }

  package func attention(
    _ qkv: Tensor, _ sequences: PackedSequences, _ shape: AttentionShape, into out: Tensor, logSumExp: Tensor?
  ) throws {
    let done = sequences.offsets.map(Int64.init).withUnsafeBufferPointer {
      lm_attention(
        context, mode, sequences.count, $0.baseAddress, shape.kernelShape, floats(qkv), floats(out), floats(logSumExp))
    }
    if !done { throw scratchRefused() }
  }

  package func attentionBackward(
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

  package func storeKeysValues(
    _ qkv: Tensor, _ sequences: PackedSequences, _ shape: AttentionShape, slots: [Int], capacity: Int, keys: Tensor,
    values: Tensor
  ) throws {
    precondition(keys.kind == .cache && values.kind == .cache, "keys and values are kept in caches")
    sequences.offsets.map(Int64.init).withUnsafeBufferPointer { offsets in
      slots.map(Int64.init).withUnsafeBufferPointer { slots in
        lm_attention_store(
          context, sequences.count, offsets.baseAddress, shape.kernelShape, floats(qkv), slots.baseAddress, capacity,
          halvesCaches, raw(keys), raw(values))
      }
    }
  }

  package func attentionStep(
    _ qkv: Tensor, _ shape: AttentionShape, rows: CachedRows, capacity: Int, keys: Tensor, values: Tensor,
    into out: Tensor
  ) throws {
    precondition(keys.kind == .cache && values.kind == .cache, "keys and values are kept in caches")
    let done = rows.slots.map(Int64.init).withUnsafeBufferPointer { slots in
      rows.lengths.map(Int64.init).withUnsafeBufferPointer { lengths in
        lm_attention_step(
          context, qkv.rows, shape.kernelShape, floats(qkv), slots.baseAddress, lengths.baseAddress, capacity,
          halvesCaches, raw(keys), raw(values), floats(out))
      }
    }
    if !done { throw scratchRefused() }
  }
}
