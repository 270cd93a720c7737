// Products with few columns in 32 bits: A is read in place, row by row, and B lies packed whole in the cache.
#include "lm_gemm.h"

typedef struct {
  lm_context *context;
  const lm_table *table;
  const lm_product *product;
  float *packed;       // [block of k][panel][LM_K_BLOCK][32]
  long panels, blocks; // of columns, of k
} skinny_product;

/// Panel `unit % panels` of block `unit / panels` of k.
typedef struct {
  long k0, k, j, columns;
  float *panel;
} skinny_unit;

static skinny_unit unit_of(const skinny_product *s, long unit) {
  long k0 = unit / s->panels * LM_K_BLOCK, j = unit % s->panels * LM_PANEL;
  return (skinny_unit){k0, lm_min(LM_K_BLOCK, s->product->k - k0), j, lm_min(LM_PANEL, s->product->n - j),
                       s->packed + unit * LM_K_BLOCK * LM_PANEL};
}

static void run_skinny(void *argument, int thread, int threads) {
  const skinny_product *s = argument;
  const lm_product *p = s->product;
  const lm_operand *b = &p->b;
  lm_range mine = lm_share(s->blocks * s->panels, 1, thread, threads);
  for (long i = mine.from; i < mine.to; i++) {
    skinny_unit u = unit_of(s, i);
    lm_right_part part = {u.k, u.columns, (const float *)b->data + u.k0 * b->row_stride + u.j * b->column_stride,
                          b->row_stride, b->column_stride};
    s->table->pack_b(&part, u.panel);
  }
  lm_barrier(s->context, threads);
  // Rows in groups that stay in the cache over all blocks of k.
  lm_range rows = lm_share(p->m, 8, thread, threads);
  for (long i = rows.from; i < rows.to; i += 64)
    for (long unit = 0; unit < s->blocks * s->panels; unit++) {
      skinny_unit u = unit_of(s, unit);
      lm_block block = {.rows = lm_min(64, rows.to - i), .columns = u.columns, .k = u.k,
                        .bias = p->bias && u.k0 == 0 ? p->bias + u.j : NULL,
                        .accumulate = p->accumulate || u.k0 > 0, .c = p->c + i * p->c_row_stride + u.j,
                        .c_stride = p->c_row_stride};
      lm_left_rows left = {p->a + i * p->a_row_stride + u.k0, p->a_row_stride, p->alpha};
      s->table->skinny(&block, left, u.panel);
    }
}

bool lm_gemm_skinny(lm_context *context, const lm_product *p) {
  skinny_product s = {.context = context, .table = lm_table_for(context->isa), .product = p,
                      .panels = (p->n + LM_PANEL - 1) / LM_PANEL, .blocks = (p->k + LM_K_BLOCK - 1) / LM_K_BLOCK};
  s.packed = lm_reserve(&context->shared, (size_t)(s.panels * s.blocks * LM_K_BLOCK * LM_PANEL) * 4);
  if (!s.packed) return false;
  lm_parallel(context, 2.0 * (double)p->m * (double)p->n * (double)p->k / 60, run_skinny, &s);
  return true;
}
