// Rotary embedding and attention: thin calls of the C kernels.

import CKernels

extension AttentionShape {
  fileprivate var kernelShape: lm_attention_shape {
    lm_attention_shape(
      heads: Int32(heads), kv_heads: Int32(keyValueHeads), head_size: Int32(headSize), scale: scale)
  }
}

extension CPUBackend {
  private func withOffsets<Result>(_ sequences: PackedSequences, _ body: (lm_sequences) -> Result) -> Result {
    sequences.offsets.map(Int64.init).withUnsafeBufferPointer {
      body(lm_sequences(count: sequences.count, offsets: $0.baseAddress))
    }
  }

  private func cache(
    _ slots: UnsafeBufferPointer<Int64>, capacity: Int, keys: Tensor, values: Tensor
  ) -> lm_attention_cache {
    lm_attention_cache(
      slots: slots.baseAddress, capacity: capacity, bf16: halvesCaches, keys: raw(keys), values: raw(values))
  }

  package func rotate(_ x: Tensor, heads: Int, headSize: Int, positions: Tensor, table: Tensor, inverse: Bool) throws {
    lm_rotate(
      context, x.rows,
      lm_rotation(
        row_stride: x.columns, heads: Int32(heads), head_size: Int32(headSize), positions: integers(positions),
        table: floats(table), inverse: inverse, x: floats(x)))
  }

  package func attention(
    _ qkv: Tensor, _ sequences: PackedSequences, _ shape: AttentionShape, into out: Tensor, logSumExp: Tensor?
  ) throws {
    let arrays = lm_attention_arrays(qkv: floats(qkv), out: floats(out), log_sum_exp: floats(logSumExp))
    let done = withOffsets(sequences) { lm_attention(context, mode, $0, shape.kernelShape, arrays) }
    if !done { throw scratchRefused() }
  }

  package func attentionBackward(
    _ dout: Tensor, qkv: Tensor, out: Tensor, logSumExp: Tensor, _ sequences: PackedSequences, _ shape: AttentionShape,
    into dqkv: Tensor
  ) throws {
    let gradient = lm_attention_gradient(
      dout: floats(dout), qkv: floats(qkv), out: floats(out), log_sum_exp: floats(logSumExp), dqkv: floats(dqkv))
    let done = withOffsets(sequences) { lm_attention_backward(context, mode, $0, shape.kernelShape, gradient) }
    if !done { throw scratchRefused() }
  }

  package func storeKeysValues(
    _ qkv: Tensor, _ sequences: PackedSequences, _ shape: AttentionShape, slots: [Int], capacity: Int, keys: Tensor,
    values: Tensor
  ) throws {
    precondition(keys.kind == .cache && values.kind == .cache, "keys and values are kept in caches")
    withOffsets(sequences) { packed in
      slots.map(Int64.init).withUnsafeBufferPointer {
        lm_attention_store(
          context, packed, shape.kernelShape, cache($0, capacity: capacity, keys: keys, values: values), floats(qkv))
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
          context, qkv.rows, shape.kernelShape, cache(slots, capacity: capacity, keys: keys, values: values),
          lengths.baseAddress, floats(qkv), floats(out))
      }
    }
    if !done { throw scratchRefused() }
  }
}
