// The kernels of one instruction set: what threads call for a range of rows, a head or a block of a product; not
// public.
#pragma once
#include "lm_common.h"

// MARK: Rows

/// x and dy in, y (or dx) out. `columns`: of y, where a row of x has twice as many.
typedef struct {
  lm_activation function;
  long columns;
  const float *x, *dy;
  float *y;
} lm_elementwise;

// MARK: Attention

/// Queries that are computed together; what keys are padded to.
enum { LM_QUERY_BLOCK = 32, LM_KEY_PAD = 16 };

/// A unit of attention that its thread probably computes next: its data are asked for meanwhile. `length` 0: none.
typedef struct {
  long length;
  int kv;
  const float *qkv, *dout, *out;  // from the sequence's first row on; dout and out NULL: forward
} lm_attention_next;

/// One (sequence, key/value head); arrays begin at the sequence's first row.
typedef struct {
  long length;
  const lm_attention_shape *shape;
  int kv;
  void *memory;           // scratch: see the kernels
  bool emulated, stream;  // tiles in plain C; results past the caches
  lm_attention_next next;
} lm_attention_unit;

/// One row's key/value head of the caches; `at`: the first element of its slot.
typedef struct {
  long length;
  const lm_attention_shape *shape;
  int kv;
  const void *keys, *values;
  bool bf16;
  long at;
} lm_cached_head;

// MARK: Products

/// `rows` rows of the left operand over `k` columns, to be packed times alpha.
typedef struct {
  long rows, k;
  float alpha;
  const float *a;
  long row_stride, column_stride;
} lm_left_part;

/// `columns` columns of a plain right operand over `k` rows.
typedef struct {
  long k, columns;
  const float *b;
  long row_stride, column_stride;
} lm_right_part;

/// The part of C that a micro-kernel computes: C [rows, columns <= 32] (+)= product over k (+ bias).
typedef struct {
  long rows, columns, k;
  const float *bias;  // NULL: none
  bool accumulate;
  float *c;
  long c_stride;
} lm_block;

/// The left operand read in place, row by row.
typedef struct {
  const float *a;
  long row_stride;
  float alpha;
} lm_left_rows;

typedef struct {
  void (*normalize)(lm_range rows, const lm_norm *norm);
  void (*normalize_dx)(lm_range rows, const lm_norm_gradient *gradient);
  void (*normalize_dw)(lm_range columns, const lm_norm_gradient *gradient);
  void (*activate)(lm_range numbers, const lm_elementwise *e);
  void (*activate_backward)(lm_range numbers, const lm_elementwise *e);
  void (*gated)(lm_range rows, const lm_elementwise *e);
  void (*gated_backward)(lm_range rows, const lm_elementwise *e);
  void (*add)(lm_range numbers, const lm_elementwise *e);
  void (*column_sums)(lm_range columns, const lm_column_sum *sum);
  void (*rotate)(lm_range rows, const lm_rotation *rotation);
  void (*cross_entropy)(lm_range rows, const lm_loss *loss);
  void (*argmax)(lm_range rows, long columns, const float *x, int32_t *indices);
  double (*sum_of_squares)(lm_range numbers, const float *x);
  void (*adamw)(lm_range numbers, const lm_adamw_step *step, const lm_adamw_arrays *arrays);

  void (*attention)(const lm_attention_unit *unit, const lm_attention_arrays *arrays);
  void (*attention_backward)(const lm_attention_unit *unit, const lm_attention_gradient *gradient);
  // With products on tiles, head sizes that are multiples of 32. memory: attention_tiles_bytes.
  void (*attention_tiles)(const lm_attention_unit *unit, const lm_attention_arrays *arrays);
  void (*attention_tiles_backward)(const lm_attention_unit *unit, const lm_attention_gradient *gradient);
  size_t (*attention_tiles_bytes)(long length, long head_size, bool backward);
  /// One query row: out [group of heads, D]; scratch: one number per cached position, rounded up to 16.
  void (*attention_step)(const lm_cached_head *head, const float *q, float *out, float *scratch);
  /// n numbers of x to a cache from element `at` on.
  void (*store_cached)(long n, const float *x, void *cache, bool bf16, long at);

  // Layouts: see lm_gemm_blocked.c.
  int rows;  // of a panel of A
  void (*pack_a)(const lm_left_part *part, float *out);
  void (*pack_a_pairs)(const lm_left_part *part, long panel_rows, uint32_t *out);
  void (*pack_a_tiles)(const lm_left_part *part, uint16_t *out);
  void (*pack_b)(const lm_right_part *part, float *out);
  void (*pack_b_pairs)(const lm_right_part *part, uint32_t *out);
  void (*pairs_from_f32)(long k, const float *panel, uint32_t *out);
  void (*f32_from_pairs)(long k, const uint32_t *pairs, float *panel);
  void (*transpose_pairs)(const uint32_t *source, uint32_t *out);
  /// a: a packed panel; b: a panel in 32 bits.
  void (*kernel)(const lm_block *block, const float *a, const float *b);
  void (*skinny)(const lm_block *block, lm_left_rows left, const float *b);
  /// b: a panel of pairs; `ahead`: the panel that is wanted next (NULL: none).
  void (*few)(const lm_block *block, lm_left_rows left, const uint32_t *b, const uint32_t *ahead);
  /// Three vectors of 8 columns; `ahead`: up to two lines of each row of what is wanted next. May be missing.
  void (*few_third)(const lm_block *block, lm_left_rows left, const uint32_t *const b[3],
                    const uint32_t *const ahead[2]);
} lm_table;

extern const lm_table lm_table_portable, lm_table_avx2, lm_table_avx512;
/// The table for an instruction set (lm_isa.c).
const lm_table *lm_table_for(int isa);

/// vdpbf16ps: pairs of k; a [k/2][LM_BF16_ROWS] pairs, b [k/2][32] pairs.
#define LM_BF16_ROWS 14
void lm_kernel_bf16(const lm_block *block, const uint32_t *a, const uint32_t *b);
