// Products on tiles: C [m, n] (+)= alpha · A [m, k] · B [k, n] + bias, B packed once (lm_gemm.c) or narrow; and with them
// a low-rank branch, C += (A · D) · U, whose inner matrix never leaves the cache.
//
//   Blocks of rows   A block of A, as bf16 tiles, stays in the second-level cache of the thread that multiplies it, which
//                    has packed it for itself: no thread waits for another, and nothing is fetched from another's cache.
//   Panels of B      are read once per block, in stretches of k that stay in the first-level cache; the next stretch is
//                    asked for meanwhile. Sums over several stretches wait in the second-level cache.
//   Branch           A · D is a narrow panel more; its result, rounded to bf16, and U lengthen the last stretch of k.
//   Large results    that no cache would hold until they are read again are written past the caches.
//   Threads          begin with blocks of their own and take panels in shares that get smaller; who has finished helps
//                    with blocks that others have begun. Each element is summed in the order of k by one thread.
#include "lm_internal.h"

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
  long m, n, k, kp, a_rs, a_cs, ldc;
  float alpha;
  const float *a;
  lm_operand b;
  const float *bias;
  bool accumulate, emulated, stream;
  float *c;
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
  return p->branch ? p->rank / LM_PANEL : p->b.kind == LM_OPERAND_F32 ? p->panels : 0;
}

/// Divides `memory`; NULL: only counts. The result is the size in bytes.
static size_t divide(const tiles_product *p, char *memory, tiles_memory *t) {
  size_t size = 0;
#define TAKE(field, bytes) \
  t->field = memory ? (void *)(memory + size) : NULL, size += ((size_t)(bytes) + 63) & ~(size_t)63
  TAKE(edge, PAIR * LM_PANEL * 4);
  TAKE(bias, LM_PANEL * 4);
  TAKE(sums, p->block * LM_PANEL * 4);
  TAKE(a, p->block * p->kp * 2);
  TAKE(inner, p->block * p->rank * 2);
  TAKE(project, PAIR * p->rank * 4);
  TAKE(up, p->rank * LM_PANEL * 2);
  TAKE(narrow, narrow_panels(p) * p->kp * LM_PANEL * 2);
  TAKE(panel, narrow_panels(p) ? lm_max(p->kp, p->rank) * LM_PANEL * 4 : 0);
#undef TAKE
  return size;
}

static void run_job(const tiles_product *p, const lm_tiles_job *job) {
  if (p->emulated)
    lm_tiles_run_emulated(job);
  else
    lm_tiles_run(job);
}

static void pack_rows(const tiles_product *p, long rows, long k, float alpha, const float *a, long rs, long cs,
                      uint16_t *out) {
  if (cs == 1 && !p->emulated)
    lm_pack_tiles(rows, k, alpha, a, rs, out);
  else
    p->table->pack_a_tiles(rows, k, alpha, a, rs, cs, out);
}

/// Rows [m0, m0 + rows) of A: [stretch of k][row tile][k/32][16][32].
static void pack_block(const tiles_product *p, long m0, long rows, uint16_t *out) {
  long tiles = (rows + 15) / 16;
  for (long i = 0; i < tiles; i++)
    for (long k0 = 0; k0 < p->k; k0 += p->k_chunk) {
      long kc = lm_min(p->k_chunk, p->k - k0), kp = lm_round_up(kc, 32);
      pack_rows(p, lm_min(16, rows - i * 16), kc, p->alpha, p->a + (m0 + i * 16) * p->a_rs + k0 * p->a_cs, p->a_rs,
                p->a_cs, out + k0 * tiles * 16 + i * kp * 16);
    }
}

/// Rows [k0, k0 + k) of a narrow panel of `kp` rows from `columns` columns of a plain matrix; the other rows are zero.
static void pack_narrow(const tiles_product *p, const tiles_memory *t, long k0, long k, long kp, long columns,
                        const float *b, long rs, long cs, uint32_t *out) {
  // From an even row on: pairs of rows.
  long even = k0 & ~1L, filled = k0 - even + k;
  if (k0 > even) memset(t->panel, 0, LM_PANEL * 4);
  p->table->pack_b(k, columns, b, rs, cs, t->panel + (k0 - even) * LM_PANEL);
  memset(out, 0, (size_t)even * LM_PANEL * 2);
  p->table->pairs_from_f32(filled, t->panel, out + even / 2 * LM_PANEL);
  long end = even / 2 + (filled + 1) / 2;
  memset(out + end * LM_PANEL, 0, (size_t)(kp / 2 - end) * LM_PANEL * 4);
}

static void pack_narrow_panels(const tiles_product *p, const tiles_memory *t) {
  const lm_branch *d = p->branch;
  for (long j = 0; j < narrow_panels(p); j++) {
    uint32_t *out = t->narrow + j * p->kp / 2 * LM_PANEL;
    if (d)
      pack_narrow(p, t, d->first_input, d->inputs, p->kp, lm_min(LM_PANEL, d->rank - j * LM_PANEL),
                  d->down + j * LM_PANEL * d->down_column_stride, d->down_row_stride, d->down_column_stride, out);
    else
      pack_narrow(p, t, 0, p->k, p->kp, lm_min(LM_PANEL, p->n - j * LM_PANEL),
                  (const float *)p->b.data + j * LM_PANEL * p->b.column_stride, p->b.row_stride, p->b.column_stride,
                  out);
  }
}

/// A · D of a block, to `inner` and, with `keeps`, to the branch's own memory.
static void project(const tiles_product *p, const tiles_memory *t, long m0, long rows, bool keeps) {
  const lm_branch *d = p->branch;
  long tiles = (rows + 15) / 16;
  for (long i = 0; i < tiles; i += 2) {
    long count = lm_min(PAIR, rows - i * 16);
    for (long j = 0; j < p->rank / LM_PANEL; j++) {
      for (long k0 = 0; k0 < p->k; k0 += p->k_chunk) {
        long kp = lm_round_up(lm_min(p->k_chunk, p->k - k0), 32);
        lm_tiles_job job = {.k = kp, .b = t->narrow + (j * p->kp + k0) / 2 * LM_PANEL, .from = k0 ? t->edge : NULL,
                            .from_stride = LM_PANEL, .to = t->edge, .to_stride = LM_PANEL};
        job.a0 = t->a + k0 * tiles * 16 + i * kp * 16;
        if (i + 1 < tiles) job.a1 = job.a0 + kp * 16;
        run_job(p, &job);
      }
      for (long r = 0; r < count; r++)
        for (long x = 0; x < LM_PANEL; x++)
          t->project[r * p->rank + j * LM_PANEL + x] = d->scale_down * t->edge[r * LM_PANEL + x];
    }
    if (keeps)
      for (long r = 0; r < count; r++)
        memcpy(d->projected + (m0 + i * 16 + r) * d->rank, t->project + r * p->rank, (size_t)d->rank * 4);
    for (long h = 0; h < 2 && i + h < tiles; h++)
      pack_rows(p, lm_min(16, count - h * 16), p->rank, d->scale_up, t->project + h * 16 * p->rank, p->rank, 1,
                t->inner + (i + h) * p->rank * 16);
  }
}

/// One block of rows times panel j.
static void multiply_panel(const tiles_product *p, const tiles_memory *t, long m0, long rows, long j) {
  long tiles = (rows + 15) / 16, pairs = (tiles + 1) / 2, columns = lm_min(LM_PANEL, p->n - j * LM_PANEL);
  bool plain = p->b.kind == LM_OPERAND_F32;
  long panel_pairs = plain ? p->kp / 2 : lm_round_up(p->b.inputs, 32) / 2;
  const uint32_t *panel = (plain ? t->narrow : (const uint32_t *)p->b.data) + j * panel_pairs * LM_PANEL;
  const float *bias = p->bias ? p->bias + j * LM_PANEL : NULL;
  if (bias && columns < LM_PANEL) {
    memset(t->bias, 0, LM_PANEL * 4);
    memcpy(t->bias, bias, (size_t)columns * 4);
    bias = t->bias;
  }
  const lm_branch *d = p->branch;
  long branch_column = d ? j * LM_PANEL - d->first_output : 0;
  if (d && (branch_column < 0 || branch_column >= d->outputs)) d = NULL;
  if (d)
    pack_narrow(p, t, 0, d->rank, p->rank, lm_min(LM_PANEL, d->outputs - branch_column),
                d->up + branch_column * d->up_column_stride, d->up_row_stride, d->up_column_stride, t->up);
  // Sums can begin with the bias or with C, not with both.
  bool both = bias && p->accumulate;
  for (long k0 = 0; k0 < p->k; k0 += p->k_chunk) {
    bool first = k0 == 0, last = k0 + p->k_chunk >= p->k;
    long kp = lm_round_up(lm_min(p->k_chunk, p->k - k0), 32), steps = kp / 32;
    const uint16_t *a = t->a + k0 * tiles * 16;
    const uint32_t *b = panel + k0 / 2 * LM_PANEL;
    // Lines of the next stretch that every step asks for: a step reads 32.
    long lines = (32 + pairs - 1) / pairs;
    const char *ahead = (const char *)(b + kp / 2 * LM_PANEL);
    for (long i = 0; i < pairs; i++, ahead += steps * lines * 64) {
      long r0 = i * PAIR, count = lm_min(PAIR, rows - r0);
      float *c = p->c + (m0 + r0) * p->ldc + j * LM_PANEL, *sums = t->sums + r0 * LM_PANEL;
      bool whole = columns == LM_PANEL && count % 16 == 0 && !both, direct = last && whole && !p->stream;
      lm_tiles_job job = {.k = kp, .a0 = a + 2 * i * kp * 16, .b = b};
      if (2 * i + 1 < tiles) job.a1 = job.a0 + kp * 16;
      if (i * lines < 32) job.ahead = ahead, job.lines = lines;
      job.from = !first ? sums : bias && !both ? bias : p->accumulate && whole ? c : NULL;
      job.from_stride = !first ? LM_PANEL : bias ? 0 : p->ldc;
      job.to = !last ? sums : direct ? c : t->edge;
      job.to_stride = direct ? p->ldc : LM_PANEL;
      if (last && d) {
        job.k2 = p->rank, job.b2 = t->up, job.a2 = t->inner + 2 * i * p->rank * 16;
      }
      run_job(p, &job);
      if (!last || direct) continue;
      if (whole) {
        lm_tiles_stream(t->edge, count, c, p->ldc);
        continue;
      }
      if (columns == LM_PANEL && !p->emulated) {
        lm_tiles_add(t->edge, count, both ? bias : NULL, p->accumulate, c, p->ldc);
        continue;
      }
      for (long r = 0; r < count; r++)
        for (long x = 0; x < columns; x++) {
          float value = t->edge[r * LM_PANEL + x] + (both ? bias[x] : 0.f);
          c[r * p->ldc + x] = p->accumulate ? c[r * p->ldc + x] + value : value;
        }
    }
  }
}

/// The next share of a block's panels: half of what would be left for one thread.
static bool take(tiles_product *p, long block, int threads, long *first, long *last) {
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
    if (!take(p, block, threads, &first, &last)) continue;
    long m0 = block * p->block, rows = lm_min(p->block, p->m - m0);
    if (!narrow) pack_narrow_panels(p, &t), narrow = true;
    pack_block(p, m0, rows, t.a);
    if (p->branch) project(p, &t, m0, rows, first == 0);
    do {
      for (long j = first; j < last; j++) multiply_panel(p, &t, m0, rows, j);
    } while (take(p, block, threads, &first, &last));
  }
  if (p->stream) lm_streamed();
  if (!p->emulated) lm_tiles_end();
}

bool lm_tiles_fit_branch(long k, const lm_branch *branch) {
  return k <= LONGEST_K && branch->rank <= NARROW && branch->first_output % LM_PANEL == 0;
}

int lm_tiles_product(lm_context *context, long m, long n, long k, float alpha, const float *a, long a_row_stride,
                     long a_column_stride, lm_operand b, const float *bias, bool accumulate, float *c,
                     long c_row_stride, const lm_branch *branch) {
  if (b.kind == LM_OPERAND_PACKED_TRANSPOSED || (b.kind == LM_OPERAND_F32 && n > NARROW)) return 0;
  if (k > LONGEST_K) {
    if (b.kind == LM_OPERAND_F32) return 0;
    // So long that one block holds a thread's rows: B is read once per block, C once per segment.
    long rows = lm_round_up((m + context->threads - 1) / context->threads, PAIR);
    long segment = lm_max(LEAST_SEGMENT, lm_min(LONGEST_K / 2, A_BYTES / (2 * rows) / K_STRETCH * K_STRETCH));
    for (long k0 = 0; k0 < k; k0 += segment) {
      lm_operand part = b;
      part.data = (const uint32_t *)b.data + k0 / 2 * LM_PANEL;
      int done = lm_tiles_product(context, m, n, lm_min(segment, k - k0), alpha, a + k0 * a_column_stride,
                                  a_row_stride, a_column_stride, part, k0 ? NULL : bias, accumulate || k0, c,
                                  c_row_stride, NULL);
      if (done <= 0) return done;
    }
    return 1;
  }
  tiles_product p = {.context = context, .table = lm_table_for(context->isa), .m = m, .n = n, .k = k,
                     .kp = lm_round_up(k, 32), .a_rs = a_row_stride, .a_cs = a_column_stride, .ldc = c_row_stride,
                     .alpha = alpha, .a = a, .b = b, .bias = bias, .accumulate = accumulate,
                     .emulated = context->isa == LM_AMX_EMULATED, .c = c, .branch = branch};
  p.stream = !p.emulated && !accumulate && lm_streams(c, m * n, c_row_stride);
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
  if (p.blocks > MOST_BLOCKS) {
    for (long m0 = 0, rows = MOST_BLOCKS / 2 * p.block; m0 < m; m0 += rows) {
      lm_branch part = branch ? *branch : (lm_branch){0};
      if (branch) part.projected += m0 * branch->rank;
      int done = lm_tiles_product(context, lm_min(rows, m - m0), n, k, alpha, a + m0 * a_row_stride, a_row_stride,
                                  a_column_stride, b, bias, accumulate, c + m0 * c_row_stride, c_row_stride,
                                  branch ? &part : NULL);
      if (done <= 0) return done;
    }
    return 1;
  }
  tiles_memory counted;
  for (int t = 0; t < context->threads; t++)
    if (!lm_reserve(&context->local[t], divide(&p, NULL, &counted))) return -1;
  lm_parallel(context, 2.0 * (double)m * (double)n * (double)k / 1000, run, &p);
  return 1;
}
