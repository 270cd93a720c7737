// Products on tiles: C [m, n] (+)= alpha · A [m, k] · B [k, n] + bias, B packed once (lm_weights.c) or narrow; and with
// them a low-rank branch, C += (A · D) · U, whose inner matrix never leaves the cache.
//
//   Blocks of rows   A block of A, as bf16 tiles, stays in the second-level cache of the thread that multiplies it and
//                    has packed it for itself: no thread waits for another or fetches from another's cache.
//   Panels of B      are read once per block, in stretches of k that stay in the first-level cache; the next stretch is
//                    asked for meanwhile. Sums over several stretches wait in the second-level cache.
//   Branch           A · D is a narrow panel more; its result, rounded to bf16, and U lengthen the last stretch of k.
//   Large results    that no cache would hold until they are read again are written past the caches.
//   Threads          begin with blocks of their own and take panels in shares that get smaller; who has finished helps
//                    with blocks that others have begun. Each element is summed in the order of k by one thread.
#include "lm_gemm.h"
#include "lm_tiles.h"

enum {
  PAIR = 32,                // rows of two row tiles
  A_BYTES = 1 << 20,        // of a block of A: the second-level cache has 2 MB where there are tiles
  K_STRETCH = 256,          // 16 KB of a panel of B, and as much of each pair of row tiles
  LONGEST_K = 8192,         // beyond, a block of A would have too few rows: k is cut into segments
  LEAST_SEGMENT = 1024,
  NARROW = 64,              // columns up to which a plain B is packed by every thread for itself
  MOST_BLOCKS = 128,
  LEAST_SHARED_ROWS = 128,  // blocks are not made smaller than this only to keep threads apart
  HELP_PANELS = 8,          // fewer panels than this are left to the thread that has the block
};

typedef struct {
  lm_context *context;
  const lm_table *table;
  const lm_product *product;
  long kp;  // k, padded to 32
  bool emulated, stream;
  const lm_branch *branch;  // NULL: none
  long rank;                // of the branch, padded to 32
  long block, blocks, panels, k_chunk;
  _Atomic long next[MOST_BLOCKS];  // panel that comes next, of each block
} tiles_product;

typedef struct {
  uint16_t *a, *inner;  // A and A · D of a block, as tiles
  uint32_t *narrow;     // panels of a plain B, or of D
  uint32_t *up;         // a panel of U
  float *sums;          // [rows of a block][32]
  float *edge;          // [32][32]
  float *bias;          // [32]
  float *project;       // [32][rank]
  float *panel;         // a narrow panel before it is rounded
} tiles_memory;

static long narrow_panels(const tiles_product *p) {
  return p->branch ? p->rank / LM_PANEL : p->product->b.kind == LM_OPERAND_F32 ? p->panels : 0;
}

/// Divides `memory`; NULL: only counts. The result is the size in bytes.
static size_t divide(const tiles_product *p, char *memory, tiles_memory *t) {
  size_t used = 0;
  t->edge = lm_carve(memory, &used, PAIR * LM_PANEL * 4);
  t->bias = lm_carve(memory, &used, LM_PANEL * 4);
  t->sums = lm_carve(memory, &used, p->block * LM_PANEL * 4);
  t->a = lm_carve(memory, &used, p->block * p->kp * 2);
  t->inner = lm_carve(memory, &used, p->block * p->rank * 2);
  t->project = lm_carve(memory, &used, PAIR * p->rank * 4);
  t->up = lm_carve(memory, &used, p->rank * LM_PANEL * 2);
  t->narrow = lm_carve(memory, &used, narrow_panels(p) * p->kp * LM_PANEL * 2);
  t->panel = lm_carve(memory, &used, narrow_panels(p) ? lm_max(p->kp, p->rank) * LM_PANEL * 4 : 0);
  return used;
}

static void pack_rows(const tiles_product *p, const lm_left_part *part, uint16_t *out) {
  if (part->column_stride == 1 && !p->emulated)
    lm_pack_tiles(part, out);
  else
    p->table->pack_a_tiles(part, out);
}

/// Rows [m0, m0 + rows) of A: [stretch of k][row tile][k/32][16][32].
static void pack_block(const tiles_product *p, long m0, long rows, uint16_t *out) {
  const lm_product *product = p->product;
  const long rs = product->a_row_stride, cs = product->a_column_stride;
  long tiles = (rows + 15) / 16;
  for (long i = 0; i < tiles; i++)
    for (long k0 = 0; k0 < product->k; k0 += p->k_chunk) {
      long kc = lm_min(p->k_chunk, product->k - k0), kp = lm_round_up(kc, 32);
      lm_left_part part = {lm_min(16, rows - i * 16), kc, product->alpha,
                           product->a + (m0 + i * 16) * rs + k0 * cs, rs, cs};
      pack_rows(p, &part, out + k0 * tiles * 16 + i * kp * 16);
    }
}

/// A part of a plain matrix becomes rows [k0, k0 + part.k) of a narrow panel of `kp` rows; the other rows are zero.
static void pack_narrow(const tiles_product *p, const tiles_memory *t, const lm_right_part *part, long k0, long kp,
                        uint32_t *out) {
  // From an even row on: pairs of rows.
  long even = k0 & ~1L, filled = k0 - even + part->k;
  if (k0 > even) memset(t->panel, 0, LM_PANEL * 4);
  p->table->pack_b(part, t->panel + (k0 - even) * LM_PANEL);
  memset(out, 0, (size_t)even * LM_PANEL * 2);
  p->table->pairs_from_f32(filled, t->panel, out + even / 2 * LM_PANEL);
  long end = even / 2 + (filled + 1) / 2;
  memset(out + end * LM_PANEL, 0, (size_t)(kp / 2 - end) * LM_PANEL * 4);
}

static void pack_narrow_panels(const tiles_product *p, const tiles_memory *t) {
  const lm_branch *d = p->branch;
  const lm_operand *b = &p->product->b;
  for (long i = 0; i < narrow_panels(p); i++) {
    uint32_t *out = t->narrow + i * p->kp / 2 * LM_PANEL;
    long j = i * LM_PANEL;
    lm_right_part part =
        d ? (lm_right_part){d->inputs, lm_min(LM_PANEL, d->rank - j), d->down + j * d->down_column_stride,
                            d->down_row_stride, d->down_column_stride}
          : (lm_right_part){p->product->k, lm_min(LM_PANEL, p->product->n - j),
                            (const float *)b->data + j * b->column_stride, b->row_stride, b->column_stride};
    pack_narrow(p, t, &part, d ? d->first_input : 0, p->kp, out);
  }
}

/// A · D of a block, to `inner` and, with `keeps`, to the branch's own memory.
static void project(const tiles_product *p, const tiles_memory *t, long m0, long rows, bool keeps) {
  const lm_branch *d = p->branch;
  long tiles = (rows + 15) / 16;
  for (long i = 0; i < tiles; i += 2) {
    long count = lm_min(PAIR, rows - i * 16);
    for (long j = 0; j < p->rank / LM_PANEL; j++) {
      for (long k0 = 0; k0 < p->product->k; k0 += p->k_chunk) {
        long kp = lm_round_up(lm_min(p->k_chunk, p->product->k - k0), 32);
        lm_tiles_job job = {.k = kp, .b = t->narrow + (j * p->kp + k0) / 2 * LM_PANEL, .from = k0 ? t->edge : NULL,
                            .from_stride = LM_PANEL, .to = t->edge, .to_stride = LM_PANEL};
        job.a0 = t->a + k0 * tiles * 16 + i * kp * 16;
        if (i + 1 < tiles) job.a1 = job.a0 + kp * 16;
        lm_tiles_run(&job, p->emulated);
      }
      for (long r = 0; r < count; r++)
        for (long x = 0; x < LM_PANEL; x++)
          t->project[r * p->rank + j * LM_PANEL + x] = d->scale_down * t->edge[r * LM_PANEL + x];
    }
    if (keeps)
      for (long r = 0; r < count; r++)
        memcpy(d->projected + (m0 + i * 16 + r) * d->rank, t->project + r * p->rank, (size_t)d->rank * 4);
    for (long h = 0; h < 2 && i + h < tiles; h++) {
      lm_left_part part = {lm_min(16, count - h * 16), p->rank, d->scale_up, t->project + h * 16 * p->rank, p->rank, 1};
      pack_rows(p, &part, t->inner + (i + h) * p->rank * 16);
    }
  }
}

/// The bias of panel j, whole; NULL: none.
static const float *panel_bias(const tiles_product *p, const tiles_memory *t, long j) {
  const float *bias = p->product->bias ? p->product->bias + j * LM_PANEL : NULL;
  long columns = lm_min(LM_PANEL, p->product->n - j * LM_PANEL);
  if (!bias || columns == LM_PANEL) return bias;
  memset(t->bias, 0, LM_PANEL * 4);
  memcpy(t->bias, bias, (size_t)columns * 4);
  return t->bias;
}

/// Packs the branch's U beside panel j of C; false: the branch does not reach it.
static bool pack_up(const tiles_product *p, const tiles_memory *t, long j) {
  const lm_branch *d = p->branch;
  long column = d ? j * LM_PANEL - d->first_output : 0;
  if (!d || column < 0 || column >= d->outputs) return false;
  lm_right_part part = {d->rank, lm_min(LM_PANEL, d->outputs - column), d->up + column * d->up_column_stride,
                        d->up_row_stride, d->up_column_stride};
  pack_narrow(p, t, &part, 0, p->rank, t->up);
  return true;
}

/// The sums in `edge` to a block of C whose sums could not go there by themselves.
static void finish_block(const tiles_product *p, const lm_block *block, bool whole, const float *edge) {
  if (whole) {
    lm_tiles_stream(edge, block->rows, block->c, block->c_stride);
    return;
  }
  if (block->columns == LM_PANEL && !p->emulated) {
    lm_tiles_add(edge, block);
    return;
  }
  for (long r = 0; r < block->rows; r++)
    for (long x = 0; x < block->columns; x++) {
      float *c = block->c + r * block->c_stride + x;
      float value = edge[r * LM_PANEL + x] + (block->bias ? block->bias[x] : 0.f);
      *c = block->accumulate ? *c + value : value;
    }
}

/// One block of rows times panel j.
static void multiply_panel(const tiles_product *p, const tiles_memory *t, long m0, long rows, long j) {
  const lm_product *product = p->product;
  const long k = product->k, ldc = product->c_row_stride;
  long tiles = (rows + 15) / 16, pairs = (tiles + 1) / 2, columns = lm_min(LM_PANEL, product->n - j * LM_PANEL);
  bool plain = product->b.kind == LM_OPERAND_F32;
  long panel_pairs = plain ? p->kp / 2 : lm_round_up(product->b.inputs, 32) / 2;
  const uint32_t *panel = (plain ? t->narrow : (const uint32_t *)product->b.data) + j * panel_pairs * LM_PANEL;
  const float *bias = panel_bias(p, t, j);
  bool branch = pack_up(p, t, j);
  // Sums can begin with the bias or with C, not with both.
  bool both = bias && product->accumulate;
  for (long k0 = 0; k0 < k; k0 += p->k_chunk) {
    bool first = k0 == 0, last = k0 + p->k_chunk >= k;
    long kp = lm_round_up(lm_min(p->k_chunk, k - k0), 32), steps = kp / 32;
    const uint16_t *a = t->a + k0 * tiles * 16;
    const uint32_t *b = panel + k0 / 2 * LM_PANEL;
    // Lines of the next stretch that every step asks for: a step reads 32.
    long lines = (32 + pairs - 1) / pairs;
    const char *ahead = (const char *)(b + kp / 2 * LM_PANEL);
    for (long i = 0; i < pairs; i++, ahead += steps * lines * 64) {
      long r0 = i * PAIR, count = lm_min(PAIR, rows - r0);
      float *c = product->c + (m0 + r0) * ldc + j * LM_PANEL, *sums = t->sums + r0 * LM_PANEL;
      bool whole = columns == LM_PANEL && count % 16 == 0 && !both, direct = last && whole && !p->stream;
      lm_tiles_job job = {.k = kp, .a0 = a + 2 * i * kp * 16, .b = b};
      if (2 * i + 1 < tiles) job.a1 = job.a0 + kp * 16;
      if (i * lines < 32) job.ahead = ahead, job.lines = lines;
      job.from = !first ? sums : bias && !both ? bias : product->accumulate && whole ? c : NULL;
      job.from_stride = !first ? LM_PANEL : bias ? 0 : ldc;
      job.to = !last ? sums : direct ? c : t->edge;
      job.to_stride = direct ? ldc : LM_PANEL;
      if (last && branch) job.k2 = p->rank, job.b2 = t->up, job.a2 = t->inner + 2 * i * p->rank * 16;
      lm_tiles_run(&job, p->emulated);
      if (!last || direct) continue;
      lm_block block = {.rows = count, .columns = columns, .bias = both ? bias : NULL,
                        .accumulate = product->accumulate, .c = c, .c_stride = ldc};
      finish_block(p, &block, whole, t->edge);
    }
  }
}

/// The next share of a block's panels: half of what would be left for one thread.
static bool next_panels(tiles_product *p, long block, int threads, long *first, long *last) {
  long begin = atomic_load_explicit(&p->next[block], memory_order_relaxed), end;
  do {
    if (begin >= p->panels) return false;
    end = begin + (p->panels - begin + 2 * threads - 1) / (2 * threads);
  } while (!atomic_compare_exchange_weak(&p->next[block], &begin, end));
  *first = begin;
  *last = end;
  return true;
}

static void run(void *argument, int thread, int threads) {
  tiles_product *p = argument;
  tiles_memory t;
  divide(p, p->context->local[thread].memory, &t);
  if (!p->emulated) lm_tiles_begin();
  bool narrow = narrow_panels(p) == 0;
  for (long i = 0; i < p->blocks; i++) {
    long block = (lm_part(p->blocks, thread, threads) + i) % p->blocks;
    long taken = atomic_load_explicit(&p->next[block], memory_order_relaxed), first, last;
    if (taken > 0 && p->panels - taken < HELP_PANELS && p->blocks > 1) continue;
    if (!next_panels(p, block, threads, &first, &last)) continue;
    long m0 = block * p->block, rows = lm_min(p->block, p->product->m - m0);
    if (!narrow) pack_narrow_panels(p, &t), narrow = true;
    pack_block(p, m0, rows, t.a);
    if (p->branch) project(p, &t, m0, rows, first == 0);
    do {
      for (long j = first; j < last; j++) multiply_panel(p, &t, m0, rows, j);
    } while (next_panels(p, block, threads, &first, &last));
  }
  if (p->stream) lm_streamed();
  if (!p->emulated) lm_tiles_end();
}

bool lm_tiles_fit_branch(long k, const lm_branch *branch) {
  return k <= LONGEST_K && branch->rank <= NARROW && branch->first_output % LM_PANEL == 0;
}

/// A long k in segments, each added to C. So long that one block holds a thread's rows: B is read once per block, C
/// once per segment.
static lm_tiles_result multiply_segments(lm_context *context, const lm_product *product) {
  if (product->b.kind == LM_OPERAND_F32) return LM_TILES_NOT_OF_THIS_KIND;
  long rows = lm_round_up((product->m + context->threads - 1) / context->threads, PAIR);
  long segment = lm_max(LEAST_SEGMENT, lm_min(LONGEST_K / 2, A_BYTES / (2 * rows) / K_STRETCH * K_STRETCH));
  for (long k0 = 0; k0 < product->k; k0 += segment) {
    lm_product part = *product;
    part.k = lm_min(segment, product->k - k0);
    part.a += k0 * product->a_column_stride;
    part.b.data = (const uint32_t *)product->b.data + k0 / 2 * LM_PANEL;
    if (k0) part.bias = NULL, part.accumulate = true;
    lm_tiles_result result = lm_gemm_tiles(context, &part, NULL);
    if (result != LM_TILES_DONE) return result;
  }
  return LM_TILES_DONE;
}

/// Many rows, half as many blocks at a time as there are counters.
static lm_tiles_result multiply_row_groups(lm_context *context, const lm_product *product, const lm_branch *branch,
                                           long block) {
  for (long m0 = 0, rows = MOST_BLOCKS / 2 * block; m0 < product->m; m0 += rows) {
    lm_product part = *product;
    part.m = lm_min(rows, product->m - m0);
    part.a += m0 * product->a_row_stride;
    part.c += m0 * product->c_row_stride;
    lm_branch part_branch = branch ? *branch : (lm_branch){0};
    if (branch) part_branch.projected += m0 * branch->rank;
    lm_tiles_result result = lm_gemm_tiles(context, &part, branch ? &part_branch : NULL);
    if (result != LM_TILES_DONE) return result;
  }
  return LM_TILES_DONE;
}

lm_tiles_result lm_gemm_tiles(lm_context *context, const lm_product *product, const lm_branch *branch) {
  const long m = product->m, n = product->n, k = product->k;
  const int kind = product->b.kind;
  if (kind == LM_OPERAND_PACKED_TRANSPOSED || (kind == LM_OPERAND_F32 && n > NARROW)) return LM_TILES_NOT_OF_THIS_KIND;
  if (k > LONGEST_K) return multiply_segments(context, product);
  tiles_product p = {.context = context, .table = lm_table_for(context->isa), .product = product,
                     .kp = lm_round_up(k, 32), .emulated = context->isa == LM_AMX_EMULATED, .branch = branch};
  p.stream = !p.emulated && !product->accumulate && lm_streams(product->c, m * n, product->c_row_stride);
  p.panels = (n + LM_PANEL - 1) / LM_PANEL;
  p.rank = branch ? lm_round_up(branch->rank, 32) : 0;
  // Stretches of about equal length.
  long chunks = (p.kp + K_STRETCH - 1) / K_STRETCH;
  p.k_chunk = lm_round_up((p.kp + chunks - 1) / chunks, 32);
  long most = lm_max(PAIR, A_BYTES / (p.kp * 2) / PAIR * PAIR), count = (m + most - 1) / most;
  count = lm_max(count, lm_min(lm_min(context->threads, MOST_BLOCKS), m / LEAST_SHARED_ROWS));
  // Every thread as many blocks as the others.
  if (count > context->threads) count = lm_round_up(count, context->threads);
  p.block = lm_round_up((m + count - 1) / count, PAIR);
  p.blocks = (m + p.block - 1) / p.block;
  if (p.blocks > MOST_BLOCKS) return multiply_row_groups(context, product, branch, p.block);
  tiles_memory counted;
  for (int t = 0; t < context->threads; t++)
    if (!lm_reserve(&context->local[t], divide(&p, NULL, &counted))) return LM_TILES_REFUSED;
  lm_parallel(context, 2.0 * (double)m * (double)n * (double)k / 1000, run, &p);
  return LM_TILES_DONE;
}
