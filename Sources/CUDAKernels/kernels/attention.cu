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
//
// In bf16 the next STEP rows are on their way while the present ones are computed with (cp.async, two stages), fragments
// come from shared memory by ldmatrix, and P goes from one product's accumulators to the next one's operand without leaving
// the registers (Dao 2023). GAP keeps the eight rows of a fragment in different banks.
#include "common.cuh"

enum { TILE = 64, WARPS = 4, GAP = 8, PIECE = 16 / sizeof(real) };
// Rows of the other side, and tiles of them that are in shared memory at a time. In 32 bits less: the smallest devices
// give a block 99 KB.
enum { STEP = ENGRAM_BF16 ? 32 : 16, STAGES = ENGRAM_BF16 ? 2 : 1 };

#ifdef ENGRAM_EMULATION
DEVICE void copy_16_bytes(void* target, const void* source, bool exists) {
  emulation::copy_async(target, source, exists);
}
DEVICE void commit_copies() { emulation::commit_copies(); }
template <int LEFT>
DEVICE void wait_for_copies() { emulation::wait_for_copies(LEFT); }
template <bool TRANSPOSED>
DEVICE void load_fragments(unsigned (&words)[4], const real* row) { emulation::load_matrices(words, row, TRANSPOSED); }
DEVICE void multiply_fragments(float (&acc)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  emulation::mma_m16n8k16_bf16(acc, a, {b0, b1});
}
#else
DEVICE unsigned shared_address(const void* pointer) { return (unsigned)__cvta_generic_to_shared(pointer); }
// 16 bytes from global to shared memory, or zeros; they arrive behind the commit that follows.
DEVICE void copy_16_bytes(void* target, const void* source, bool exists) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(target)), "l"(source),
               "r"(exists ? 16 : 0) : "memory");
}
DEVICE void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until all but the last LEFT commits of this thread have arrived.
template <int LEFT>
DEVICE void wait_for_copies() { asm volatile("cp.async.wait_group %0;" ::"n"(LEFT) : "memory"); }
// Four 8 x 8 matrices of 16-bit numbers from shared memory: lane i names row i % 8 of matrix i / 8, and gets of each matrix
// the numbers (lane / 4, 2 (lane % 4) + {0, 1}), or of its transpose.
template <bool TRANSPOSED>
DEVICE void load_fragments(unsigned (&words)[4], const real* row) {
  if (TRANSPOSED) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(shared_address(row)) : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(shared_address(row)) : "memory");
  }
}
DEVICE void multiply_fragments(float (&acc)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(acc[0]), "+f"(acc[1]), "+f"(acc[2]), "+f"(acc[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
#endif

// acc += A · B for 16 columns of A in registers: B 16 x (8 · N) from `b` on, as [k][n] or, transposed, as [n][k].
template <int N, bool TRANSPOSED_B>
DEVICE void multiply_16(float (&acc)[N][4], const unsigned (&left)[4], const real* b, int b_stride) {
  int lane = threadIdx.x & 31, row = lane & 7, matrix = lane >> 3;
#pragma unroll
  for (int n = 0; n < N; n += 2) {
    // Matrices: k 0 … 7 and 8 … 15 of columns n · 8 …, then of the next eight columns.
    unsigned right[4];
    int column = n * 8 + (matrix >> 1) * 8, k = (matrix & 1) * 8;
    if (TRANSPOSED_B) {
      load_fragments<false>(right, b + (column + row) * b_stride + k);
    } else {
      load_fragments<true>(right, b + (k + row) * b_stride + column);
    }
    multiply_fragments(acc[n], left, right[0], right[1]);
    multiply_fragments(acc[n + 1], left, right[2], right[3]);
  }
}

// acc += A · B for one warp: A is 16 rows x (16 · K) columns and lies as [i][k], B (16 · K) x (8 · N) as [k][n] or,
// transposed, as [n][k]. acc[n][0 … 3] of a lane: rows lane/4 and lane/4 + 8 (2 numbers each),
// columns 8 n + 2 (lane % 4) + {0, 1}: the accumulator layout of mma.sync.m16n8k16.
template <int N, int K, bool TRANSPOSED_B>
DEVICE void multiply(float (&acc)[N][4], const real* a, int a_stride, const real* b, int b_stride) {
  int lane = threadIdx.x & 31;
#if ENGRAM_BF16
#pragma unroll
  for (int k = 0; k < K; ++k) {
    // Matrices: rows 0 … 7 and 8 … 15 of columns k · 16 …, then of the next eight columns.
    unsigned left[4];
    load_fragments<false>(left, a + (lane & 15) * a_stride + k * 16 + (lane >> 4) * 8);
    multiply_16<N, TRANSPOSED_B>(acc, left, b + (TRANSPOSED_B ? k * 16 : k * 16 * b_stride), b_stride);
  }
#else
  int group = lane >> 2, pair = (lane & 3) * 2;
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

// acc += P · B, where P [16 x 16 · K] stands in the warp's accumulators. `own`: 16 x (STEP + GAP) numbers of shared memory
// of this warp, used in 32 bits only.
template <int N, int K>
DEVICE void multiply_kept(float (&acc)[N][4], const float (&p)[2 * K][4], real* own, const real* b, int b_stride) {
#if ENGRAM_BF16
#pragma unroll
  for (int k = 0; k < K; ++k) {
    // The accumulators of two neighbouring blocks of 8 columns are the fragment of 16 columns.
    unsigned left[4] = {pack(p[2 * k][0], p[2 * k][1]), pack(p[2 * k][2], p[2 * k][3]),
                        pack(p[2 * k + 1][0], p[2 * k + 1][1]), pack(p[2 * k + 1][2], p[2 * k + 1][3])};
    multiply_16<N, false>(acc, left, b + k * 16 * b_stride, b_stride);
  }
#else
  int lane = threadIdx.x & 31, group = lane >> 2, pair = (lane & 3) * 2;
#pragma unroll
  for (int n = 0; n < 2 * K; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) own[(group + (i >> 1) * 8) * (STEP + GAP) + n * 8 + pair + (i & 1)] = p[n][i];
  }
  __syncwarp();
  multiply<N, K, false>(acc, own, STEP + GAP, b, b_stride);
  __syncwarp();
#endif
}

// ROWS rows of `size` numbers to shared memory, zeros behind `available` rows (at least one) and behind the size. What can
// go 16 bytes at a time arrives behind the next commit, the rest at once. A thread keeps its column, so that a step costs a
// few additions per copy.
template <int ROWS, int D>
DEVICE void load_tile(real* target, const real* source, long long stride, int available, int size) {
  constexpr int PIECES = D / PIECE, PASS = WARPS * 32 / PIECES;  // pieces of a row; rows that the block takes at a time
  int row = threadIdx.x / PIECES, column = threadIdx.x % PIECES * PIECE;
  real* to = target + row * (D + GAP) + column;
  const real* from = source + row * stride + column;
  if (PASS > ROWS && row >= ROWS) return;
  if (is_aligned(source) && stride % PIECE == 0 && size % PIECE == 0) {
#pragma unroll
    for (int i = 0; i < ROWS; i += PASS) {
      bool exists = row + i < available && column < size;
      copy_16_bytes(to + i * (D + GAP), exists ? from : source, exists);
      from += PASS * stride;
    }
    return;
  }
#pragma unroll 1
  for (int i = 0; i < ROWS; i += PASS) {
#pragma unroll 1
    for (int j = 0; j < PIECE; ++j)
      to[i * (D + GAP) + j] = row + i < available && column + j < size ? from[j] : narrow(0.0f);
    from += PASS * stride;
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

// Between these two a block computes with what load(step) brought to its stage of shared memory. With two stages the next
// step is on its way meanwhile.
//
// `load` comes by reference, and the loop stays with its kernel: by value, or as one function over the whole loop, NVRTC 13.5
// takes up to 33 registers more.
template <class Load>
DEVICE void enter_stage(int step, int steps, Load& load) {
  if (STAGES > 1) {
    if (step + 1 < steps) load(step + 1);
    commit_copies();
  }
  wait_for_copies<STAGES - 1>();
  __syncthreads();
}

template <class Load>
DEVICE void leave_stage(int step, int steps, Load& load) {
  __syncthreads();  // the stage may be written again
  if (STAGES == 1 && step + 1 < steps) {
    load(step + 1);
    commit_copies();
  }
}

// STEP keys and their values to a stage.
template <int D>
DEVICE void load_keys_values(real* k, const Place& at, int step, int size) {
  load_tile<STEP, D>(k, at.keys + step * STEP * at.stride, at.stride, at.length - step * STEP, size);
  load_tile<STEP, D>(k + STEP * (D + GAP), at.values + step * STEP * at.stride, at.stride, at.length - step * STEP, size);
}

template <int D>
DEVICE void forward(const real* qkv, const int* offsets, int heads, int kv_heads, int size, float scale, real* out,
                    float* log_sum_exp) {
  SHARED_MEMORY(memory);
  constexpr int LD = D + GAP, STAGE = 2 * STEP * LD;  // a stage: keys, then values
  real *q = (real*)memory, *stages = q + TILE * LD, *p = stages + STAGES * STAGE;
  int head = blockIdx.y, first = blockIdx.x * TILE;
  Place at = place(qkv, offsets, heads, kv_heads, size, head, head / (heads / kv_heads));
  if (first >= at.length) return;
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, group = lane >> 2, pair = (lane & 3) * 2;
  int row = first + warp * 16 + group;  // this lane's rows: row and row + 8
  real* own = p + warp * 16 * (STEP + GAP);
  load_tile<TILE, D>(q, at.queries + first * at.stride, at.stride, at.length - first, size);

  float result[D / 8][4], largest[2] = {-INFINITY, -INFINITY}, total[2] = {0.0f, 0.0f};
  clear(result);
  int end = first + TILE < at.length ? first + TILE : at.length, steps = (end + STEP - 1) / STEP;
  auto load = [&](int step) { load_keys_values<D>(stages + step % STAGES * STAGE, at, step, size); };
  load(0);
  commit_copies();
  for (int step = 0; step < steps; ++step) {
    enter_stage(step, steps, load);
    const real *k = stages + step % STAGES * STAGE, *v = k + STEP * LD;
    int key = step * STEP;
    // All keys of the step may be behind all rows of the warp.
    if (key <= first + warp * 16 + 15) {
      // 1. Scores [16 x STEP] of the warp.
      float scores[STEP / 8][4];
      clear(scores);
      multiply<STEP / 8, D / 16, true>(scores, q + warp * 16 * LD, LD, k, LD);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        // 2. New maximum of each row: four neighbouring lanes hold a row.
        float top = largest[half];
        int last = (row + half * 8 < at.length ? row + half * 8 : at.length - 1) - key - pair;  // key that the row sees
#pragma unroll
        for (int n = 0; n < STEP / 8; ++n) {
#pragma unroll
          for (int i = 0; i < 2; ++i) {
            float& score = scores[n][half * 2 + i];
            score = n * 8 + i <= last ? score * scale : -INFINITY;
            top = fmaxf(top, score);
          }
        }
        top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 1));
        top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 2));
        // 3. What was summed relative to the old maximum. Key 0 is seen first by every row: `top` is finite.
        float factor = exponential(largest[half] - top);
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
            float probability = exponential(scores[n][half * 2 + i] - top);
            total[half] += probability;
            scores[n][half * 2 + i] = probability;
          }
        }
      }
      // 5. Their values.
      multiply_kept<D / 8, STEP / 16>(result, scores, own, v, LD);
    }
    leave_stage(step, steps, load);
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
  float sum = 0.0f, a[8], b[8];
  for (int i = (threadIdx.x & 31) * 8; i < size; i += 256) {
    load8(dout + number * size + i, size - i, a);
    load8(out + number * size + i, size - i, b);
    for (int j = 0; j < 8; ++j) sum += a[j] * b[j];
  }
  sum = warp_sum(sum);
  if ((threadIdx.x & 31) == 0) delta[number] = sum;
}

// Gradients of TILE keys and values: all queries behind them, of all heads that share them.
template <int D>
DEVICE void backward_keys(const real* dout, const real* qkv, const float* log_sum_exp, const float* delta,
                          const int* offsets, int heads, int kv_heads, int size, float scale, real* dqkv) {
  SHARED_MEMORY(memory);
  constexpr int LD = D + GAP, STAGE = 2 * STEP * LD;  // a stage: queries, then dO
  real *k = (real*)memory, *v = k + TILE * LD, *stages = v + TILE * LD, *p = stages + STAGES * STAGE;
  __shared__ float row_sums[STAGES][STEP], row_deltas[STAGES][STEP];
  int kv_head = blockIdx.y, shared = heads / kv_heads, first = blockIdx.x * TILE;
  Place at = place(qkv, offsets, heads, kv_heads, size, 0, kv_head);
  if (first >= at.length) return;
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, group = lane >> 2, pair = (lane & 3) * 2;
  real* own = p + warp * 16 * (STEP + GAP);
  load_tile<TILE, D>(k, at.keys + first * at.stride, at.stride, at.length - first, size);
  load_tile<TILE, D>(v, at.values + first * at.stride, at.stride, at.length - first, size);

  float d_keys[D / 8][4], d_values[D / 8][4];
  clear(d_keys);
  clear(d_values);
  // Steps of one head, then of the next.
  int per_head = (at.length - first + STEP - 1) / STEP, steps = shared * per_head;
  auto load = [&](int step) {
    int head = kv_head * shared + step / per_head, query = first + step % per_head * STEP, stage = step % STAGES;
    real* q = stages + stage * STAGE;
    load_tile<STEP, D>(q, at.queries + head * size + query * at.stride, at.stride, at.length - query, size);
    load_tile<STEP, D>(q + STEP * LD, dout + (long long)(at.start + query) * at.columns + head * size, at.columns,
                       at.length - query, size);
    if (threadIdx.x < STEP) {
      long long index = (long long)(at.start + query + (int)threadIdx.x) * heads + head;
      bool exists = query + (int)threadIdx.x < at.length;
      row_sums[stage][threadIdx.x] = exists ? log_sum_exp[index] : 0.0f;
      row_deltas[stage][threadIdx.x] = exists ? delta[index] : 0.0f;
    }
  };
  load(0);
  commit_copies();
  for (int step = 0; step < steps; ++step) {
    enter_stage(step, steps, load);
    int query = first + step % per_head * STEP, stage = step % STAGES;
    const real *q = stages + stage * STAGE, *d = q + STEP * LD;
    // All queries of the step may be before all keys of the warp.
    if (query + STEP > first + warp * 16) {
      // Transposed: the warp's 16 keys are rows, the queries columns.
      float probabilities[STEP / 8][4], d_scores[STEP / 8][4];
      clear(probabilities);
      multiply<STEP / 8, D / 16, true>(probabilities, k + warp * 16 * LD, LD, q, LD);
      // The queries of this step that see a row are from the row on and before `end`.
      int own_row = first + warp * 16 + group - query - pair, end = at.length - query - pair;
#pragma unroll
      for (int n = 0; n < STEP / 8; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          int place = n * 8 + (i & 1), column = place + pair;
          bool counts = place >= own_row + (i >> 1) * 8 && place < end;
          probabilities[n][i] = exponential(counts ? probabilities[n][i] * scale - row_sums[stage][column] : -INFINITY);
        }
      }
      multiply_kept<D / 8, STEP / 16>(d_values, probabilities, own, d, LD);
      clear(d_scores);
      multiply<STEP / 8, D / 16, true>(d_scores, v + warp * 16 * LD, LD, d, LD);
#pragma unroll
      for (int n = 0; n < STEP / 8; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i)
          d_scores[n][i] = probabilities[n][i] * (d_scores[n][i] - row_deltas[stage][n * 8 + pair + (i & 1)]);
      }
      multiply_kept<D / 8, STEP / 16>(d_keys, d_scores, own, q, LD);
    }
    leave_stage(step, steps, load);
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
  constexpr int LD = D + GAP, STAGE = 2 * STEP * LD;  // a stage: keys, then values
  real *q = (real*)memory, *d = q + TILE * LD, *stages = d + TILE * LD, *p = stages + STAGES * STAGE;
  int head = blockIdx.y, first = blockIdx.x * TILE;
  Place at = place(qkv, offsets, heads, kv_heads, size, head, head / (heads / kv_heads));
  if (first >= at.length) return;
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, group = lane >> 2, pair = (lane & 3) * 2;
  real* own = p + warp * 16 * (STEP + GAP);
  load_tile<TILE, D>(q, at.queries + first * at.stride, at.stride, at.length - first, size);
  load_tile<TILE, D>(d, dout + (long long)(at.start + first) * at.columns + head * size, at.columns, at.length - first,
                     size);
  float row_sums[2], row_deltas[2];
  int last[2];  // key that a row sees, counted from this lane's first column; none: before all
  for (int half = 0; half < 2; ++half) {
    int row = first + warp * 16 + group + half * 8;
    long long index = (long long)(at.start + row) * heads + head;
    row_sums[half] = row < at.length ? log_sum_exp[index] : 0.0f;
    row_deltas[half] = row < at.length ? delta[index] : 0.0f;
    last[half] = row < at.length ? row - pair : -pair - 1;
  }
  float d_queries[D / 8][4];
  clear(d_queries);
  int end = first + TILE < at.length ? first + TILE : at.length, steps = (end + STEP - 1) / STEP;
  auto load = [&](int step) { load_keys_values<D>(stages + step % STAGES * STAGE, at, step, size); };
  load(0);
  commit_copies();
  for (int step = 0; step < steps; ++step) {
    enter_stage(step, steps, load);
    const real *k = stages + step % STAGES * STAGE, *v = k + STEP * LD;
    if (step * STEP <= first + warp * 16 + 15) {
      float scores[STEP / 8][4], d_scores[STEP / 8][4];
      clear(scores);
      clear(d_scores);
      multiply<STEP / 8, D / 16, true>(scores, q + warp * 16 * LD, LD, k, LD);
      multiply<STEP / 8, D / 16, true>(d_scores, d + warp * 16 * LD, LD, v, LD);
#pragma unroll
      for (int n = 0; n < STEP / 8; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          int half = i >> 1;
          bool counts = n * 8 + (i & 1) <= last[half] - step * STEP;
          float probability = exponential(counts ? scores[n][i] * scale - row_sums[half] : -INFINITY);
          scores[n][i] = probability * (d_scores[n][i] - row_deltas[half]);
        }
      }
      multiply_kept<D / 8, STEP / 16>(d_queries, scores, own, k, LD);
    }
    leave_stage(step, steps, load);
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
