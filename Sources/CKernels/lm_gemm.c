// Matrix products: the choice of the algorithm, and what all of them have taken.
#include "lm_gemm.h"

#include <time.h>

// MARK: Choice

typedef struct {
  lm_product product;
  const float *transposed;  // [n, m]
} transposed_result;

static void run_transpose(void *argument, int thread, int threads) {
  const transposed_result *t = argument;
  const lm_product *p = &t->product;
  lm_range rows = lm_share(p->m, 1, thread, threads);
  for (long i = rows.from; i < rows.to; i++)
    for (long j = 0; j < p->n; j++) {
      float value = t->transposed[j * p->m + i];
      p->c[i * p->c_row_stride + j] = p->accumulate ? p->c[i * p->c_row_stride + j] + value : value;
    }
}

static bool multiply(lm_context *context, int precision, const lm_product *p);

// Cᵀ = Bᵀ · Aᵀ: A, large and stored by columns, becomes the operand that need not be turned round.
static bool multiply_transposed(lm_context *context, int precision, const lm_product *p) {
  float *result = lm_reserve(&context->extra, (size_t)(p->m * p->n) * 4);
  lm_product turned = {.m = p->n, .n = p->m, .k = p->k, .alpha = p->alpha, .a = p->b.data,
                       .a_row_stride = p->b.column_stride, .a_column_stride = p->b.row_stride,
                       .b = {p->a, p->a_column_stride, p->a_row_stride, 0, 0, LM_OPERAND_F32}, .c = result,
                       .c_row_stride = p->m};
  if (!result || !multiply(context, precision, &turned)) return false;
  transposed_result t = {*p, result};
  lm_parallel(context, (double)p->m * (double)p->n, run_transpose, &t);
  return true;
}

static bool multiply(lm_context *context, int precision, const lm_product *p) {
  bool plain = p->b.kind == LM_OPERAND_F32, by_rows = p->a_column_stride == 1;
  if (plain && !p->bias && p->a_row_stride == 1 && p->a_column_stride > 1 && p->n <= LM_SKINNY_COLUMNS &&
      p->m >= 4 * p->n)
    return multiply_transposed(context, precision, p);
  bool rounded = precision == LM_BF16 && context->isa >= LM_AVX512_BF16;
  if (!rounded && plain && by_rows && p->n <= LM_SKINNY_COLUMNS) return lm_gemm_skinny(context, p);
  if (!rounded && p->b.kind == LM_OPERAND_PACKED && by_rows && p->alpha == 1 && p->m <= LM_FEW_ROWS)
    return lm_gemm_few_rows(context, p);
  if (precision == LM_BF16 && context->isa >= LM_AMX_BF16) {
    lm_tiles_result result = lm_gemm_tiles(context, p, NULL);
    if (result != LM_TILES_NOT_OF_THIS_KIND) return result == LM_TILES_DONE;
  }
  return lm_gemm_blocked(context, precision, p);
}

// MARK: Totals

static double seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void count(lm_context *context, double start, const lm_product *p, double operations_per_row) {
  context->product_seconds += seconds() - start;
  context->product_operations += 2.0 * (double)p->m * (double)p->n * (double)p->k + operations_per_row * (double)p->m;
}

bool lm_gemm(lm_context *context, int precision, const lm_product *product) {
  double start = seconds();
  bool done = multiply(context, precision, product);
  count(context, start, product, 0);
  return done;
}

bool lm_fuses_branch(const lm_context *context, int precision, long k, const lm_branch *branch) {
  return precision == LM_BF16 && context->isa >= LM_AMX_BF16 && lm_tiles_fit_branch(k, branch);
}

bool lm_gemm_branch(lm_context *context, int precision, const lm_product *product, const lm_branch *branch) {
  if (!lm_fuses_branch(context, precision, product->k, branch) || product->b.kind != LM_OPERAND_PACKED) return false;
  double start = seconds();
  bool done = lm_gemm_tiles(context, product, branch) == LM_TILES_DONE;
  count(context, start, product, 2.0 * (double)branch->rank * (double)(branch->inputs + branch->outputs));
  return done;
}

void lm_product_totals(const lm_context *context, double *wall_seconds, double *operations) {
  *wall_seconds = context->product_seconds;
  *operations = context->product_operations;
}
