// Matrix products C (+)= alpha · A · B + bias, blocked and threaded around three micro-kernels (f32, vdpbf16ps, tiles).
//
//   A [m, k]   packed once per call, all threads together: for each block of k, panels of `rows` rows, k-major
//              (f32 [k][rows]; pairs [k/2][rows]; tiles [k/32][16][32]).
//   B [k, n]   panels of 32 columns, one block of k at a time: a frozen matrix lies packed as pairs [k/2][32], so that
//              y = xWᵀ reads it in place; dx = dy·W transposes 32 x 32 blocks of the same copy into a buffer that
//              stays in the cache (a few operations per weight, shared by all rows); anything else is packed there.
//   Few rows   read pairs in place and widen them in registers (32-bit sums).
//   Threads    split the panels of C: columns are handed out as threads become free (one may be held up by another
//              process), in shares that get smaller; few columns are split beforehand together with rows; each element is
//              summed in the order of k by one thread.
#include <time.h>

#include "lm_internal.h"

// Block sizes: a panel of B in the first-level cache, a block of A in the second (processors with tiles have 2 MB).
// Measured on Zen 5 (48 KB and 1 MB; pairs) and Zen 4 (32 KB and 1 MB; f32). Tiles come here only with a plain right operand
// or one that is transposed on the way: lm_tiles_product.c does the others.
enum { K_BLOCK_F32 = 384, K_BLOCK_PAIRS = 768, K_BLOCK_TILES = 512, M_BLOCK = 1120, M_BLOCK_PAIRS = 420 };
// Up to so many columns, 32-bit products read A in place.
enum { SKINNY_COLUMNS = 64 };
// Up to so many rows, 32-bit products read packed weights in place.
enum { FEW_ROWS = 16 };

enum { MODE_F32, MODE_PAIRS, MODE_TILES };

typedef struct {
  lm_context *context;
  const lm_table *table;
  int mode, panel_rows;
  long m, n, k, a_rs, a_cs, ldc;
  float alpha;
  const float *a;
  lm_operand b;
  const float *bias;
  bool accumulate;
  float *c;
  char *packed;
  long k_block, k_unit;  // block of k, and the multiple that the last block is padded to
  long m_block;
} product;

static long padded_k(const product *p, long k0) { return lm_round_up(lm_min(p->k_block, p->k - k0), p->k_unit); }

// Bytes of one row of k in one A panel, and of a whole panel of a block (64 bytes of slack for overlapping stores).
static long bytes_per_k(const product *p) {
  return p->mode == MODE_F32 ? 4L * p->panel_rows : 2L * p->panel_rows;
}
static long panel_bytes(const product *p, long kp) { return lm_round_up(kp * bytes_per_k(p), 64) + 64; }
static long block_offset(const product *p, long k0, long panels) {
  return k0 / p->k_block * panels * panel_bytes(p, p->k_block);
}

static void pack_a(const product *p, long m0, long rows, long panels, long first, long last) {
  for (long k0 = 0; k0 < p->k; k0 += p->k_block) {
    long kc = lm_min(p->k_block, p->k - k0), kp = padded_k(p, k0);
    for (long i = first; i < last; i++) {
      char *out = p->packed + block_offset(p, k0, panels) + i * panel_bytes(p, kp);
      long r0 = i * p->panel_rows, count = lm_min(p->panel_rows, rows - r0);
      const float *source = p->a + (m0 + r0) * p->a_rs + k0 * p->a_cs;
      if (p->mode == MODE_F32)
        p->table->pack_a(count, kc, p->alpha, source, p->a_rs, p->a_cs, (float *)out);
      else if (p->mode == MODE_PAIRS)
        p->table->pack_a_pairs(count, p->panel_rows, kc, p->alpha, source, p->a_rs, p->a_cs, (uint32_t *)out);
      else
        p->table->pack_a_tiles(count, kc, p->alpha, source, p->a_rs, p->a_cs, (uint16_t *)out);
    }
  }
}

typedef struct {
  float *f32;
  uint32_t *pairs;
  float *edge;  // 32 x 32
} buffers;

enum {
  PANEL_FLOATS = K_BLOCK_PAIRS * LM_PANEL,  // of the largest block
  BUFFER_BYTES = PANEL_FLOATS * 4 + PANEL_FLOATS * 2 + 32 * 32 * 4 + 256
};

/// Panel j of B for the block of k from k0 on, in the layout of the mode.
static const void *panel_b(const product *p, long j, long k0, const buffers *buffer) {
  const lm_operand *b = &p->b;
  long kc = lm_min(p->k_block, p->k - k0), kp = padded_k(p, k0);
  const uint32_t *pairs;
  if (b->kind == LM_OPERAND_F32) {
    long columns = lm_min(LM_PANEL, p->n - j * LM_PANEL);
    const float *source = (const float *)b->data + k0 * b->row_stride + j * LM_PANEL * b->column_stride;
    if (p->mode != MODE_F32 && b->column_stride == 1) {
      p->table->pack_b_pairs(kc, columns, source, b->row_stride, buffer->pairs);
    } else {
      p->table->pack_b(kc, columns, source, b->row_stride, b->column_stride, buffer->f32);
      if (p->mode == MODE_F32) return buffer->f32;
      p->table->pairs_from_f32(kc, buffer->f32, buffer->pairs);
    }
    long filled = (kc + 1) / 2;
    if (kp / 2 > filled) memset(buffer->pairs + filled * LM_PANEL, 0, (size_t)(kp / 2 - filled) * LM_PANEL * 4);
    return buffer->pairs;
  }
  long half = lm_round_up(b->inputs, 32) / 2;  // pairs of inputs in one packed panel
  if (b->kind == LM_OPERAND_PACKED) {
    pairs = (const uint32_t *)b->data + (j * half + k0 / 2) * LM_PANEL;
  } else {
    for (long o = 0; o < kc; o += 32)
      p->table->transpose_pairs((const uint32_t *)b->data + ((k0 + o) / 32 * half + j * 16) * LM_PANEL,
                                buffer->pairs + o / 2 * LM_PANEL);
    pairs = buffer->pairs;
  }
  if (p->mode != MODE_F32) return pairs;
  p->table->f32_from_pairs(kc, pairs, buffer->f32);
  return buffer->f32;
}

static void tiles_block(const product *p, long kp, const char *a, long stride, const uint32_t *b, const float *bias,
                        float *c, long rows, long columns, bool accumulate, float *edge) {
  bool whole = columns == LM_PANEL && rows % 16 == 0;
  lm_tiles_job job = {.k = kp, .a0 = (const uint16_t *)a, .b = b};
  if (rows > 16) job.a1 = (const uint16_t *)(a + stride);
  job.from = whole && accumulate ? c : NULL;
  job.from_stride = p->ldc;
  job.to = whole && !bias ? c : edge;
  job.to_stride = whole && !bias ? p->ldc : LM_PANEL;
  if (p->context->isa == LM_AMX_EMULATED)
    lm_tiles_run_emulated(&job);
  else
    lm_tiles_run(&job);
  if (job.to == c) return;
  for (long r = 0; r < rows; r++)
    for (long j = 0; j < columns; j++) {
      float value = edge[r * LM_PANEL + j] + (bias ? bias[j] : 0.f);
      c[r * p->ldc + j] = accumulate && !whole ? c[r * p->ldc + j] + value : value;
    }
}

// Row panels [i0, i1) x column panels [j0, j1) of one block of rows.
static void multiply(const product *p, long m0, long rows, long panels, long i0, long i1, long j0, long j1,
                     const buffers *buffer) {
  for (long k0 = 0; k0 < p->k; k0 += p->k_block) {
    long kc = lm_min(p->k_block, p->k - k0), kp = padded_k(p, k0), size = panel_bytes(p, kp);
    bool accumulate = p->accumulate || k0 > 0;
    const char *a = p->packed + block_offset(p, k0, panels);
    for (long j = j0; j < j1; j++) {
      const void *b = panel_b(p, j, k0, buffer);
      long columns = lm_min(LM_PANEL, p->n - j * LM_PANEL);
      const float *bias = p->bias && k0 == 0 ? p->bias + j * LM_PANEL : NULL;
      for (long i = i0; i < i1; i++) {
        long r0 = i * p->panel_rows, count = lm_min(p->panel_rows, rows - r0);
        float *c = p->c + (m0 + r0) * p->ldc + j * LM_PANEL;
        const char *left = a + i * size;
        if (p->mode == MODE_F32) {
          p->table->kernel(kc, (const float *)left, b, bias, c, p->ldc, (int)count, (int)columns, accumulate);
        } else if (p->mode == MODE_PAIRS) {
          lm_kernel_bf16(kp, (const uint32_t *)left, b, bias, c, p->ldc, (int)count, (int)columns, accumulate);
        } else {
          count = i + 1 < i1 ? lm_min(2 * p->panel_rows, rows - r0) : count;
          tiles_block(p, kp, left, size, b, bias, c, count, columns, accumulate, buffer->edge);
          i++;
        }
      }
    }
  }
}

// The division of C among threads that makes the largest share smallest.
static void grid(long row_panels, long column_panels, int threads, int *row_parts, int *column_parts) {
  long best = -1;
  for (int columns = 1; columns <= threads; columns++) {
    int rows = threads / columns;
    long share = ((row_panels + rows - 1) / rows) * ((column_panels + columns - 1) / columns);
    if (best < 0 || share <= best) {
      best = share;
      *row_parts = rows;
      *column_parts = columns;
    }
  }
}

// Units of work, handed out as threads become free. Shares get smaller, so that the threads end together: each is half of
// what would be left for one thread. `taken`: shares of the context's counter that belong to earlier work.
typedef struct {
  long units, taken, share, first, last;
  int threads;
} shares;

static bool next_share(shares *s, lm_context *context) {
  long mine = atomic_fetch_add(&context->next, 1) - s->taken;
  for (; s->share <= mine && s->last < s->units; s->share++) {
    s->first = s->last;
    s->last += (s->units - s->first + 2 * s->threads - 1) / (2 * s->threads);
  }
  return s->share > mine;
}

// Units [first, last): halves of the rows of one column panel after the other, where there are two.
static void multiply_units(const product *p, long m0, long rows, long panels, long half, long first, long last,
                           const buffers *buffer) {
  if (half == panels) return multiply(p, m0, rows, panels, 0, panels, first, last, buffer);
  if (first % 2 == 1) {
    multiply(p, m0, rows, panels, half, panels, first / 2, first / 2 + 1, buffer);
    first++;
  }
  if (last > first) multiply(p, m0, rows, panels, 0, panels, first / 2, last / 2, buffer);
  if (last > first && last % 2 == 1) multiply(p, m0, rows, panels, 0, half, last / 2, last / 2 + 1, buffer);
}

static void run_product(void *argument, int thread, int threads) {
  const product *p = argument;
  char *memory = p->context->local[thread].memory;
  buffers buffer = {(float *)memory, (uint32_t *)(memory + PANEL_FLOATS * 4),
                    (float *)(memory + PANEL_FLOATS * 4 + PANEL_FLOATS * 2)};
  long column_panels = (p->n + LM_PANEL - 1) / LM_PANEL;
  bool tiles = p->mode == MODE_TILES && p->context->isa == LM_AMX_BF16;
  bool dynamic = threads > 1 && column_panels >= 4L * threads;
  long taken = 0;
  if (tiles) lm_tiles_begin();
  for (long m0 = 0; m0 < p->m; m0 += p->m_block) {
    long rows = lm_min(p->m_block, p->m - m0), panels = (rows + p->panel_rows - 1) / p->panel_rows;
    pack_a(p, m0, rows, panels, lm_part(panels, thread, threads), lm_part(panels, thread + 1, threads));
    lm_barrier(p->context, threads);
    if (dynamic) {
      long half = panels >= 16 ? lm_round_up(panels / 2, 2) : panels;
      shares s = {.units = half < panels ? 2 * column_panels : column_panels, .taken = taken, .threads = threads};
      while (next_share(&s, p->context)) multiply_units(p, m0, rows, panels, half, s.first, s.last, &buffer);
      // Every thread asks once in vain per block of rows: the next block's shares begin behind that.
      taken += s.share + threads;
      if (m0 + p->m_block < p->m) lm_barrier(p->context, threads);
      continue;
    }
    // Tiles work on pairs of row panels: split between pairs.
    long unit = p->mode == MODE_TILES ? 2 : 1, units = (panels + unit - 1) / unit;
    int row_parts = 1, column_parts = 1;
    grid(units, column_panels, threads, &row_parts, &column_parts);
    if (thread < row_parts * column_parts) {
      int i = thread / column_parts, j = thread % column_parts;
      multiply(p, m0, rows, panels, lm_part(units, i, row_parts) * unit,
               lm_min(lm_part(units, i + 1, row_parts) * unit, panels), lm_part(column_panels, j, column_parts),
               lm_part(column_panels, j + 1, column_parts), &buffer);
    }
    if (m0 + p->m_block < p->m) lm_barrier(p->context, threads);
  }
  if (tiles) lm_tiles_end();
}

// MARK: Skinny products

static void run_skinny(void *argument, int thread, int threads) {
  const product *p = argument;
  const lm_operand *b = &p->b;
  long panels = (p->n + LM_PANEL - 1) / LM_PANEL, blocks = (p->k + K_BLOCK_F32 - 1) / K_BLOCK_F32;
  float *packed = (float *)p->packed;
  for (long u = lm_part(blocks * panels, thread, threads); u < lm_part(blocks * panels, thread + 1, threads); u++) {
    long k0 = u / panels * K_BLOCK_F32, j = u % panels * LM_PANEL;
    p->table->pack_b(lm_min(K_BLOCK_F32, p->k - k0), lm_min(LM_PANEL, p->n - j),
                     (const float *)b->data + k0 * b->row_stride + j * b->column_stride, b->row_stride,
                     b->column_stride, packed + u * K_BLOCK_F32 * LM_PANEL);
  }
  lm_barrier(p->context, threads);
  long units = (p->m + 7) / 8, end = lm_min(lm_part(units, thread + 1, threads) * 8, p->m);
  // Rows in groups that stay in the cache over all blocks of k.
  for (long i = lm_part(units, thread, threads) * 8; i < end; i += 64)
    for (long u = 0; u < blocks * panels; u++) {
      long k0 = u / panels * K_BLOCK_F32, j = u % panels * LM_PANEL;
      p->table->skinny(lm_min(64, end - i), lm_min(K_BLOCK_F32, p->k - k0), p->alpha, p->a + i * p->a_rs + k0,
                       p->a_rs, packed + u * K_BLOCK_F32 * LM_PANEL, p->bias && k0 == 0 ? p->bias + j : NULL,
                       p->c + i * p->ldc + j, p->ldc, (int)lm_min(LM_PANEL, p->n - j), p->accumulate || k0 > 0);
    }
}

static bool skinny(product *p) {
  long panels = (p->n + LM_PANEL - 1) / LM_PANEL, blocks = (p->k + K_BLOCK_F32 - 1) / K_BLOCK_F32;
  p->packed = lm_reserve(&p->context->shared, (size_t)(panels * blocks * K_BLOCK_F32 * LM_PANEL) * 4);
  if (!p->packed) return false;
  lm_parallel(p->context, 2.0 * (double)p->m * (double)p->n * (double)p->k / 60, run_skinny, p);
  return true;
}

// MARK: Few rows

// Units of columns of C: thirds of the `wide` groups of three panels first (three vectors of AVX2), then single panels.

/// Pairs of one unit: where its vectors (the panel) begin, and the lines of a row that it is the first to read.
typedef struct {
  const uint32_t *vector[3], *line[2];
} few_pairs;

/// A unit's pairs from row k0 of B on.
static few_pairs pairs_of(const product *p, long wide, long unit, long k0) {
  long stride = lm_round_up(p->b.inputs, 32) / 2 * LM_PANEL;
  const uint32_t *pairs = (const uint32_t *)p->b.data + k0 / 2 * LM_PANEL;
  if (unit >= 4 * wide) {
    pairs += (unit - wide) * stride;
    return (few_pairs){{pairs}, {pairs, pairs + 16}};
  }
  pairs += unit / 4 * 3 * stride;
  few_pairs columns = {{0}, {0}};
  for (long i = 0, v = unit % 4 * 3; i < 3; i++, v++) columns.vector[i] = pairs + v / 4 * stride + v % 4 * 8;
  // Of the six lines in a row of three panels the thirds are the first to read 0 and 1; 2; 3 and 4; 5.
  for (long i = 0, line = (unit % 4 * 3 + 1) / 2; i < 2 - unit % 2; i++, line++)
    columns.line[i] = pairs + line / 2 * stride + line % 2 * 16;
  return columns;
}

/// Units [first, last), each from memory once: group after group, in each block after block of k. `next`: the first of the
/// units that this thread does afterwards.
static void few_units(const product *p, long wide, long units, long first, long last, long next) {
  for (long start = first, end; start < last; start = end) {
    bool third = start < 4 * wide;
    end = third ? lm_min(last, start / 4 * 4 + 4) : start + 1;
    for (long k0 = 0; k0 < p->k; k0 += p->k_block) {
      long k = lm_min(p->k_block, p->k - k0);
      bool accumulate = p->accumulate || k0 > 0;
      for (long u = start; u < end; u++) {
        // Wanted next: the following block, or the first one of the group behind this one.
        long behind = (end < last ? end : next) + u - start, column = third ? u * 24 : (u - wide) * LM_PANEL;
        few_pairs b = pairs_of(p, wide, u, k0), ahead = {{0}, {0}};
        if (k0 + k < p->k)
          ahead = pairs_of(p, wide, u, k0 + k);
        else if (behind < units)
          ahead = pairs_of(p, wide, behind, 0);
        const float *bias = p->bias && k0 == 0 ? p->bias + column : NULL;
        float *c = p->c + column;
        if (third)
          p->table->few_third(p->m, k, p->a + k0, p->a_rs, b.vector, ahead.line, bias, c, p->ldc, accumulate);
        else
          p->table->few(p->m, k, p->a + k0, p->a_rs, b.vector[0], ahead.line[0], bias, c, p->ldc,
                        (int)lm_min(LM_PANEL, p->n - column), accumulate);
      }
    }
  }
}

static void run_few(void *argument, int thread, int threads) {
  const product *p = argument;
  long wide = p->m >= 4 && p->table->few_third ? p->n / (3 * LM_PANEL) : 0;
  long units = 4 * wide + (p->n - 3 * wide * LM_PANEL + LM_PANEL - 1) / LM_PANEL;
  shares s = {.units = units, .threads = threads};
  (void)thread;
  if (threads == 1) return few_units(p, wide, units, 0, units, units);
  // A share is taken while the one before it is still to be done, whose last block asks for its weights.
  for (bool more = next_share(&s, p->context); more;) {
    long first = s.first, last = s.last;
    more = next_share(&s, p->context);
    few_units(p, wide, units, first, last, more ? s.first : units);
  }
}

static void run_transpose(void *argument, int thread, int threads) {
  const product *p = argument;
  const float *source = p->context->extra.memory;
  for (long i = lm_part(p->m, thread, threads); i < lm_part(p->m, thread + 1, threads); i++)
    for (long j = 0; j < p->n; j++) {
      float value = source[j * p->m + i];
      p->c[i * p->ldc + j] = p->accumulate ? p->c[i * p->ldc + j] + value : value;
    }
}

static bool run_gemm(lm_context *context, int precision, long m, long n, long k, float alpha, const float *a,
                     long a_row_stride, long a_column_stride, lm_operand b, const float *bias, bool accumulate,
                     float *c, long c_row_stride);

// Cᵀ = Bᵀ · Aᵀ: A, large and stored by columns, becomes the operand that need not be turned round.
static bool transposed_product(product *p, int precision) {
  float *result = lm_reserve(&p->context->extra, (size_t)(p->m * p->n) * 4);
  lm_operand right = {p->a, p->a_cs, p->a_rs, 0, 0, LM_OPERAND_F32};
  if (!result || !run_gemm(p->context, precision, p->n, p->m, p->k, p->alpha, p->b.data, p->b.column_stride,
                           p->b.row_stride, right, NULL, false, result, p->m))
    return false;
  lm_parallel(p->context, (double)p->m * (double)p->n, run_transpose, p);
  return true;
}

static bool run_gemm(lm_context *context, int precision, long m, long n, long k, float alpha, const float *a,
                     long a_row_stride, long a_column_stride, lm_operand b, const float *bias, bool accumulate,
                     float *c, long c_row_stride) {
  product p = {.context = context, .table = lm_table_for(context->isa), .m = m, .n = n, .k = k, .alpha = alpha,
               .a = a, .a_rs = a_row_stride, .a_cs = a_column_stride, .b = b, .bias = bias, .accumulate = accumulate,
               .c = c, .ldc = c_row_stride};
  if (b.kind == LM_OPERAND_F32 && !bias && a_row_stride == 1 && a_column_stride > 1 && n <= SKINNY_COLUMNS &&
      m >= 4 * n)
    return transposed_product(&p, precision);
  bool rounded = precision == LM_BF16 && context->isa >= LM_AVX512_BF16;
  if (!rounded && b.kind == LM_OPERAND_F32 && a_column_stride == 1 && n <= SKINNY_COLUMNS) return skinny(&p);
  if (!rounded && b.kind == LM_OPERAND_PACKED && a_column_stride == 1 && alpha == 1 && m <= FEW_ROWS) {
    p.k_block = K_BLOCK_F32;
    lm_parallel(context, 2.0 * (double)m * (double)n * (double)k / 50, run_few, &p);
    return true;
  }
  if (precision == LM_BF16 && context->isa >= LM_AMX_BF16) {
    int done = lm_tiles_product(context, m, n, k, alpha, a, a_row_stride, a_column_stride, b, bias, accumulate, c,
                                c_row_stride, NULL);
    if (done != 0) return done > 0;
  }
  double rate;  // flops per nanosecond, to judge whether threads pay
  if (precision == LM_BF16 && context->isa >= LM_AMX_BF16) {
    p.mode = MODE_TILES, p.panel_rows = 16, p.k_block = K_BLOCK_TILES, p.k_unit = 32, rate = 500;
  } else if (precision == LM_BF16 && context->isa == LM_AVX512_BF16) {
    p.mode = MODE_PAIRS, p.panel_rows = LM_BF16_ROWS, p.k_block = K_BLOCK_PAIRS, p.k_unit = 2, rate = 200;
  } else {
    p.mode = MODE_F32, p.panel_rows = p.table->rows, p.k_block = K_BLOCK_F32, p.k_unit = 1;
    rate = context->isa >= LM_AVX512 ? 100 : context->isa == LM_AVX2 ? 50 : 8;
  }
  // Blocks of about equal size: a small last one would pay for packing B all the same.
  long limit = p.mode == MODE_PAIRS ? M_BLOCK_PAIRS : M_BLOCK, count = (m + limit - 1) / limit;
  p.m_block = lm_round_up((m + count - 1) / count, 2L * p.panel_rows);
  long rows = lm_min(m, p.m_block), panels = (rows + p.panel_rows - 1) / p.panel_rows;
  long blocks = (k + p.k_block - 1) / p.k_block;
  p.packed = lm_reserve(&context->shared, (size_t)(blocks * panels * panel_bytes(&p, p.k_block)) + 4096);
  if (!p.packed) return false;
  for (int t = 0; t < context->threads; t++)
    if (!lm_reserve(&context->local[t], BUFFER_BYTES)) return false;
  lm_parallel(context, 2.0 * (double)m * (double)n * (double)k / rate, run_product, &p);
  return true;
}

static double seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

bool lm_gemm(lm_context *context, int precision, long m, long n, long k, float alpha, const float *a,
             long a_row_stride, long a_column_stride, lm_operand b, const float *bias, bool accumulate, float *c,
             long c_row_stride) {
  double start = seconds();
  bool done = run_gemm(context, precision, m, n, k, alpha, a, a_row_stride, a_column_stride, b, bias, accumulate, c,
                       c_row_stride);
  context->product_seconds += seconds() - start;
  context->product_operations += 2.0 * (double)m * (double)n * (double)k;
  return done;
}

bool lm_fuses_branch(const lm_context *context, int precision, long k, const lm_branch *branch) {
  return precision == LM_BF16 && context->isa >= LM_AMX_BF16 && lm_tiles_fit_branch(k, branch);
}

bool lm_gemm_branch(lm_context *context, int precision, long m, long n, long k, const float *a, long a_row_stride,
                    lm_operand b, const float *bias, bool accumulate, float *c, long c_row_stride,
                    const lm_branch *branch) {
  if (!lm_fuses_branch(context, precision, k, branch) || b.kind != LM_OPERAND_PACKED) return false;
  double start = seconds();
  bool done = lm_tiles_product(context, m, n, k, 1, a, a_row_stride, 1, b, bias, accumulate, c, c_row_stride, branch) > 0;
  context->product_seconds += seconds() - start;
  context->product_operations += 2.0 * (double)m * (double)n * (double)k +
                                 2.0 * (double)m * (double)branch->rank * (double)(branch->inputs + branch->outputs);
  return done;
}

void lm_product_totals(const lm_context *context, double *wall_seconds, double *operations) {
  *wall_seconds = context->product_seconds;
  *operations = context->product_operations;
}

// MARK: Packing of frozen matrices

size_t lm_packed_size(long outputs, long inputs) {
  return (size_t)lm_round_up(outputs, LM_PANEL) * (size_t)lm_round_up(inputs, 32) * 2;
}

typedef struct {
  uint16_t *packed;
  long inputs, first, rows, rs, cs;
  const void *source;
  int type;
} packing;

static inline float half_to_float(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = (h >> 10) & 31, mantissa = h & 0x3ff, bits;
  if (exponent == 31) {
    bits = sign | 0x7f800000 | (mantissa << 13);
  } else if (exponent) {
    bits = sign | ((exponent + 112) << 23) | (mantissa << 13);
  } else {
    float value = (float)mantissa * 0x1p-24f;
    return sign ? -value : value;
  }
  float result;
  memcpy(&result, &bits, 4);
  return result;
}

static inline float element(const void *source, int type, long at) {
  if (type == LM_TYPE_F32) {
    float value;
    memcpy(&value, (const char *)source + at * 4, 4);
    return value;
  }
  uint16_t raw;
  memcpy(&raw, (const char *)source + at * 2, 2);
  return type == LM_TYPE_BF16 ? lm_from_bf16(raw) : half_to_float(raw);
}

static inline __attribute__((always_inline)) void pack_panel(const packing *p, const int type, long panel) {
  long o0 = lm_max(p->first, panel * LM_PANEL), o1 = lm_min(p->first + p->rows, (panel + 1) * LM_PANEL);
  long half = lm_round_up(p->inputs, 32) / 2;
  uint16_t *out = p->packed + panel * half * LM_PANEL * 2;
  for (long i = 0; i < p->inputs; i++)
    for (long o = o0; o < o1; o++)
      out[(i / 2 * LM_PANEL + o % LM_PANEL) * 2 + i % 2] =
          lm_bf16(element(p->source, type, (o - p->first) * p->rs + i * p->cs));
}

static void run_packing(void *argument, int thread, int threads) {
  const packing *p = argument;
  long from = p->first / LM_PANEL, to = (p->first + p->rows + LM_PANEL - 1) / LM_PANEL;
  for (long j = from + lm_part(to - from, thread, threads); j < from + lm_part(to - from, thread + 1, threads); j++) {
    if (p->type == LM_TYPE_F32)
      pack_panel(p, LM_TYPE_F32, j);
    else if (p->type == LM_TYPE_BF16)
      pack_panel(p, LM_TYPE_BF16, j);
    else
      pack_panel(p, LM_TYPE_F16, j);
  }
}

void lm_pack(lm_context *context, uint16_t *packed, long inputs, long first, long rows, const void *source, int type,
             long row_stride, long column_stride) {
  packing p = {packed, inputs, first, rows, row_stride, column_stride, source, type};
  lm_parallel(context, (double)rows * (double)inputs, run_packing, &p);
}

typedef struct {
  const uint32_t *source;
  uint32_t *target;
  long outputs, inputs;
  const lm_table *table;
} transposing;

static void run_transposing(void *argument, int thread, int threads) {
  const transposing *p = argument;
  long half = lm_round_up(p->inputs, 32) / 2, blocks = (p->outputs + 31) / 32, panels = (p->inputs + 31) / 32;
  for (long j = lm_part(panels, thread, threads); j < lm_part(panels, thread + 1, threads); j++)
    for (long o = 0; o < blocks; o++)
      p->table->transpose_pairs(p->source + (o * half + j * 16) * LM_PANEL,
                                p->target + (j * blocks + o) * 16 * LM_PANEL);
}

void lm_pack_transposed(lm_context *context, const uint16_t *packed, long outputs, long inputs, uint16_t *transposed) {
  transposing p = {(const uint32_t *)(const void *)packed, (uint32_t *)(void *)transposed, outputs, inputs,
                   lm_table_for(context->isa)};
  lm_parallel(context, 0.3 * (double)outputs * (double)inputs, run_transposing, &p);
}

void lm_to_float(long count, const void *source, int type, float *destination) {
  for (long i = 0; i < count; i++) destination[i] = element(source, type, i);
}

// MARK: Embedding (gathers from any weight type)

typedef struct {
  long d, rs, cs;  // rs < 0: a packed matrix
  const int32_t *rows;
  const void *table;
  int type;
  bool accumulate;
  float *y;
  long count;
} embedding;

static void run_embedding(void *argument, int thread, int threads) {
  const embedding *e = argument;
  for (long t = lm_part(e->count, thread, threads); t < lm_part(e->count, thread + 1, threads); t++) {
    float *y = e->y + t * e->d;
    if (e->rs < 0) {
      const uint16_t *panel = (const uint16_t *)e->table + e->rows[t] / LM_PANEL * lm_round_up(e->d, 32) * LM_PANEL;
      long column = e->rows[t] % LM_PANEL;
      for (long j = 0; j < e->d; j++) {
        float value = lm_from_bf16(panel[(j / 2 * LM_PANEL + column) * 2 + j % 2]);
        y[j] = e->accumulate ? y[j] + value : value;
      }
      continue;
    }
    long base = e->rows[t] * e->rs;
    if (e->type == LM_TYPE_F32 && e->cs == 1 && !e->accumulate) {
      memcpy(y, (const char *)e->table + base * 4, (size_t)e->d * 4);
      continue;
    }
    for (long j = 0; j < e->d; j++) {
      float value = element(e->table, e->type, base + j * e->cs);
      y[j] = e->accumulate ? y[j] + value : value;
    }
  }
}

void lm_embed(lm_context *context, long count, long d, const int32_t *rows, const void *table, int type,
              long row_stride, long column_stride, bool accumulate, float *y) {
  embedding e = {d, row_stride, column_stride, rows, table, type, accumulate, y, count};
  lm_parallel(context, 0.5 * (double)count * (double)d, run_embedding, &e);
}

void lm_embed_packed(lm_context *context, long count, long d, const int32_t *rows, const uint16_t *packed,
                     bool accumulate, float *y) {
  embedding e = {d, -1, 0, rows, packed, LM_TYPE_BF16, accumulate, y, count};
  lm_parallel(context, 2 * (double)count * (double)d, run_embedding, &e);
}
