// Causal attention over packed sequences, forward and backward, tile by tile: no tokens x tokens matrix is ever in memory
// (Dao et al. 2022; Dao 2023).
//
//   S = scale · Q Kᵀ (causal)     P = softmax(S)     O = P V     L = log Σ exp(S)
//   P = exp(S − L)   dV = Pᵀ dO   dP = dO Vᵀ   dS = P ∘ (dP − δ)   δ = Σ dO ∘ O   dQ = scale · dS K   dK = scale · dSᵀ Q
//
// qkv [tokens, (heads + 2 kv_heads) · size] = queries | keys | values; out [tokens, heads · size]; L, δ [tokens, heads].
// Sequence s has rows offsets[s] … offsets[s + 1] − 1. D = size rounded up, zeros in the gap.
//
// A block owns TILE rows of one side of one head of one sequence, 16 per warp, and takes STEP rows of the other side at a
// time. Nothing is added atomically: the gradient of the keys recomputes P for its own rows, and so does the queries'.
#include "common.cuh"

enum { TILE = 64, STEP = 32, WARPS = 4, GAP = 8 };

// acc (+)= A · B for one warp: A is 16 rows x (16 · K) columns, B (16 · K) x (8 · N). A lies as [i][k] or, transposed, as
// [k][i]; B as [k][n] or, transposed, as [n][k]. acc[n][0 … 3] of a lane: rows lane/4 and lane/4 + 8 (2 numbers each),
// columns 8 n + 2 (lane % 4) + {0, 1}: the accumulator layout of mma.sync.m16n8k16.
template <int N, int K, bool TRANSPOSED_B>
DEVICE void multiply(float (&acc)[N][4], const real* a, int a_stride, const real* b, int b_stride) {
  int lane = threadIdx.x & 31, group = lane >> 2, pair = (lane & 3) * 2;
#if ENGRAM_BF16
#pragma unroll
  for (int k = 0; k < K; ++k) {
    unsigned left[4];
    const real* from = a + group * a_stride + k * 16 + pair;
    left[0] = *(const unsigned*)from;
    left[1] = *(const unsigned*)(from + 8 * a_stride);
    left[2] = *(const unsigned*)(from + 8);
    left[3] = *(const unsigned*)(from + 8 * a_stride + 8);
#pragma unroll
    for (int n = 0; n < N; ++n) {
      unsigned right[2];
      if (TRANSPOSED_B) {
        const real* place = b + (n * 8 + group) * b_stride + k * 16 + pair;
        right[0] = *(const unsigned*)place;
        right[1] = *(const unsigned*)(place + 8);
      } else {
        const real* place = b + (k * 16 + pair) * b_stride + n * 8 + group;
        right[0] = (unsigned)place[0].bits | (unsigned)place[b_stride].bits << 16;
        right[1] = (unsigned)place[8 * b_stride].bits | (unsigned)place[9 * b_stride].bits << 16;
      }
#ifdef ENGRAM_EMULATION
      emulation::mma_m16n8k16_bf16(acc[n], left, right);
#else
      asm volatile(
          "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
          "{%0, %1, %2, %3};"
          : "+f"(acc[n][0]), "+f"(acc[n][1]), "+f"(acc[n][2]), "+f"(acc[n][3])
          : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right[0]), "r"(right[1]));
#endif
    }
  }
#else
  const real *left = a + group * a_stride, *next = left + 8 * a_stride;
#pragma unroll 2
  for (int k = 0; k < 16 * K; ++k) {
    float upper = left[k], lower = next[k];
#pragma unroll
    for (int n = 0; n < N; ++n) {
      int column = n * 8 + pair;
      float first = TRANSPOSED_B ? b[column * b_stride + k] : b[k * b_stride + column];
      float second = TRANSPOSED_B ? b[(column + 1) * b_stride + k] : b[k * b_stride + column + 1];
      acc[n][0] += upper * first;
      acc[n][1] += upper * second;
      acc[n][2] += lower * first;
      acc[n][3] += lower * second;
    }
  }
#endif
}

template <int N>
DEVICE void clear(float (&acc)[N][4]) {
#pragma unroll
  for (int n = 0; n < N; ++n) acc[n][0] = acc[n][1] = acc[n][2] = acc[n][3] = 0.0f;
}

// ROWS rows of `size` numbers to shared memory, zeros behind `available` rows and behind the size.
template <int ROWS, int D>
DEVICE void load_tile(real* target, const real* source, long long stride, int available, int size) {
  float values[8];
  for (int part = threadIdx.x; part < ROWS * (D / 8); part += WARPS * 32) {
    int row = part / (D / 8), column = part % (D / 8) * 8;
    load8(source + row * stride + column, row < available ? size - column : 0, values);
    store8(target + row * (D + GAP) + column, 8, values);
  }
}

// A warp's 16 x (8 N) accumulator to 16 rows in global memory, as far as they exist.
template <int N>
DEVICE void store_rows(const float (&acc)[N][4], float scale, real* target, long long stride, int available, int size) {
  int lane = threadIdx.x & 31, group = lane >> 2, pair = (lane & 3) * 2;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    if (group + half * 8 >= available) continue;
    real* row = target + (group + half * 8) * stride + pair;
#pragma unroll
    for (int n = 0; n < N; ++n) {
      int left = size - n * 8 - pair;
      if (left > 0) row[n * 8] = narrow(acc[n][half * 2] * scale);
      if (left > 1) row[n * 8 + 1] = narrow(acc[n][half * 2 + 1] * scale);
    }
  }
}

// Where a block works.
struct Place {
  int start, length, columns;
  long long stride;
  const real *queries, *keys, *values;
};

DEVICE Place place(const real* qkv, const int* offsets, int heads, int kv_heads, int size, int head, int kv_head) {
  Place result;
  result.start = offsets[blockIdx.z];
  result.length = offsets[blockIdx.z + 1] - result.start;
  result.columns = heads * size;
  result.stride = (long long)(heads + 2 * kv_heads) * size;
  const real* first = qkv + result.start * result.stride;
  result.queries = first + head * size;
  result.keys = first + (heads + kv_head) * size;
  result.values = first + (heads + kv_heads + kv_head) * size;
  return result;
}

template <int D>
DEVICE void forward(const real* qkv, const int* offsets, int heads, int kv_heads, int size, float scale, real* out,
                    float* log_sum_exp) {
  SHARED_MEMORY(memory);
  constexpr int LD = D + GAP, LP = STEP + GAP;
  real *q = (real*)memory, *k = q + TILE * LD, *v = k + STEP * LD, *p = v + STEP * LD;
  int head = blockIdx.y, first = blockIdx.x * TILE;
  Place at = place(qkv, offsets, heads, kv_heads, size, head, head / (heads / kv_heads));
  if (first >= at.length) return;
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, group = lane >> 2, pair = (lane & 3) * 2;
  int row = first + warp * 16 + group;  // this lane's rows: row and row + 8
  real* own = p + warp * 16 * LP;
  load_tile<TILE, D>(q, at.queries + first * at.stride, at.stride, at.length - first, size);

  float result[D / 8][4], largest[2] = {-INFINITY, -INFINITY}, total[2] = {0.0f, 0.0f};
  clear(result);
  int end = first + TILE < at.length ? first + TILE : at.length;
  for (int key = 0; key < end; key += STEP) {
    __syncthreads();
    load_tile<STEP, D>(k, at.keys + key * at.stride, at.stride, at.length - key, size);
    load_tile<STEP, D>(v, at.values + key * at.stride, at.stride, at.length - key, size);
    __syncthreads();
    // 1. Scores [16 x STEP] of the warp.
    float scores[STEP / 8][4];
    clear(scores);
    multiply<STEP / 8, D / 16, true>(scores, q + warp * 16 * LD, LD, k, LD);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      // 2. New maximum of each row: four neighbouring lanes hold a row.
      float top = largest[half];
#pragma unroll
      for (int n = 0; n < STEP / 8; ++n) {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          int column = key + n * 8 + pair + i;
          float& score = scores[n][half * 2 + i];
          score = column <= row + half * 8 && column < at.length ? score * scale : -INFINITY;
          top = fmaxf(top, score);
        }
      }
      top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 1));
      top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 2));
      // 3. What was summed relative to the old maximum. Key 0 is seen first by every row: `top` is finite.
      float factor = expf(largest[half] - top);
      largest[half] = top;
      total[half] *= factor;
#pragma unroll
      for (int n = 0; n < D / 8; ++n) {
        result[n][half * 2] *= factor;
        result[n][half * 2 + 1] *= factor;
      }
      // 4. Probabilities.
#pragma unroll
      for (int n = 0; n < STEP / 8; ++n) {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          float probability = expf(scores[n][half * 2 + i] - top);
          total[half] += probability;
          own[(group + half * 8) * LP + n * 8 + pair + i] = narrow(probability);
        }
      }
    }
    __syncwarp();
    // 5. Their values.
    multiply<D / 8, STEP / 16, false>(result, own, LP, v, LD);
  }
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    total[half] += __shfl_xor_sync(0xffffffffu, total[half], 1);
    total[half] += __shfl_xor_sync(0xffffffffu, total[half], 2);
    float reciprocal = 1.0f / total[half];
#pragma unroll
    for (int n = 0; n < D / 8; ++n) {
      result[n][half * 2] *= reciprocal;
      result[n][half * 2 + 1] *= reciprocal;
    }
    if (log_sum_exp && pair == 0 && row + half * 8 < at.length)
      log_sum_exp[(long long)(at.start + row + half * 8) * heads + head] = largest[half] + logf(total[half]);
  }
  store_rows<D / 8>(result, 1.0f, out + (long long)(at.start + first + warp * 16) * at.columns + head * size, at.columns,
                    at.length - first - warp * 16, size);
}

// δ[row, head] = Σ dO ∘ O: one warp each.
KERNEL(256, attention_delta, int rows, int heads, int size, const real* dout, const real* out, float* delta) {
  long long number = thread_number() >> 5;
  if (number >= (long long)rows * heads) return;
  float sum = 0.0f;
  for (int i = threadIdx.x & 31; i < size; i += 32) sum += widen(dout[number * size + i]) * widen(out[number * size + i]);
  sum = warp_sum(sum);
  if ((threadIdx.x & 31) == 0) delta[number] = sum;
}

// Gradients of TILE keys and values: all queries behind them, of all heads that share them.
template <int D>
DEVICE void backward_keys(const real* dout, const real* qkv, const float* log_sum_exp, const float* delta,
                          const int* offsets, int heads, int kv_heads, int size, float scale, real* dqkv) {
  SHARED_MEMORY(memory);
  constexpr int LD = D + GAP, LP = STEP + GAP;
  real *k = (real*)memory, *v = k + TILE * LD, *q = v + TILE * LD, *d = q + STEP * LD, *p = d + STEP * LD;
  __shared__ float row_sums[STEP], row_deltas[STEP];
  int kv_head = blockIdx.y, shared = heads / kv_heads, first = blockIdx.x * TILE;
  Place at = place(qkv, offsets, heads, kv_heads, size, 0, kv_head);
  if (first >= at.length) return;
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, group = lane >> 2, pair = (lane & 3) * 2;
  real* own = p + warp * 16 * LP;
  load_tile<TILE, D>(k, at.keys + first * at.stride, at.stride, at.length - first, size);
  load_tile<TILE, D>(v, at.values + first * at.stride, at.stride, at.length - first, size);

  float d_keys[D / 8][4], d_values[D / 8][4];
  clear(d_keys);
  clear(d_values);
  for (int head = kv_head * shared; head < (kv_head + 1) * shared; ++head) {
    for (int query = first; query < at.length; query += STEP) {
      __syncthreads();
      load_tile<STEP, D>(q, at.queries + head * size + query * at.stride, at.stride, at.length - query, size);
      load_tile<STEP, D>(d, dout + (long long)(at.start + query) * at.columns + head * size, at.columns,
                         at.length - query, size);
      if (threadIdx.x < STEP) {
        long long index = (long long)(at.start + query + (int)threadIdx.x) * heads + head;
        bool exists = query + (int)threadIdx.x < at.length;
        row_sums[threadIdx.x] = exists ? log_sum_exp[index] : 0.0f;
        row_deltas[threadIdx.x] = exists ? delta[index] : 0.0f;
      }
      __syncthreads();
      // Transposed: the warp's 16 keys are rows, the queries columns.
      float probabilities[STEP / 8][4], d_scores[STEP / 8][4];
      clear(probabilities);
      multiply<STEP / 8, D / 16, true>(probabilities, k + warp * 16 * LD, LD, q, LD);
#pragma unroll
      for (int n = 0; n < STEP / 8; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          int row = first + warp * 16 + group + (i >> 1) * 8, column = n * 8 + pair + (i & 1);
          bool counts = query + column >= row && query + column < at.length && row < at.length;
          probabilities[n][i] = counts ? expf(probabilities[n][i] * scale - row_sums[column]) : 0.0f;
          own[(group + (i >> 1) * 8) * LP + column] = narrow(probabilities[n][i]);
        }
      }
      __syncwarp();
      multiply<D / 8, STEP / 16, false>(d_values, own, LP, d, LD);
      clear(d_scores);
      multiply<STEP / 8, D / 16, true>(d_scores, v + warp * 16 * LD, LD, d, LD);
      __syncwarp();
#pragma unroll
      for (int n = 0; n < STEP / 8; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          int column = n * 8 + pair + (i & 1);
          own[(group + (i >> 1) * 8) * LP + column] =
              narrow(probabilities[n][i] * (d_scores[n][i] - row_deltas[column]));
        }
      }
      __syncwarp();
      multiply<D / 8, STEP / 16, false>(d_keys, own, LP, q, LD);
    }
  }
  real* target = dqkv + (at.start + first + warp * 16) * at.stride;
  int left = at.length - first - warp * 16;
  store_rows<D / 8>(d_keys, scale, target + (heads + kv_head) * size, at.stride, left, size);
  store_rows<D / 8>(d_values, 1.0f, target + (heads + kv_heads + kv_head) * size, at.stride, left, size);
}

// Gradient of TILE queries of one head: all keys before them.
template <int D>
DEVICE void backward_queries(const real* dout, const real* qkv, const float* log_sum_exp, const float* delta,
                             const int* offsets, int heads, int kv_heads, int size, float scale, real* dqkv) {
  SHARED_MEMORY(memory);
  constexpr int LD = D + GAP, LP = STEP + GAP;
  real *q = (real*)memory, *d = q + TILE * LD, *k = d + TILE * LD, *v = k + STEP * LD, *p = v + STEP * LD;
  int head = blockIdx.y, first = blockIdx.x * TILE;
  Place at = place(qkv, offsets, heads, kv_heads, size, head, head / (heads / kv_heads));
  if (first >= at.length) return;
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, group = lane >> 2, pair = (lane & 3) * 2;
  real* own = p + warp * 16 * LP;
  load_tile<TILE, D>(q, at.queries + first * at.stride, at.stride, at.length - first, size);
  load_tile<TILE, D>(d, dout + (long long)(at.start + first) * at.columns + head * size, at.columns, at.length - first,
                     size);
  float row_sums[2], row_deltas[2];
  for (int half = 0; half < 2; ++half) {
    int row = first + warp * 16 + group + half * 8;
    long long index = (long long)(at.start + row) * heads + head;
    row_sums[half] = row < at.length ? log_sum_exp[index] : 0.0f;
    row_deltas[half] = row < at.length ? delta[index] : 0.0f;
  }
  float d_queries[D / 8][4];
  clear(d_queries);
  int end = first + TILE < at.length ? first + TILE : at.length;
  for (int key = 0; key < end; key += STEP) {
    __syncthreads();
    load_tile<STEP, D>(k, at.keys + key * at.stride, at.stride, at.length - key, size);
    load_tile<STEP, D>(v, at.values + key * at.stride, at.stride, at.length - key, size);
    __syncthreads();
    float scores[STEP / 8][4], d_scores[STEP / 8][4];
    clear(scores);
    clear(d_scores);
    multiply<STEP / 8, D / 16, true>(scores, q + warp * 16 * LD, LD, k, LD);
    multiply<STEP / 8, D / 16, true>(d_scores, d + warp * 16 * LD, LD, v, LD);
#pragma unroll
    for (int n = 0; n < STEP / 8; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        int half = i >> 1, row = first + warp * 16 + group + half * 8, column = n * 8 + pair + (i & 1);
        bool counts = key + column <= row && row < at.length;
        float probability = counts ? expf(scores[n][i] * scale - row_sums[half]) : 0.0f;
        own[(group + half * 8) * LP + column] = narrow(probability * (d_scores[n][i] - row_deltas[half]));
      }
    }
    __syncwarp();
    multiply<D / 8, STEP / 16, false>(d_queries, own, LP, k, LD);
    __syncwarp();
  }
  store_rows<D / 8>(d_queries, scale, dqkv + (at.start + first + warp * 16) * at.stride + head * size, at.stride,
                    at.length - first - warp * 16, size);
}

#define ATTENTION_KERNELS(D)                                                                                           \
  KERNEL(128, attention_##D, const real* qkv, const int* offsets, int heads, int kv_heads, int size, float scale,       \
         real* out, float* log_sum_exp) {                                                                              \
    forward<D>(qkv, offsets, heads, kv_heads, size, scale, out, log_sum_exp);                                           \
  }                                                                                                                    \
  KERNEL(128, attention_keys_##D, const real* dout, const real* qkv, const float* log_sum_exp, const float* delta,      \
         const int* offsets, int heads, int kv_heads, int size, float scale, real* dqkv) {                             \
    backward_keys<D>(dout, qkv, log_sum_exp, delta, offsets, heads, kv_heads, size, scale, dqkv);                       \
  }                                                                                                                    \
  KERNEL(128, attention_queries_##D, const real* dout, const real* qkv, const float* log_sum_exp, const float* delta,   \
         const int* offsets, int heads, int kv_heads, int size, float scale, real* dqkv) {                             \
    backward_queries<D>(dout, qkv, log_sum_exp, delta, offsets, heads, kv_heads, size, scale, dqkv);                    \
  }

ATTENTION_KERNELS(16)
ATTENTION_KERNELS(64)
ATTENTION_KERNELS(128)
