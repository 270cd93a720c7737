// Products with few rows in 32 bits, as when text is generated: packed weights are read in place, each from memory
// once.
#include "lm_gemm.h"

typedef struct {
  lm_context *context;
  const lm_table *table;
  const lm_product *product;
  long wide, units;  // groups of three panels, units of columns
} few_rows_product;

// Units of columns of C: thirds of the `wide` groups of three panels first (three vectors of AVX2), then single panels.

/// Pairs of one unit: where its vectors (the panel) begin, and the lines of a row that it is the first to read.
typedef struct {
  const uint32_t *vector[3], *line[2];
} few_pairs;

/// A unit's pairs from row k0 of B on.
static few_pairs pairs_of(const lm_product *p, long wide, long unit, long k0) {
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

/// Columns of unit u from row k0 of B on; `ahead`: what is wanted next.
static void multiply_unit(const few_rows_product *f, long u, long k0, few_pairs ahead) {
  const lm_product *p = f->product;
  bool third = u < 4 * f->wide;
  long column = third ? u * 24 : (u - f->wide) * LM_PANEL;
  few_pairs b = pairs_of(p, f->wide, u, k0);
  lm_block block = {.rows = p->m, .columns = lm_min(LM_PANEL, p->n - column), .k = lm_min(LM_K_BLOCK, p->k - k0),
                    .bias = p->bias && k0 == 0 ? p->bias + column : NULL, .accumulate = p->accumulate || k0 > 0,
                    .c = p->c + column, .c_stride = p->c_row_stride};
  lm_left_rows left = {p->a + k0, p->a_row_stride, 1};
  if (third)
    f->table->few_third(&block, left, b.vector, ahead.line);
  else
    f->table->few(&block, left, b.vector[0], ahead.line[0]);
}

/// Units [first, last), each from memory once: group after group, in each block after block of k. `next`: the first of
/// the units that this thread does afterwards.
static void multiply_units(const few_rows_product *f, long first, long last, long next) {
  const lm_product *p = f->product;
  for (long start = first, end; start < last; start = end) {
    end = start < 4 * f->wide ? lm_min(last, start / 4 * 4 + 4) : start + 1;
    for (long k0 = 0; k0 < p->k; k0 += LM_K_BLOCK)
      for (long u = start; u < end; u++) {
        // Wanted next: the following block, or the first one of the group behind this one.
        long behind = (end < last ? end : next) + u - start;
        few_pairs ahead = {{0}, {0}};
        if (k0 + LM_K_BLOCK < p->k)
          ahead = pairs_of(p, f->wide, u, k0 + LM_K_BLOCK);
        else if (behind < f->units)
          ahead = pairs_of(p, f->wide, behind, 0);
        multiply_unit(f, u, k0, ahead);
      }
  }
}

static void run_few_rows(void *argument, int thread, int threads) {
  const few_rows_product *f = argument;
  lm_shares s = {.units = f->units, .threads = threads};
  (void)thread;
  if (threads == 1) return multiply_units(f, 0, f->units, f->units);
  // A share is taken while the one before it is still to be done, whose last block asks for its weights.
  for (bool more = lm_next_share(&s, f->context); more;) {
    long first = s.first, last = s.last;
    more = lm_next_share(&s, f->context);
    multiply_units(f, first, last, more ? s.first : f->units);
  }
}

bool lm_gemm_few_rows(lm_context *context, const lm_product *p) {
  few_rows_product f = {.context = context, .table = lm_table_for(context->isa), .product = p};
  f.wide = p->m >= 4 && f.table->few_third ? p->n / (3 * LM_PANEL) : 0;
  f.units = 4 * f.wide + (p->n - 3 * f.wide * LM_PANEL + LM_PANEL - 1) / LM_PANEL;
  lm_parallel(context, 2.0 * (double)p->m * (double)p->n * (double)p->k / 50, run_few_rows, &f);
  return true;
}
