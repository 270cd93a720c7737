// Matrix products C (+)= alpha · A · B + bias, blocked and threaded around three micro-kernels (f32, vdpbf16ps, tiles).
//
//   A [m, k]   packed once per call, all threads together: for each block of k, panels of `rows` rows, k-major
//              (f32 [k][rows]; pairs [k/2][rows]; tiles [k/32][16][32]).
//   B [k, n]   panels of 32 columns, one block of k at a time: a frozen matrix lies packed as pairs [k/2][32], so that
//              y = xWᵀ reads it in place; dx = dy·W transposes 32 x 32 blocks of the same copy into a buffer that
//              stays in the cache (a few operations per weight, shared by all rows); anything else is packed there.
//   Threads    split the panels of C: columns are handed out as threads become free (one may be held up by another
//              process), in shares that get smaller; few columns are split beforehand together with rows; each element
//              is summed in the order of k by one thread.
#include "lm_gemm.h"
#include "lm_tiles.h"

// Block sizes: a panel of B in the first-level cache, a block of A in the second (processors with tiles have 2 MB).
// Measured on Zen 5 (48 KB and 1 MB; pairs) and Zen 4 (32 KB and 1 MB; f32). Tiles come here only with a plain right
// operand or one that is transposed on the way: lm_gemm_tiles.c does the others.
enum { K_BLOCK_PAIRS = 768, K_BLOCK_TILES = 512, M_BLOCK = 1120, M_BLOCK_PAIRS = 420 };

typedef enum { MODE_F32, MODE_PAIRS, MODE_TILES } micro_kernel;

typedef struct {
  lm_context *context;
  const lm_table *table;
  const lm_product *product;
  micro_kernel mode;
  int panel_rows;
  long k_block, k_unit;  // block of k, and the multiple that the last block is padded to
  long m_block;
  double rate;           // operations per nanosecond, to judge whether threads pay
  char *packed;          // A
} blocked;

static long padded_k(const blocked *p, long k0) {
  return lm_round_up(lm_min(p->k_block, p->product->k - k0), p->k_unit);
}

// Bytes of one row of k in one A panel, and of a whole panel of a block (64 bytes of slack for overlapping stores).
static long bytes_per_k(const blocked *p) {
  return p->mode == MODE_F32 ? 4L * p->panel_rows : 2L * p->panel_rows;
}
static long panel_bytes(const blocked *p, long kp) { return lm_round_up(kp * bytes_per_k(p), 64) + 64; }
static long block_offset(const blocked *p, long k0, long panels) {
  return k0 / p->k_block * panels * panel_bytes(p, p->k_block);
}

static void pack_a(const blocked *p, long m0, long rows, long panels, lm_range mine) {
  const lm_product *product = p->product;
  const long rs = product->a_row_stride, cs = product->a_column_stride;
  for (long k0 = 0; k0 < product->k; k0 += p->k_block) {
    long kc = lm_min(p->k_block, product->k - k0), kp = padded_k(p, k0);
    for (long i = mine.from; i < mine.to; i++) {
      char *out = p->packed + block_offset(p, k0, panels) + i * panel_bytes(p, kp);
      long r0 = i * p->panel_rows;
      lm_left_part part = {lm_min(p->panel_rows, rows - r0), kc, product->alpha,
                           product->a + (m0 + r0) * rs + k0 * cs, rs, cs};
      if (p->mode == MODE_F32)
        p->table->pack_a(&part, (float *)out);
      else if (p->mode == MODE_PAIRS)
        p->table->pack_a_pairs(&part, p->panel_rows, (uint32_t *)out);
      else
        p->table->pack_a_tiles(&part, (uint16_t *)out);
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

/// Panel j of a plain B for the block of k from k0 on, in the layout of the mode.
static const void *plain_panel(const blocked *p, long j, long k0, const buffers *buffer) {
  const lm_operand *b = &p->product->b;
  long kc = lm_min(p->k_block, p->product->k - k0), kp = padded_k(p, k0);
  lm_right_part part = {kc, lm_min(LM_PANEL, p->product->n - j * LM_PANEL),
                        (const float *)b->data + k0 * b->row_stride + j * LM_PANEL * b->column_stride, b->row_stride,
                        b->column_stride};
  if (p->mode != MODE_F32 && b->column_stride == 1) {
    p->table->pack_b_pairs(&part, buffer->pairs);
  } else {
    p->table->pack_b(&part, buffer->f32);
    if (p->mode == MODE_F32) return buffer->f32;
    p->table->pairs_from_f32(kc, buffer->f32, buffer->pairs);
  }
  long filled = (kc + 1) / 2;
  if (kp / 2 > filled) memset(buffer->pairs + filled * LM_PANEL, 0, (size_t)(kp / 2 - filled) * LM_PANEL * 4);
  return buffer->pairs;
}

/// The same of any B.
static const void *panel_b(const blocked *p, long j, long k0, const buffers *buffer) {
  const lm_operand *b = &p->product->b;
  if (b->kind == LM_OPERAND_F32) return plain_panel(p, j, k0, buffer);
  long kc = lm_min(p->k_block, p->product->k - k0);
  long panel_pairs = lm_round_up(b->inputs, 32) / 2;  // rows of one packed panel
  const uint32_t *pairs;
  if (b->kind == LM_OPERAND_PACKED) {
    pairs = (const uint32_t *)b->data + (j * panel_pairs + k0 / 2) * LM_PANEL;
  } else {
    for (long o = 0; o < kc; o += 32)
      p->table->transpose_pairs((const uint32_t *)b->data + ((k0 + o) / 32 * panel_pairs + j * 16) * LM_PANEL,
                                buffer->pairs + o / 2 * LM_PANEL);
    pairs = buffer->pairs;
  }
  if (p->mode != MODE_F32) return pairs;
  p->table->f32_from_pairs(kc, pairs, buffer->f32);
  return buffer->f32;
}

/// A block of up to two row tiles, `panel_bytes` apart.
static void tiles_block(const blocked *p, const lm_block *block, const char *a, long panel_bytes, const uint32_t *b,
                        float *edge) {
  const float *bias = block->bias;
  bool whole = block->columns == LM_PANEL && block->rows % 16 == 0, direct = whole && !bias;
  lm_tiles_job job = {.k = block->k, .a0 = (const uint16_t *)a, .b = b};
  if (block->rows > 16) job.a1 = (const uint16_t *)(a + panel_bytes);
  job.from = whole && block->accumulate ? block->c : NULL;
  job.from_stride = block->c_stride;
  job.to = direct ? block->c : edge;
  job.to_stride = direct ? block->c_stride : LM_PANEL;
  lm_tiles_run(&job, p->context->isa == LM_AMX_EMULATED);
  if (direct) return;
  for (long r = 0; r < block->rows; r++)
    for (long j = 0; j < block->columns; j++) {
      float *c = block->c + r * block->c_stride + j;
      float value = edge[r * LM_PANEL + j] + (bias ? bias[j] : 0.f);
      *c = block->accumulate && !whole ? *c + value : value;
    }
}

/// The row and column panels of one part of C.
typedef struct {
  lm_range rows, columns;
} panels_of_c;

/// `part` of one block of `rows` rows from m0 on, in `panels` panels.
static void multiply(const blocked *p, long m0, long rows, long panels, panels_of_c part, const buffers *buffer) {
  const lm_product *product = p->product;
  for (long k0 = 0; k0 < product->k; k0 += p->k_block) {
    long kc = lm_min(p->k_block, product->k - k0), kp = padded_k(p, k0), size = panel_bytes(p, kp);
    const char *a = p->packed + block_offset(p, k0, panels);
    for (long j = part.columns.from; j < part.columns.to; j++) {
      const void *b = panel_b(p, j, k0, buffer);
      lm_block block = {.columns = lm_min(LM_PANEL, product->n - j * LM_PANEL), .k = p->mode == MODE_F32 ? kc : kp,
                        .bias = product->bias && k0 == 0 ? product->bias + j * LM_PANEL : NULL,
                        .accumulate = product->accumulate || k0 > 0, .c_stride = product->c_row_stride};
      for (long i = part.rows.from; i < part.rows.to; i++) {
        long r0 = i * p->panel_rows;
        const char *left = a + i * size;
        block.rows = lm_min(p->panel_rows, rows - r0);
        block.c = product->c + (m0 + r0) * product->c_row_stride + j * LM_PANEL;
        if (p->mode == MODE_F32) {
          p->table->kernel(&block, (const float *)left, b);
        } else if (p->mode == MODE_PAIRS) {
          lm_kernel_bf16(&block, (const uint32_t *)left, b);
        } else {
          if (i + 1 < part.rows.to) block.rows = lm_min(2 * p->panel_rows, rows - r0);
          tiles_block(p, &block, left, size, b, buffer->edge);
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

// Units: halves of the rows of one column panel after the other (`half` < panels), or whole column panels.
static void multiply_units(const blocked *p, long m0, long rows, long panels, long half, long first, long last,
                           const buffers *buffer) {
  lm_range all = {0, panels}, upper = {0, half}, lower = {half, panels};
  if (half == panels) return multiply(p, m0, rows, panels, (panels_of_c){all, {first, last}}, buffer);
  if (first % 2 == 1) {
    multiply(p, m0, rows, panels, (panels_of_c){lower, {first / 2, first / 2 + 1}}, buffer);
    first++;
  }
  if (last > first) multiply(p, m0, rows, panels, (panels_of_c){all, {first / 2, last / 2}}, buffer);
  if (last > first && last % 2 == 1)
    multiply(p, m0, rows, panels, (panels_of_c){upper, {last / 2, last / 2 + 1}}, buffer);
}

// Column panels as threads become free; the shares that were handed out so far are counted by `taken`.
static void multiply_shares(const blocked *p, long m0, long rows, long panels, int threads, long *taken,
                            const buffers *buffer) {
  long column_panels = (p->product->n + LM_PANEL - 1) / LM_PANEL;
  long half = panels >= 16 ? lm_round_up(panels / 2, 2) : panels;
  lm_shares s = {.units = half < panels ? 2 * column_panels : column_panels, .taken = *taken, .threads = threads};
  while (lm_next_share(&s, p->context)) multiply_units(p, m0, rows, panels, half, s.first, s.last, buffer);
  // Every thread asks once in vain per block of rows: the next block's shares begin behind that.
  *taken += s.share + threads;
}

// Row and column panels split beforehand.
static void multiply_grid(const blocked *p, long m0, long rows, long panels, int thread, int threads,
                          const buffers *buffer) {
  long column_panels = (p->product->n + LM_PANEL - 1) / LM_PANEL;
  // Tiles work on pairs of row panels: split between pairs.
  long unit = p->mode == MODE_TILES ? 2 : 1;
  int row_parts = 1, column_parts = 1;
  grid((panels + unit - 1) / unit, column_panels, threads, &row_parts, &column_parts);
  if (thread >= row_parts * column_parts) return;
  panels_of_c part = {lm_share(panels, unit, thread / column_parts, row_parts),
                      lm_share(column_panels, 1, thread % column_parts, column_parts)};
  multiply(p, m0, rows, panels, part, buffer);
}

static void run_blocked(void *argument, int thread, int threads) {
  const blocked *p = argument;
  char *memory = p->context->local[thread].memory;
  buffers buffer = {(float *)memory, (uint32_t *)(memory + PANEL_FLOATS * 4),
                    (float *)(memory + PANEL_FLOATS * 4 + PANEL_FLOATS * 2)};
  bool tiles = p->mode == MODE_TILES && p->context->isa == LM_AMX_BF16;
  bool dynamic = threads > 1 && (p->product->n + LM_PANEL - 1) / LM_PANEL >= 4L * threads;
  long taken = 0;
  if (tiles) lm_tiles_begin();
  for (long m0 = 0; m0 < p->product->m; m0 += p->m_block) {
    long rows = lm_min(p->m_block, p->product->m - m0), panels = (rows + p->panel_rows - 1) / p->panel_rows;
    pack_a(p, m0, rows, panels, lm_share(panels, 1, thread, threads));
    lm_barrier(p->context, threads);
    if (dynamic)
      multiply_shares(p, m0, rows, panels, threads, &taken, &buffer);
    else
      multiply_grid(p, m0, rows, panels, thread, threads, &buffer);
    if (m0 + p->m_block < p->product->m) lm_barrier(p->context, threads);
  }
  if (tiles) lm_tiles_end();
}

// The fastest micro-kernel for a precision, with its block sizes.
static blocked prepare(lm_context *context, int precision, const lm_product *product) {
  blocked p = {.context = context, .table = lm_table_for(context->isa), .product = product};
  if (precision == LM_BF16 && context->isa >= LM_AMX_BF16) {
    p.mode = MODE_TILES, p.panel_rows = 16, p.k_block = K_BLOCK_TILES, p.k_unit = 32, p.rate = 500;
  } else if (precision == LM_BF16 && context->isa == LM_AVX512_BF16) {
    p.mode = MODE_PAIRS, p.panel_rows = LM_BF16_ROWS, p.k_block = K_BLOCK_PAIRS, p.k_unit = 2, p.rate = 200;
  } else {
    p.mode = MODE_F32, p.panel_rows = p.table->rows, p.k_block = LM_K_BLOCK, p.k_unit = 1;
    p.rate = context->isa >= LM_AVX512 ? 100 : context->isa == LM_AVX2 ? 50 : 8;
  }
  // Blocks of about equal size: a small last one would pay for packing B all the same.
  long limit = p.mode == MODE_PAIRS ? M_BLOCK_PAIRS : M_BLOCK, count = (product->m + limit - 1) / limit;
  p.m_block = lm_round_up((product->m + count - 1) / count, 2L * p.panel_rows);
  return p;
}

bool lm_gemm_blocked(lm_context *context, int precision, const lm_product *product) {
  blocked p = prepare(context, precision, product);
  long panels = (lm_min(product->m, p.m_block) + p.panel_rows - 1) / p.panel_rows;
  long blocks = (product->k + p.k_block - 1) / p.k_block;
  p.packed = lm_reserve(&context->shared, (size_t)(blocks * panels * panel_bytes(&p, p.k_block)) + 4096);
  if (!p.packed) return false;
  for (int t = 0; t < context->threads; t++)
    if (!lm_reserve(&context->local[t], BUFFER_BYTES)) return false;
  lm_parallel(context, 2.0 * (double)product->m * (double)product->n * (double)product->k / p.rate, run_blocked, &p);
  return true;
}
