// Threads around the row kernels. Reductions over rows are split by columns, so that each element is summed in one
// order whatever the number of threads.
#include "lm_context.h"
#include "lm_table.h"

typedef struct {
  const lm_table *table;
  const void *arguments;
  long count;
} rows_job;

/// Ranges of rows, and of single numbers (see `lm_share`).
enum { ROWS = 1, NUMBERS = 16 };

/// run_NAME: calls `call` with `range`, the thread's share of the job's items, and `a`, the arguments.
#define TASK(name, type, unit, call)                                        \
  static void run_##name(void *raw, int thread, int threads) {              \
    const rows_job *job = raw;                                              \
    const type *a = job->arguments;                                         \
    lm_range range = lm_share(job->count, unit, thread, threads);           \
    if (range.from < range.to) call;                                        \
  }
#define KERNEL_TASK(kernel, type, unit) TASK(kernel, type, unit, job->table->kernel(range, a))

static void run(lm_context *context, double nanoseconds, lm_task task, long count, const void *arguments) {
  rows_job job = {lm_table_for(context->isa), arguments, count};
  lm_parallel(context, nanoseconds, task, &job);
}

// MARK: Norms

KERNEL_TASK(normalize, lm_norm, ROWS)
KERNEL_TASK(normalize_dw, lm_norm_gradient, NUMBERS)
KERNEL_TASK(normalize_dx, lm_norm_gradient, ROWS)

void lm_normalize(lm_context *context, long rows, lm_norm norm) {
  run(context, 0.3 * (double)rows * (double)norm.columns, run_normalize, rows, &norm);
}

void lm_normalize_backward(lm_context *context, lm_norm_gradient gradient) {
  double count = (double)gradient.rows * (double)gradient.columns;
  // First the parameters: dx may overwrite dy.
  if (gradient.dweight || gradient.dbias) run(context, 0.2 * count, run_normalize_dw, gradient.columns, &gradient);
  if (gradient.dx) run(context, 0.4 * count, run_normalize_dx, gradient.rows, &gradient);
}

// MARK: Activations

KERNEL_TASK(activate, lm_elementwise, NUMBERS)
KERNEL_TASK(activate_backward, lm_elementwise, NUMBERS)
KERNEL_TASK(gated, lm_elementwise, ROWS)
KERNEL_TASK(gated_backward, lm_elementwise, ROWS)
KERNEL_TASK(add, lm_elementwise, NUMBERS)

void lm_activate(lm_context *context, long count, lm_activation function, const float *x, float *y) {
  lm_elementwise e = {.function = function, .x = x, .y = y};
  run(context, 0.5 * (double)count, run_activate, count, &e);
}

void lm_activate_backward(lm_context *context, long count, lm_activation function, lm_gradient gradient) {
  lm_elementwise e = {.function = function, .x = gradient.x, .dy = gradient.dy, .y = gradient.dx};
  run(context, 0.6 * (double)count, run_activate_backward, count, &e);
}

void lm_gated_silu(lm_context *context, long rows, long f, const float *x, float *y) {
  lm_elementwise e = {.columns = f, .x = x, .y = y};
  run(context, 0.6 * (double)rows * (double)f, run_gated, rows, &e);
}

void lm_gated_silu_backward(lm_context *context, long rows, long f, lm_gradient gradient) {
  lm_elementwise e = {.columns = f, .x = gradient.x, .dy = gradient.dy, .y = gradient.dx};
  run(context, 0.9 * (double)rows * (double)f, run_gated_backward, rows, &e);
}

void lm_add(lm_context *context, long count, const float *x, float *y) {
  lm_elementwise e = {.x = x, .y = y};
  run(context, 0.2 * (double)count, run_add, count, &e);
}

// MARK: Sums and copies

typedef struct {
  float value;
  float *y;
} filling;

static void fill(lm_range range, const filling *f) {
  if (f->value == 0.f) {
    memset(f->y + range.from, 0, (size_t)(range.to - range.from) * 4);
    return;
  }
  for (long i = range.from; i < range.to; i++) f->y[i] = f->value;
}
TASK(fill, filling, NUMBERS, fill(range, a))

void lm_fill(lm_context *context, long count, float value, float *y) {
  filling f = {value, y};
  run(context, 0.1 * (double)count, run_fill, count, &f);
}

KERNEL_TASK(column_sums, lm_column_sum, NUMBERS)

void lm_add_columns(lm_context *context, lm_column_sum sum) {
  run(context, 0.1 * (double)sum.rows * (double)sum.columns, run_column_sums, sum.columns, &sum);
}

/// Rows of x and of y that belong together: row i and row indices[i].
typedef struct {
  long rows, columns;
  const float *x;
  const int32_t *indices;
  float *y;
} indexed_rows;

static void gather(lm_range range, const indexed_rows *r) {
  for (long i = range.from; i < range.to; i++)
    memcpy(r->y + i * r->columns, r->x + r->indices[i] * r->columns, (size_t)r->columns * 4);
}
TASK(gather, indexed_rows, ROWS, gather(range, a))

static void scatter(lm_range range, const indexed_rows *r) {
  for (long i = range.from; i < range.to; i++)
    memcpy(r->y + r->indices[i] * r->columns, r->x + i * r->columns, (size_t)r->columns * 4);
}
TASK(scatter, indexed_rows, ROWS, scatter(range, a))

// Each thread owns a range of columns and walks over all rows: rows that hit the same index add up in their order.
static void embed_backward(lm_range range, const indexed_rows *r, const lm_table *table) {
  for (long t = 0; t < r->rows; t++) {
    lm_elementwise e = {.x = r->x + t * r->columns, .y = r->y + r->indices[t] * r->columns};
    table->add(range, &e);
  }
}
TASK(embed_backward, indexed_rows, NUMBERS, embed_backward(range, a, job->table))

void lm_gather_rows(lm_context *context, long count, long columns, const float *x, const int32_t *rows, float *y) {
  indexed_rows r = {count, columns, x, rows, y};
  run(context, 0.2 * (double)count * (double)columns, run_gather, count, &r);
}

void lm_scatter_rows(lm_context *context, long count, long columns, const float *x, const int32_t *rows, float *y) {
  indexed_rows r = {count, columns, x, rows, y};
  run(context, 0.2 * (double)count * (double)columns, run_scatter, count, &r);
}

void lm_embed_backward(lm_context *context, long count, long d, const float *dy, const int32_t *indices,
                       float *gradient) {
  indexed_rows r = {count, d, dy, indices, gradient};
  run(context, 0.3 * (double)count * (double)d, run_embed_backward, d, &r);
}

KERNEL_TASK(rotate, lm_rotation, ROWS)

void lm_rotate(lm_context *context, long rows, lm_rotation rotation) {
  run(context, 0.3 * (double)rows * rotation.heads * rotation.head_size, run_rotate, rows, &rotation);
}

// MARK: Loss and choices

KERNEL_TASK(cross_entropy, lm_loss, ROWS)

void lm_cross_entropy(lm_context *context, long rows, lm_loss loss) {
  run(context, 0.4 * (double)rows * (double)loss.vocabulary, run_cross_entropy, rows, &loss);
}

/// Indices of large elements of each row, and for k > 0 their values.
typedef struct {
  long columns, k;
  const float *x;
  float *values;
  int32_t *indices;
} choice;

TASK(argmax, choice, ROWS, job->table->argmax(range, a->columns, a->x, a->indices))

void lm_argmax(lm_context *context, long rows, long columns, const float *x, int32_t *indices) {
  choice c = {.columns = columns, .x = x, .indices = indices};
  run(context, 0.15 * (double)rows * (double)columns, run_argmax, rows, &c);
}

static void top_k(lm_range range, const choice *c) {
  for (long r = range.from; r < range.to; r++) {
    const float *row = c->x + r * c->columns;
    float *values = c->values + r * c->k;
    int32_t *found = c->indices + r * c->k;
    long count = 0;
    for (long i = 0; i < c->columns; i++) {
      if (count == c->k && !(row[i] > values[count - 1])) continue;
      long at = count < c->k ? count++ : count - 1;
      for (; at > 0 && row[i] > values[at - 1]; at--) {
        values[at] = values[at - 1];
        found[at] = found[at - 1];
      }
      values[at] = row[i];
      found[at] = (int32_t)i;
    }
  }
}
TASK(top_k, choice, ROWS, top_k(range, a))

void lm_top_k(lm_context *context, long rows, long columns, long k, const float *x, float *values, int32_t *indices) {
  choice c = {columns, k, x, values, indices};
  run(context, (double)rows * (double)columns, run_top_k, rows, &c);
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
  lm_range blocks = lm_share(lm_min((s->count - s->first + SUM_BLOCK - 1) / SUM_BLOCK, SUM_CHUNK), 1, thread, threads);
  for (long b = blocks.from; b < blocks.to; b++) {
    long from = s->first + b * SUM_BLOCK;
    s->sums[b] = s->table->sum_of_squares((lm_range){from, lm_min(from + SUM_BLOCK, s->count)}, s->x);
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

typedef struct {
  lm_adamw_step step;
  lm_adamw_arrays arrays;
} adamw_arguments;
TASK(adamw, adamw_arguments, NUMBERS, job->table->adamw(range, &a->step, &a->arrays))

void lm_adamw(lm_context *context, long count, lm_adamw_step step, lm_adamw_arrays arrays) {
  adamw_arguments arguments = {step, arrays};
  run(context, 0.6 * (double)count, run_adamw, count, &arguments);
}
