// Threads around the row-range kernels. Reductions over rows are split by columns, so that each element is summed in
// one order whatever the number of threads.
#include "lm_internal.h"

typedef struct {
  lm_context *context;
  const lm_table *table;
  long rows, columns, stride, other;
  int kind, heads;
  float number;
  bool flag;
  const float *a, *b, *c, *d;
  float *x, *y, *z;
  const int32_t *indices;
  int32_t *out_indices;
  const lm_adamw_step *step;
} job;

#define JOB(...) job j = {.context = context, .table = lm_table_for(context->isa), __VA_ARGS__}
#define TASK(name) static void name(void *argument, int thread, int threads)
#define RANGE(count)                                                                          \
  const job *j = argument;                                                                    \
  long from = lm_part(count, thread, threads), to = lm_part(count, thread + 1, threads);      \
  if (from >= to) return
// Ranges of single elements begin at multiples of 16, so that no cache line is shared and vectors stay whole.
#define ELEMENTS(count)                                                                       \
  const job *j = argument;                                                                    \
  long blocks = ((count) + 15) / 16;                                                          \
  long from = lm_part(blocks, thread, threads) * 16;                                          \
  long to = lm_min(lm_part(blocks, thread + 1, threads) * 16, count);                         \
  if (from >= to) return

// MARK: Norms

TASK(run_normalize) {
  RANGE(j->rows);
  j->table->normalize(from, to, j->columns, j->kind, j->number, j->a, j->b, j->x, j->c, j->d, j->y, j->z);
}

void lm_normalize(lm_context *context, long rows, long d, int kind, float epsilon, const float *x,
                  const float *residual, float *sum, const float *weight, const float *bias, float *y,
                  float *statistics) {
  JOB(.rows = rows, .columns = d, .kind = kind, .number = epsilon, .a = x, .b = residual, .x = sum, .c = weight,
      .d = bias, .y = y, .z = statistics);
  lm_parallel(context, 0.3 * (double)rows * (double)d, run_normalize, &j);
}

TASK(run_normalize_dw) {
  ELEMENTS(j->columns);
  j->table->normalize_dw(from, to, j->rows, j->columns, j->kind, j->a, j->b, j->c, j->x, j->y);
}

TASK(run_normalize_dx) {
  RANGE(j->rows);
  j->table->normalize_dx(from, to, j->columns, j->kind, j->a, j->b, j->c, j->d, j->z, j->flag);
}

void lm_normalize_backward(lm_context *context, long rows, long d, int kind, const float *dy, const float *x,
                           const float *statistics, const float *weight, float *dweight, float *dbias, float *dx,
                           bool accumulate) {
  JOB(.rows = rows, .columns = d, .kind = kind, .a = dy, .b = x, .c = statistics, .d = weight, .x = dweight,
      .y = dbias, .z = dx, .flag = accumulate);
  // First the parameters: dx may overwrite dy.
  if (dweight || dbias) lm_parallel(context, 0.2 * (double)rows * (double)d, run_normalize_dw, &j);
  if (dx) lm_parallel(context, 0.4 * (double)rows * (double)d, run_normalize_dx, &j);
}

// MARK: Activations

TASK(run_activate) {
  ELEMENTS(j->rows);
  j->table->activate(from, to, j->kind, j->a, j->y);
}

void lm_activate(lm_context *context, long count, int kind, const float *x, float *y) {
  JOB(.rows = count, .kind = kind, .a = x, .y = y);
  lm_parallel(context, 0.5 * (double)count, run_activate, &j);
}

TASK(run_activate_backward) {
  ELEMENTS(j->rows);
  j->table->activate_backward(from, to, j->kind, j->a, j->b, j->y);
}

void lm_activate_backward(lm_context *context, long count, int kind, const float *dy, const float *x, float *dx) {
  JOB(.rows = count, .kind = kind, .a = dy, .b = x, .y = dx);
  lm_parallel(context, 0.6 * (double)count, run_activate_backward, &j);
}

TASK(run_gated) {
  RANGE(j->rows);
  j->table->gated(from, to, j->columns, j->a, j->y);
}

void lm_gated_silu(lm_context *context, long rows, long f, const float *x, float *y) {
  JOB(.rows = rows, .columns = f, .a = x, .y = y);
  lm_parallel(context, 0.6 * (double)rows * (double)f, run_gated, &j);
}

TASK(run_gated_backward) {
  RANGE(j->rows);
  j->table->gated_backward(from, to, j->columns, j->a, j->b, j->y);
}

void lm_gated_silu_backward(lm_context *context, long rows, long f, const float *dy, const float *x, float *dx) {
  JOB(.rows = rows, .columns = f, .a = dy, .b = x, .y = dx);
  lm_parallel(context, 0.9 * (double)rows * (double)f, run_gated_backward, &j);
}

// MARK: Sums and copies

TASK(run_add) {
  ELEMENTS(j->rows);
  j->table->add(from, to, j->a, j->y);
}

void lm_add(lm_context *context, long count, const float *x, float *y) {
  JOB(.rows = count, .a = x, .y = y);
  lm_parallel(context, 0.2 * (double)count, run_add, &j);
}

TASK(run_fill) {
  ELEMENTS(j->rows);
  if (j->number == 0.f) {
    memset(j->y + from, 0, (size_t)(to - from) * 4);
    return;
  }
  for (long i = from; i < to; i++) j->y[i] = j->number;
}

void lm_fill(lm_context *context, long count, float value, float *y) {
  JOB(.rows = count, .number = value, .y = y);
  lm_parallel(context, 0.1 * (double)count, run_fill, &j);
}

TASK(run_column_sums) {
  ELEMENTS(j->columns);
  j->table->column_sums(from, to, j->rows, j->a, j->stride, j->y);
}

void lm_column_sums(lm_context *context, long rows, long columns, const float *x, long row_stride, float *y) {
  JOB(.rows = rows, .columns = columns, .a = x, .stride = row_stride, .y = y);
  lm_parallel(context, 0.1 * (double)rows * (double)columns, run_column_sums, &j);
}

TASK(run_gather) {
  RANGE(j->rows);
  for (long i = from; i < to; i++)
    memcpy(j->y + i * j->columns, j->a + j->indices[i] * j->columns, (size_t)j->columns * 4);
}

void lm_gather_rows(lm_context *context, long count, long columns, const float *x, const int32_t *rows, float *y) {
  JOB(.rows = count, .columns = columns, .a = x, .indices = rows, .y = y);
  lm_parallel(context, 0.2 * (double)count * (double)columns, run_gather, &j);
}

TASK(run_scatter) {
  RANGE(j->rows);
  for (long i = from; i < to; i++)
    memcpy(j->y + j->indices[i] * j->columns, j->a + i * j->columns, (size_t)j->columns * 4);
}

void lm_scatter_rows(lm_context *context, long count, long columns, const float *x, const int32_t *rows, float *y) {
  JOB(.rows = count, .columns = columns, .a = x, .indices = rows, .y = y);
  lm_parallel(context, 0.2 * (double)count * (double)columns, run_scatter, &j);
}

// Each thread owns a range of columns and walks over all rows: rows that hit the same index add up in their order.
TASK(run_embed_backward) {
  ELEMENTS(j->columns);
  for (long t = 0; t < j->rows; t++)
    j->table->add(0, to - from, j->a + t * j->columns + from, j->y + j->indices[t] * j->columns + from);
}

void lm_embed_backward(lm_context *context, long count, long d, const float *dy, const int32_t *indices,
                       float *gradient) {
  JOB(.rows = count, .columns = d, .a = dy, .indices = indices, .y = gradient);
  lm_parallel(context, 0.3 * (double)count * (double)d, run_embed_backward, &j);
}

TASK(run_rotate) {
  RANGE(j->rows);
  j->table->rotate(from, to, j->stride, j->heads, (int)j->columns, j->indices, j->a, j->flag, j->y);
}

void lm_rotate(lm_context *context, long rows, long row_stride, int heads, int head_size, const int32_t *positions,
               const float *table, bool inverse, float *x) {
  JOB(.rows = rows, .stride = row_stride, .heads = heads, .columns = head_size, .indices = positions, .a = table,
      .flag = inverse, .y = x);
  lm_parallel(context, 0.3 * (double)rows * heads * head_size, run_rotate, &j);
}

// MARK: Loss and choices

TASK(run_cross_entropy) {
  RANGE(j->rows);
  j->table->cross_entropy(from, to, j->columns, j->x, j->stride, j->indices, j->number, j->flag, j->y);
}

void lm_cross_entropy(lm_context *context, long rows, long vocabulary, float *logits, long row_stride,
                      const int32_t *targets, float scale, bool gradient, float *losses) {
  JOB(.rows = rows, .columns = vocabulary, .stride = row_stride, .x = logits, .indices = targets, .number = scale,
      .flag = gradient, .y = losses);
  lm_parallel(context, 0.4 * (double)rows * (double)vocabulary, run_cross_entropy, &j);
}

TASK(run_argmax) {
  RANGE(j->rows);
  j->table->argmax(from, to, j->columns, j->a, j->out_indices);
}

void lm_argmax(lm_context *context, long rows, long columns, const float *x, int32_t *indices) {
  JOB(.rows = rows, .columns = columns, .a = x, .out_indices = indices);
  lm_parallel(context, 0.15 * (double)rows * (double)columns, run_argmax, &j);
}

TASK(run_top_k) {
  RANGE(j->rows);
  for (long r = from; r < to; r++) {
    const float *row = j->a + r * j->columns;
    float *values = j->y + r * j->other;
    int32_t *found = j->out_indices + r * j->other;
    long count = 0;
    for (long i = 0; i < j->columns; i++) {
      if (count == j->other && !(row[i] > values[count - 1])) continue;
      long at = count < j->other ? count++ : count - 1;
      for (; at > 0 && row[i] > values[at - 1]; at--) {
        values[at] = values[at - 1];
        found[at] = found[at - 1];
      }
      values[at] = row[i];
      found[at] = (int32_t)i;
    }
  }
}

void lm_top_k(lm_context *context, long rows, long columns, long k, const float *x, float *values, int32_t *indices) {
  JOB(.rows = rows, .columns = columns, .other = k, .a = x, .y = values, .out_indices = indices);
  lm_parallel(context, (double)rows * (double)columns, run_top_k, &j);
}

// MARK: Optimizer

enum { SUM_BLOCK = 16384, SUM_CHUNK = 256 };

typedef struct {
  const lm_table *table;
  const float *x;
  long count, first;
  double sums[SUM_CHUNK];
} squares;

static void run_squares(void *argument, int thread, int threads) {
  squares *s = argument;
  long blocks = lm_min((s->count - s->first + SUM_BLOCK - 1) / SUM_BLOCK, SUM_CHUNK);
  for (long b = lm_part(blocks, thread, threads); b < lm_part(blocks, thread + 1, threads); b++) {
    long from = s->first + b * SUM_BLOCK;
    s->sums[b] = s->table->sum_of_squares(from, lm_min(from + SUM_BLOCK, s->count), s->x);
  }
}

double lm_sum_of_squares(lm_context *context, long count, const float *x) {
  squares s = {.table = lm_table_for(context->isa), .x = x, .count = count};
  double total = 0;
  for (s.first = 0; s.first < count; s.first += (long)SUM_BLOCK * SUM_CHUNK) {
    long blocks = lm_min((count - s.first + SUM_BLOCK - 1) / SUM_BLOCK, SUM_CHUNK);
    lm_parallel(context, 0.1 * (double)(count - s.first), run_squares, &s);
    for (long b = 0; b < blocks; b++) total += s.sums[b];
  }
  return total;
}

TASK(run_adamw) {
  ELEMENTS(j->rows);
  j->table->adamw(from, to, j->step, j->x, j->a, j->y, j->z);
}

void lm_adamw(lm_context *context, long count, lm_adamw_step step, float *parameters, const float *gradients,
              float *first, float *second) {
  JOB(.rows = count, .step = &step, .x = parameters, .a = gradients, .y = first, .z = second);
  lm_parallel(context, 0.6 * (double)count, run_adamw, &j);
}
