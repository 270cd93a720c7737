// One token at a time: keys and values of earlier tokens are kept in caches [slots][kv_heads][capacity][size].
#include "common.cuh"

enum { GROUP = 64 };

// Cache slots of the sequences that a launch stores.
struct Slots {
  int slots[GROUP];
};

// Keys and values of packed sequence `first + blockIdx.y` to its slot, row after row. One block per row.
KERNEL(128, store_sequences, const real* qkv, const int* offsets, int first, Slots rows, int heads, int kv_heads, int size,
       int capacity, real* keys, real* values) {
  int start = offsets[first + blockIdx.y], length = offsets[first + blockIdx.y + 1] - start;
  int position = blockIdx.x, width = kv_heads * size;
  if (position >= length) return;
  const real* source = qkv + (long long)(start + position) * (heads + 2 * kv_heads) * size + heads * size;
  long long slot = (long long)rows.slots[blockIdx.y] * kv_heads;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    long long target = ((slot + i / size) * capacity + position) * size + i % size;
    keys[target] = source[i];
    values[target] = source[width + i];
  }
}

// A step of one token per row: row i continues slot rows[i], which holds rows[gridDim.y + i] tokens. Its key and value are
// stored behind them, and out[row] = attention of its query over all of them. One block per head and row; shared memory
// holds a score per position, then 128 partial sums. The numbers of a step are read from memory so that one recorded launch
// serves every step.
KERNEL(128, attention_step, const real* qkv, const int* rows, int heads, int kv_heads, int size, float scale, int capacity,
       real* keys, real* values, real* out) {
  SHARED_MEMORY(memory);
  __shared__ float scratch[32];
  int head = blockIdx.x, group = heads / kv_heads, kv_head = head / group;
  int length = rows[gridDim.y + blockIdx.y], count = length + 1;
  long long row = blockIdx.y, base = ((long long)rows[row] * kv_heads + kv_head) * capacity * size;
  float *scores = (float*)memory, *partial = scores + count;
  const real* query = qkv + row * (heads + 2 * kv_heads) * size + head * size;
  const real* own_key = qkv + row * (heads + 2 * kv_heads) * size + (heads + kv_head) * size;
  const real* own_value = own_key + kv_heads * size;
  // The new key and value are read from where they are; one of the heads that share them stores them for later steps.
  if (head % group == 0) {
    for (int i = threadIdx.x; i < size; i += blockDim.x) {
      keys[base + (long long)length * size + i] = own_key[i];
      values[base + (long long)length * size + i] = own_value[i];
    }
  }
  // 1. Scores: a thread per position.
  float top = -INFINITY;
  for (int position = threadIdx.x; position < count; position += blockDim.x) {
    const real* key = position == length ? own_key : keys + base + (long long)position * size;
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
    if (part < parts) {
      for (int position = part; position < length; position += parts)
        sum += scores[position] * widen(values[base + (long long)position * size + own]);
      if (length % parts == part) sum += scores[length] * widen(own_value[own]);
    }
    partial[threadIdx.x] = sum;
    __syncthreads();
    if (part == 0) {
      for (int other = 1; other < parts; ++other) sum += partial[other * span + threadIdx.x];
      out[row * heads * size + head * size + own] = narrow(sum / total);
    }
    __syncthreads();
  }
}
