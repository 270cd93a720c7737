// Cross-entropy over a block of logits, and the choice of tokens. Softmax and losses in 32 bits.
#include "common.cuh"

// One block per row of logits [rows, vocabulary] (without bias): losses[row] = log Σ exp(logit) − logit[target]; with
// `gradient` also scale · (softmax − one-hot).
KERNEL(512, cross_entropy, int vocabulary, const float* logits, const float* bias, const int* targets, float scale,
       float* losses, real* gradient) {
  __shared__ float scratch[32];
  long long row = blockIdx.x;
  const float* source = logits + row * vocabulary;
  int target = targets[row];
  // Each thread keeps the largest number it saw and the sum relative to it.
  float largest = -INFINITY, total = 0.0f;
  for (int i = threadIdx.x; i < vocabulary; i += blockDim.x) {
    float value = source[i] + (bias ? bias[i] : 0.0f);
    if (value > largest) {
      total = total * expf(largest - value) + 1.0f;
      largest = value;
    } else {
      total += expf(value - largest);
    }
  }
  float top = block_max(largest, scratch);
  total = block_sum(total == 0.0f ? 0.0f : total * expf(largest - top), scratch);
  if (threadIdx.x == 0) losses[row] = top + logf(total) - (source[target] + (bias ? bias[target] : 0.0f));
  if (!gradient) return;
  float factor = scale / total;
  for (int i = threadIdx.x; i < vocabulary; i += blockDim.x) {
    float value = expf(source[i] + (bias ? bias[i] : 0.0f) - top) * factor;
    gradient[row * vocabulary + i] = narrow(i == target ? value - scale : value);
  }
}

// Number i of a row of logits, 32-bit where `wide`.
DEVICE float logit(const void* logits, int wide, long long index) {
  return wide ? ((const float*)logits)[index] : widen(((const real*)logits)[index]);
}

enum { NO_INDEX = 0x7fffffff };

// Whether (a, i) comes before (b, j): larger number first, lower index first among equals; then NaNs by index, then what
// has no index.
DEVICE bool precedes(float a, int i, float b, int j) {
  if (i == NO_INDEX || j == NO_INDEX) return i < j;
  bool a_counts = a == a, b_counts = b == b;
  if (a_counts && b_counts) return a > b || (a == b && i < j);
  return a_counts != b_counts ? a_counts : i < j;
}

// The first of the block's (value, index) pairs; every thread gets it.
DEVICE void block_first(float& value, int& index, float* values, int* indices) {
  for (int offset = 16; offset > 0; offset >>= 1) {
    float other = __shfl_xor_sync(0xffffffffu, value, offset);
    int place = __shfl_xor_sync(0xffffffffu, index, offset);
    if (precedes(other, place, value, index)) {
      value = other;
      index = place;
    }
  }
  __syncthreads();
  if ((threadIdx.x & 31) == 0) {
    values[threadIdx.x >> 5] = value;
    indices[threadIdx.x >> 5] = index;
  }
  __syncthreads();
  value = values[0];
  index = indices[0];
  for (int warp = 1; warp < (int)(blockDim.x >> 5); ++warp) {
    if (precedes(values[warp], indices[warp], value, index)) {
      value = values[warp];
      index = indices[warp];
    }
  }
}

// The `k` first numbers of each row in order. One block per row; each round finds the first pair behind the last one.
// For `argmax` k is 1 and `values` null; its index is -1 where a row holds a number that is not finite.
KERNEL(256, top_k, int columns, int k, int wide, const void* logits, void* values, int values_wide, int* indices) {
  __shared__ float best_values[32];
  __shared__ int best_indices[32];
  long long row = blockIdx.x, base = row * columns;
  float last = INFINITY;
  int last_index = -1;
  for (int rank = 0; rank < k; ++rank) {
    float best = -INFINITY;
    int best_index = NO_INDEX;
    for (int i = threadIdx.x; i < columns; i += blockDim.x) {
      float value = logit(logits, wide, base + i);
      int place = i;
      if (!values && (__float_as_uint(value) & 0x7f800000u) == 0x7f800000u) {
        value = INFINITY;
        place = -1;
      }
      bool is_left = rank == 0 || precedes(last, last_index, value, place);
      if (is_left && precedes(value, place, best, best_index)) {
        best = value;
        best_index = place;
      }
    }
    block_first(best, best_index, best_values, best_indices);
    if (threadIdx.x == 0) {
      indices[row * k + rank] = best_index;
      if (values && values_wide) ((float*)values)[row * k + rank] = best;
      if (values && !values_wide) ((real*)values)[row * k + rank] = narrow(best);
    }
    last = best;
    last_index = best_index;
  }
}
