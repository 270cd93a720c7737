// Threads around attention: one unit is one (sequence, key/value head), computed by one thread in one order, so units
// are handed out as threads become free.
#include "lm_internal.h"

enum { QUERY_BLOCK = 32, KEY_PAD = 16 };  // as in lm_attention.inc
// Longer sequences go without tiles, whose backward pass keeps 4 T² bytes per thread.
enum { LONGEST_TILED = 1024 };

typedef struct {
  lm_context *context;
  const lm_table *table;
  long sequences;
  const int64_t *offsets, *slots, *lengths;
  lm_attention_shape shape;
  const float *dout, *qkv, *out;
  const float *lse;
  float *out_w, *lse_w, *dqkv;
  void *keys, *values;
  long capacity;
  bool tiles, stream, half;
} job;

static bool tiled(const job *j, long length) { return j->tiles && length <= LONGEST_TILED; }
static bool emulated(const job *j) { return j->context->isa == LM_AMX_EMULATED; }

/// The unit after those that the threads have begun.
static lm_attention_next next_unit(const job *j, int threads) {
  const lm_attention_shape *s = &j->shape;
  long unit = atomic_load_explicit(&j->context->next, memory_order_relaxed) + threads - 1;
  if (unit >= j->sequences * s->kv_heads) return (lm_attention_next){0};
  long begin = j->offsets[unit / s->kv_heads], width = (long)s->heads * s->head_size;
  return (lm_attention_next){.length = j->offsets[unit / s->kv_heads + 1] - begin,
                             .kv = (int)(unit % s->kv_heads),
                             .qkv = j->qkv + begin * (long)(s->heads + 2 * s->kv_heads) * s->head_size,
                             .dout = j->dout ? j->dout + begin * width : NULL,
                             .out = j->out ? j->out + begin * width : NULL};
}

static void run_forward(void *argument, int thread, int threads) {
  job *j = argument;
  const lm_attention_shape *s = &j->shape;
  long columns = (long)(s->heads + 2 * s->kv_heads) * s->head_size, width = (long)s->heads * s->head_size;
  char *memory = j->context->local[thread].memory;
  if (j->tiles && !emulated(j)) lm_tiles_begin();
  for (;;) {
    long unit = atomic_fetch_add(&j->context->next, 1);
    if (unit >= j->sequences * s->kv_heads) break;
    long begin = j->offsets[unit / s->kv_heads], length = j->offsets[unit / s->kv_heads + 1] - begin;
    int kv = (int)(unit % s->kv_heads);
    float *lse = j->lse_w ? j->lse_w + begin * s->heads : NULL;
    if (length == 0) continue;
    if (tiled(j, length))
      j->table->attention_tiles(length, s, kv, j->qkv + begin * columns, j->out_w + begin * width, lse, memory,
                                emulated(j), next_unit(j, threads));
    else
      j->table->attention(length, s, kv, j->qkv + begin * columns, j->out_w + begin * width, lse, (float *)memory);
  }
  if (j->tiles && !emulated(j)) lm_tiles_end();
}

static void run_backward(void *argument, int thread, int threads) {
  job *j = argument;
  const lm_attention_shape *s = &j->shape;
  long columns = (long)(s->heads + 2 * s->kv_heads) * s->head_size, width = (long)s->heads * s->head_size;
  char *memory = j->context->local[thread].memory;
  if (j->tiles && !emulated(j)) lm_tiles_begin();
  for (;;) {
    long unit = atomic_fetch_add(&j->context->next, 1);
    if (unit >= j->sequences * s->kv_heads) break;
    long begin = j->offsets[unit / s->kv_heads], length = j->offsets[unit / s->kv_heads + 1] - begin;
    int kv = (int)(unit % s->kv_heads);
    const float *dout = j->dout + begin * width, *qkv = j->qkv + begin * columns, *out = j->out + begin * width;
    const float *lse = j->lse + begin * s->heads;
    float *dqkv = j->dqkv + begin * columns;
    if (length == 0) continue;
    if (tiled(j, length))
      j->table->attention_tiles_backward(length, s, kv, dout, qkv, out, lse, dqkv, memory, emulated(j),
                                         j->stream, next_unit(j, threads));
    else
      j->table->attention_backward(length, s, kv, dout, qkv, out, lse, dqkv, (float *)memory);
  }
  if (j->stream) lm_streamed();
  if (j->tiles && !emulated(j)) lm_tiles_end();
}

// Longest sequence, and the sum of squared lengths (a measure of the work).
static long survey(long sequences, const int64_t *offsets, double *work) {
  long longest = 1;
  *work = 0;
  for (long i = 0; i < sequences; i++) {
    long length = offsets[i + 1] - offsets[i];
    longest = lm_max(longest, length);
    *work += (double)(length + 8) * (double)(length + 8);
  }
  return longest;
}

static bool reserve(lm_context *context, size_t bytes) {
  for (int t = 0; t < context->threads; t++)
    if (!lm_reserve(&context->local[t], bytes + 1024)) return false;
  return true;
}

/// Scratch memory for sequences up to `longest`.
static bool prepare(job *j, int precision, long longest, bool backward) {
  long d = j->shape.head_size, padded = lm_round_up(longest, KEY_PAD);
  j->tiles = precision == LM_BF16 && j->context->isa >= LM_AMX_BF16 && d % 32 == 0;
  size_t plain = (backward ? 8 : 4) * (size_t)padded * (size_t)(d + QUERY_BLOCK);
  size_t tiles = j->tiles ? j->table->attention_tiles_bytes(lm_min(longest, LONGEST_TILED), d, backward) : 0;
  return reserve(j->context, j->tiles && longest <= LONGEST_TILED ? tiles : plain > tiles ? plain : tiles);
}

bool lm_attention(lm_context *context, int precision, long sequences, const int64_t *offsets, lm_attention_shape shape,
                  const float *qkv, float *out, float *log_sum_exp) {
  job j = {.context = context, .table = lm_table_for(context->isa), .sequences = sequences, .offsets = offsets,
           .shape = shape, .qkv = qkv, .out_w = out, .lse_w = log_sum_exp};
  double work;
  if (!prepare(&j, precision, survey(sequences, offsets, &work), false)) return false;
  lm_parallel(context, work * shape.heads * shape.head_size * 0.06, run_forward, &j);
  return true;
}

bool lm_attention_backward(lm_context *context, int precision, long sequences, const int64_t *offsets,
                           lm_attention_shape shape, const float *dout, const float *qkv, const float *out,
                           const float *log_sum_exp, float *dqkv) {
  job j = {.context = context, .table = lm_table_for(context->isa), .sequences = sequences, .offsets = offsets,
           .shape = shape, .dout = dout, .qkv = qkv, .out = out, .lse = log_sum_exp, .dqkv = dqkv};
  double work;
  if (!prepare(&j, precision, survey(sequences, offsets, &work), true)) return false;
  long columns = (long)(shape.heads + 2 * shape.kv_heads) * shape.head_size;
  j.stream = lm_streams(dqkv, (long)offsets[sequences] * columns, columns);
  lm_parallel(context, work * shape.heads * shape.head_size * 0.15, run_backward, &j);
  return true;
}

// One head of one slot of the caches: the sequence, the head, the first element.
typedef struct {
  long i, kv, at;
} cached_unit;

/// The next one that no thread has; false: none is left.
static bool take_cached(job *j, cached_unit *u) {
  long kv_heads = j->shape.kv_heads, unit = atomic_fetch_add(&j->context->next, 1);
  if (unit >= j->sequences * kv_heads) return false;
  u->i = unit / kv_heads, u->kv = unit % kv_heads;
  u->at = (j->slots[u->i] * kv_heads + u->kv) * j->capacity * j->shape.head_size;
  return true;
}

// Keys and values of row `row` of qkv become position `position` of a slot's head, whose first element is `at`.
static void store(const job *j, const float *row, long kv, long at, long position) {
  const lm_attention_shape *s = &j->shape;
  long d = s->head_size;
  at += position * d;
  j->table->store_cached(d, row + (s->heads + kv) * d, j->keys, j->half, at);
  j->table->store_cached(d, row + (s->heads + s->kv_heads + kv) * d, j->values, j->half, at);
}

static void run_store(void *argument, int thread, int threads) {
  (void)thread, (void)threads;
  job *j = argument;
  long columns = (long)(j->shape.heads + 2 * j->shape.kv_heads) * j->shape.head_size;
  for (cached_unit u; take_cached(j, &u);)
    for (long t = j->offsets[u.i]; t < j->offsets[u.i + 1]; t++)
      store(j, j->qkv + t * columns, u.kv, u.at, t - j->offsets[u.i]);
}

void lm_attention_store(lm_context *context, long sequences, const int64_t *offsets, lm_attention_shape shape,
                        const float *qkv, const int64_t *slots, long capacity, bool half, void *keys, void *values) {
  job j = {.context = context, .table = lm_table_for(context->isa), .sequences = sequences, .offsets = offsets,
           .slots = slots, .shape = shape, .qkv = qkv, .keys = keys, .values = values, .capacity = capacity,
           .half = half};
  lm_parallel(context, (double)offsets[sequences] * shape.kv_heads * shape.head_size * 0.5, run_store, &j);
}

static void run_step(void *argument, int thread, int threads) {
  (void)threads;
  job *j = argument;
  const lm_attention_shape *s = &j->shape;
  long d = s->head_size, columns = (long)(s->heads + 2 * s->kv_heads) * d;
  for (cached_unit u; take_cached(j, &u);) {
    const float *q = j->qkv + u.i * columns;
    store(j, q, u.kv, u.at, j->lengths[u.i]);
    j->table->attention_step(j->lengths[u.i] + 1, s, (int)u.kv, q, j->keys, j->values, j->half, u.at,
                             j->out_w + u.i * s->heads * d, j->context->local[thread].memory);
  }
}

bool lm_attention_step(lm_context *context, long rows, lm_attention_shape shape, const float *qkv,
                       const int64_t *slots, const int64_t *lengths, long capacity, bool half, void *keys,
                       void *values, float *out) {
  job j = {.context = context, .table = lm_table_for(context->isa), .sequences = rows, .slots = slots,
           .lengths = lengths, .shape = shape, .qkv = qkv, .out_w = out, .keys = keys, .values = values,
           .capacity = capacity, .half = half};
  if (!reserve(context, 4 * (size_t)lm_round_up(capacity + 1, KEY_PAD))) return false;
  double work = 0;
  for (long i = 0; i < rows; i++) work += (double)lengths[i] + 8;
  lm_parallel(context, work * shape.heads * shape.head_size * 0.1, run_step, &j);
  return true;
}
