// Shared by the lm_* kernels; not public.
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lm_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define LM_PAUSE() _mm_pause()
#else
#define LM_PAUSE() ((void)0)
#endif

/// Micro-kernels keep their sums in registers: their inner loops must be unrolled whole.
#define LM_UNROLL _Pragma("clang loop unroll(full)")

/// Columns of one packed panel of the right operand; every instruction set uses the same panels.
#define LM_PANEL 32

typedef struct {
  void *memory;
  size_t size;
} lm_scratch;

typedef void (*lm_task)(void *argument, int thread, int threads);

struct lm_context {
  int threads, isa;
  pthread_t *workers;
  // The job: published by bumping `sequence`; `pending` counts workers still at it.
  _Atomic unsigned sequence, pending;
  _Atomic int sleepers, waiting;  // asleep before a job, and within one
  _Atomic bool stop;
  lm_task task;
  void *argument;
  int task_threads;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  // Barrier of the running job.
  _Atomic unsigned barrier_generation;
  _Atomic int barrier_count;
  _Atomic long next;  // dynamic scheduling where units are independent
  lm_scratch shared;  // the packed left operand
  lm_scratch extra;   // a transposed result
  lm_scratch *local;  // one per thread
  double product_seconds, product_operations;  // of all products so far
};

/// Runs task(argument, t, n) for t in 0..<n on n threads; n = 1 for little work (`nanoseconds`, a rough estimate).
void lm_parallel(lm_context *context, double nanoseconds, lm_task task, void *argument);
/// Waits for all threads of the running job (n as given to the task).
void lm_barrier(lm_context *context, int threads);
/// Memory of at least `size` bytes, 64-byte aligned, kept between calls; NULL when refused.
void *lm_reserve(lm_scratch *scratch, size_t size);

static inline long lm_min(long a, long b) { return a < b ? a : b; }
static inline long lm_max(long a, long b) { return a > b ? a : b; }
static inline long lm_round_up(long a, long b) { return (a + b - 1) / b * b; }
/// First item of part `i` of `parts` of `count` items.
static inline long lm_part(long count, long i, long parts) { return count * i / parts; }

/// Whether `count` numbers, in rows `stride` apart, are written past the caches: so many that none would hold them until
/// they are read again. Who has written so calls `lm_streamed` before others read.
enum { LM_STREAM_BYTES = 2 << 20 };
static inline bool lm_streams(const float *x, long count, long stride) {
#if defined(__x86_64__)
  return count >= LM_STREAM_BYTES / 4 && stride % 16 == 0 && (uintptr_t)x % 64 == 0;
#else
  return false;
#endif
}
static inline void lm_streamed(void) {
#if defined(__x86_64__)
  __builtin_ia32_sfence();
#endif
}

static inline uint16_t lm_bf16(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)((bits >> 16) | 0x40);
  return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

static inline float lm_from_bf16(uint16_t value) {
  uint32_t bits = (uint32_t)value << 16;
  float result;
  memcpy(&result, &bits, 4);
  return result;
}

/// A unit of attention that its thread probably computes next: its data are asked for meanwhile. `length` 0: none.
typedef struct {
  long length;
  int kv;
  const float *qkv, *dout, *out;  // from the sequence's first row on; dout and out NULL: forward
} lm_attention_next;

/// Row-range kernels, one table per instruction set.
typedef struct {
  void (*normalize)(long r0, long r1, long d, int kind, float epsilon, const float *x, const float *residual,
                    float *sum, const float *weight, const float *bias, float *y, float *statistics);
  void (*normalize_dx)(long r0, long r1, long d, int kind, const float *dy, const float *x, const float *statistics,
                       const float *weight, float *dx, bool accumulate);
  void (*normalize_dw)(long c0, long c1, long rows, long d, int kind, const float *dy, const float *x,
                       const float *statistics, float *dweight, float *dbias);
  void (*activate)(long i0, long i1, int kind, const float *x, float *y);
  void (*activate_backward)(long i0, long i1, int kind, const float *dy, const float *x, float *dx);
  void (*gated)(long r0, long r1, long f, const float *x, float *y);
  void (*gated_backward)(long r0, long r1, long f, const float *dy, const float *x, float *dx);
  void (*add)(long i0, long i1, const float *x, float *y);
  void (*column_sums)(long c0, long c1, long rows, const float *x, long stride, float *y);
  void (*rotate)(long r0, long r1, long stride, int heads, int head_size, const int32_t *positions,
                 const float *table, bool inverse, float *x);
  void (*cross_entropy)(long r0, long r1, long vocabulary, float *logits, long stride, const int32_t *targets,
                        float scale, bool gradient, float *losses);
  void (*argmax)(long r0, long r1, long columns, const float *x, int32_t *indices);
  double (*sum_of_squares)(long i0, long i1, const float *x);
  void (*adamw)(long i0, long i1, const lm_adamw_step *step, float *p, const float *g, float *m, float *v);
  // Attention: one (sequence, key/value head). scratch: see lm_attention.c.
  void (*attention)(long length, const lm_attention_shape *s, int kv, const float *qkv, float *out, float *lse,
                    float *scratch);
  void (*attention_backward)(long length, const lm_attention_shape *s, int kv, const float *dout, const float *qkv,
                             const float *out, const float *lse, float *dqkv, float *scratch);
  // Caches of keys and values in 32 bits or, `half`, in bf16; at: the first element of a slot's head.
  void (*attention_step)(long length, const lm_attention_shape *s, int kv, const float *q, const void *keys,
                         const void *values, bool half, long at, float *out, float *scratch);
  void (*store_cached)(long n, const float *x, void *cache, bool half, long at);
  // With products on tiles (lm_attention_tiles.inc), D a multiple of 32. memory: attention_tiles_bytes.
  void (*attention_tiles)(long length, const lm_attention_shape *s, int kv, const float *qkv, float *out, float *lse,
                          char *memory, bool emulated, lm_attention_next next);
  void (*attention_tiles_backward)(long length, const lm_attention_shape *s, int kv, const float *dout,
                                   const float *qkv, const float *out, const float *lse, float *dqkv, char *memory,
                                   bool emulated, bool stream, lm_attention_next next);
  size_t (*attention_tiles_bytes)(long length, long d, bool backward);
  // Products: see lm_gemm.c.
  int rows;  // of the f32 micro-kernel
  void (*pack_a)(long rows, long k, float alpha, const float *a, long rs, long cs, float *out);
  void (*pack_a_pairs)(long rows, long panel_rows, long k, float alpha, const float *a, long rs, long cs,
                       uint32_t *out);
  void (*pack_a_tiles)(long rows, long k, float alpha, const float *a, long rs, long cs, uint16_t *out);
  void (*pack_b)(long k, long n, const float *b, long rs, long cs, float *out);
  void (*pack_b_pairs)(long k, long n, const float *b, long rs, uint32_t *out);
  void (*pairs_from_f32)(long k, const float *panel, uint32_t *out);
  void (*f32_from_pairs)(long k, const uint32_t *pairs, float *panel);
  void (*transpose_pairs)(const uint32_t *source, uint32_t *out);
  void (*kernel)(long k, const float *a, const float *b, const float *bias, float *c, long ldc, int rows, int columns,
                 bool accumulate);
  void (*skinny)(long rows, long k, float alpha, const float *a, long rs, const float *b, const float *bias, float *c,
                 long ldc, int columns, bool accumulate);
  void (*few)(long rows, long k, const float *a, long rs, const uint32_t *b, const uint32_t *ahead, const float *bias,
              float *c, long ldc, int columns, bool accumulate);
  // May be missing.
  void (*few_third)(long rows, long k, const float *a, long rs, const uint32_t *const b[3],
                    const uint32_t *const ahead[2], const float *bias, float *c, long ldc, bool accumulate);
} lm_table;

extern const lm_table lm_table_portable, lm_table_avx2, lm_table_avx512;
static inline const lm_table *lm_table_for(int isa) {
#if defined(__x86_64__)
  if (isa == LM_AMX_EMULATED) return lm_best_isa() >= LM_AVX512 ? &lm_table_avx512 : &lm_table_portable;
  if (isa >= LM_AVX512) return &lm_table_avx512;
  if (isa == LM_AVX2) return &lm_table_avx2;
#endif
  return &lm_table_portable;
}

/// vdpbf16ps: pairs of k; a [k/2][LM_BF16_ROWS] pairs, b [k/2][32] pairs.
#define LM_BF16_ROWS 14
void lm_kernel_bf16(long k, const uint32_t *a, const uint32_t *b, const float *bias, float *c, long ldc, int rows,
                    int columns, bool accumulate);
/// Sums of up to two row tiles by 32 columns: to = from + A · B.
typedef struct {
  long k;                    // a multiple of 32
  const uint16_t *a0, *a1;   // [k/32][16 rows][32] each; a1 NULL: one row tile
  const uint32_t *b;         // [k/2][32] pairs
  const float *from;         // NULL: zero. Stride 0: the same row for all
  long from_stride;
  float *to;
  long to_stride;
  const char *ahead;         // `lines` cache lines of it are asked for in every step of k = 32
  long lines;
  long k2;                   // more products in the same sums, as above; a2: both row tiles, one behind the other
  const uint16_t *a2;
  const uint32_t *b2;
} lm_tiles_job;
bool lm_tiles_available(void);
void lm_tiles_begin(void);
void lm_tiles_end(void);
void lm_tiles_run(const lm_tiles_job *job);
void lm_tiles_run_emulated(const lm_tiles_job *job);
/// Rows of C (+)= [rows][32] sums (+ bias).
void lm_tiles_add(const float *sums, long rows, const float *bias, bool accumulate, float *c, long ldc);
/// Writes [rows][32] sums past the caches to rows of C (aligned to 64 bytes): see `lm_streamed`.
void lm_tiles_stream(const float *sums, long rows, float *c, long ldc);
/// out [k/32][16 rows][32] = alpha · a [rows][k], rows and k past the end zero; `out` aligned to 64 bytes.
void lm_pack_tiles(long rows, long k, float alpha, const float *a, long rs, uint16_t *out);
/// A product on tiles (lm_tiles_product.c): 1 done, 0 not of its kind, -1 scratch memory was refused.
int lm_tiles_product(lm_context *context, long m, long n, long k, float alpha, const float *a, long a_row_stride,
                     long a_column_stride, lm_operand b, const float *bias, bool accumulate, float *c,
                     long c_row_stride, const lm_branch *branch);
bool lm_tiles_fit_branch(long k, const lm_branch *branch);
