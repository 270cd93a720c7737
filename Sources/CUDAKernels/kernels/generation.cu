// One token at a time: keys and values of earlier tokens are kept in caches [slots · capacity, kv_heads · size].
#include "common.cuh"

enum { GROUP = 64 };

// What a launch works on: cache slots, and tokens already there (for prefill: unused).
struct Rows {
  int slots[GROUP];
  int lengths[GROUP];
};

// Keys and values of packed sequence `first + blockIdx.y` to its slot, row after row. One block per row.
KERNEL(128, store_sequences, const real* qkv, const int* offsets, int first, Rows rows, int heads, int kv_heads, int size,
       int capacity, real* keys, real* values) {
  int start = offsets[first + blockIdx.y], length = offsets[first + blockIdx.y + 1] - start;
  int position = blockIdx.x, width = kv_heads * size;
  if (position >= length) return;
  const real* source = qkv + (long long)(start + position) * (heads + 2 * kv_heads) * size + heads * size;
  long long target = ((long long)rows.slots[blockIdx.y] * capacity + position) * width;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    keys[target + i] = source[i];
    values[target + i] = source[width + i];
  }
}

// Key and value of row `first + blockIdx.x` behind what its slot holds.
KERNEL(128, store_step, const real* qkv, int first, Rows rows, int heads, int kv_heads, int size, int capacity, real* keys,
       real* values) {
  int width = kv_heads * size;
  const real* source = qkv + (long long)(first + blockIdx.x) * (heads + 2 * kv_heads) * size + heads * size;
  long long target = ((long long)rows.slots[blockIdx.x] * capacity + rows.lengths[blockIdx.x]) * width;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    keys[target + i] = source[i];
    values[target + i] = source[width + i];
  }
}

// out[row] = attention of one query over positions 0 … length. One block per head and row; shared memory holds
// length + 1 scores, then 128 partial sums.
KERNEL(128, attention_step, const real* qkv, int first, Rows rows, int heads, int kv_heads, int size, float scale,
       int capacity, const real* keys, const real* values, real* out) {
  SHARED_MEMORY(memory);
  __shared__ float scratch[32];
  int head = blockIdx.x, kv_head = head / (heads / kv_heads), width = kv_heads * size;
  int count = rows.lengths[blockIdx.y] + 1;
  long long row = first + blockIdx.y, base = (long long)rows.slots[blockIdx.y] * capacity * width + kv_head * size;
  float *scores = (float*)memory, *partial = scores + count;
  const real* query = qkv + row * (heads + 2 * kv_heads) * size + head * size;
  // 1. Scores: a thread per position.
  float top = -INFINITY;
  for (int position = threadIdx.x; position < count; position += blockDim.x) {
    const real* key = keys + base + (long long)position * width;
    float sum = 0.0f, a[8], b[8];
    for (int i = 0; i < size; i += 8) {
      load8(query + i, size - i, a);
      load8(key + i, size - i, b);
      for (int j = 0; j < 8; ++j) sum += a[j] * b[j];
    }
    scores[position] = sum * scale;
    top = fmaxf(top, sum * scale);
  }
  top = block_max(top, scratch);
  // 2. Probabilities (not yet divided).
  float total = 0.0f;
  for (int position = threadIdx.x; position < count; position += blockDim.x) {
    scores[position] = expf(scores[position] - top);
    total += scores[position];
  }
  total = block_sum(total, scratch);  // its barriers also publish the scores
  // 3. Their values: a thread per column, positions shared among as many threads as there are.
  for (int column = 0; column < size; column += 128) {
    int span = size - column < 128 ? size - column : 128, parts = 128 / span;
    int part = threadIdx.x / span, own = column + threadIdx.x % span;
    float sum = 0.0f;
    if (part < parts)
      for (int position = part; position < count; position += parts)
        sum += scores[position] * widen(values[base + (long long)position * width + own]);
    partial[threadIdx.x] = sum;
    __syncthreads();
    if (part == 0) {
      for (int other = 1; other < parts; ++other) sum += partial[other * span + threadIdx.x];
      out[row * heads * size + head * size + own] = narrow(sum / total);
    }
    __syncthreads();
  }
}
