// Threads around attention: one unit is one (sequence, key/value head), computed by one thread in one order, so units
// are handed out as threads become free.
#include "lm_context.h"
#include "lm_table.h"
#include "lm_tiles.h"

// Longer sequences go without tiles, whose backward pass keeps 4 T² bytes per thread.
enum { LONGEST_TILED = 1024 };

// MARK: Whole sequences

typedef struct {
  lm_context *context;
  const lm_table *table;
  lm_sequences sequences;
  lm_attention_shape shape;
  bool tiles, stream, backward;
  lm_attention_arrays forward;     // of a forward pass
  lm_attention_gradient gradient;  // of a backward pass
} job;

static bool emulated(const job *j) { return j->context->isa == LM_AMX_EMULATED; }
static long columns(const lm_attention_shape *s) { return (long)(s->heads + 2 * s->kv_heads) * s->head_size; }
static long width(const lm_attention_shape *s) { return (long)s->heads * s->head_size; }

/// The first row of a unit's sequence, and its length.
static lm_range rows_of(const job *j, long unit) {
  const int64_t *offsets = j->sequences.offsets + unit / j->shape.kv_heads;
  return (lm_range){offsets[0], offsets[1]};
}

/// The unit after those that the threads have begun.
static lm_attention_next next_unit(const job *j, int threads) {
  const lm_attention_shape *s = &j->shape;
  long unit = atomic_load_explicit(&j->context->next, memory_order_relaxed) + threads - 1;
  if (unit >= j->sequences.count * s->kv_heads) return (lm_attention_next){0};
  lm_range rows = rows_of(j, unit);
  lm_attention_next next = {.length = rows.to - rows.from, .kv = (int)(unit % s->kv_heads)};
  next.qkv = (j->backward ? j->gradient.qkv : j->forward.qkv) + rows.from * columns(s);
  if (j->backward) {
    next.dout = j->gradient.dout + rows.from * width(s);
    next.out = j->gradient.out + rows.from * width(s);
  }
  return next;
}

/// One unit on one thread.
static void compute(const job *j, long first, const lm_attention_unit *unit) {
  const lm_attention_shape *s = &j->shape;
  bool tiled = j->tiles && unit->length <= LONGEST_TILED;
  if (j->backward) {
    lm_attention_gradient g = j->gradient;
    g.dout += first * width(s), g.qkv += first * columns(s), g.out += first * width(s);
    g.log_sum_exp += first * s->heads, g.dqkv += first * columns(s);
    (tiled ? j->table->attention_tiles_backward : j->table->attention_backward)(unit, &g);
  } else {
    lm_attention_arrays a = j->forward;
    a.qkv += first * columns(s), a.out += first * width(s);
    if (a.log_sum_exp) a.log_sum_exp += first * s->heads;
    (tiled ? j->table->attention_tiles : j->table->attention)(unit, &a);
  }
}

static void run_attention(void *argument, int thread, int threads) {
  job *j = argument;
  const lm_attention_shape *s = &j->shape;
  if (j->tiles && !emulated(j)) lm_tiles_begin();
  for (;;) {
    long unit = atomic_fetch_add(&j->context->next, 1);
    if (unit >= j->sequences.count * s->kv_heads) break;
    lm_range rows = rows_of(j, unit);
    if (rows.to == rows.from) continue;
    lm_attention_unit u = {.length = rows.to - rows.from, .shape = s, .kv = (int)(unit % s->kv_heads),
                           .memory = j->context->local[thread].memory, .emulated = emulated(j), .stream = j->stream,
                           .next = next_unit(j, threads)};
    compute(j, rows.from, &u);
  }
  if (j->stream) lm_streamed();
  if (j->tiles && !emulated(j)) lm_tiles_end();
}

static bool reserve(lm_context *context, size_t bytes) {
  for (int t = 0; t < context->threads; t++)
    if (!lm_reserve(&context->local[t], bytes + 1024)) return false;
  return true;
}

/// Computes all units; `nanoseconds` for one head, one number of it and one pair of tokens.
static bool run(job *j, int precision, double nanoseconds) {
  j->table = lm_table_for(j->context->isa);
  long longest = 1, d = j->shape.head_size;
  double pairs = 0;  // of tokens: a measure of the work
  for (long i = 0; i < j->sequences.count; i++) {
    long length = j->sequences.offsets[i + 1] - j->sequences.offsets[i];
    longest = lm_max(longest, length);
    pairs += (double)(length + 8) * (double)(length + 8);
  }
  j->tiles = precision == LM_BF16 && j->context->isa >= LM_AMX_BF16 && d % 32 == 0;
  size_t plain = (j->backward ? 8 : 4) * (size_t)lm_round_up(longest, LM_KEY_PAD) * (size_t)(d + LM_QUERY_BLOCK);
  size_t tiles = j->tiles ? j->table->attention_tiles_bytes(lm_min(longest, LONGEST_TILED), d, j->backward) : 0;
  bool only_tiles = j->tiles && longest <= LONGEST_TILED;
  if (!reserve(j->context, only_tiles || tiles > plain ? tiles : plain)) return false;
  lm_parallel(j->context, pairs * j->shape.heads * (double)d * nanoseconds, run_attention, j);
  return true;
}

bool lm_attention(lm_context *context, int precision, lm_sequences sequences, lm_attention_shape shape,
                  lm_attention_arrays arrays) {
  job j = {.context = context, .sequences = sequences, .shape = shape, .forward = arrays};
  return run(&j, precision, 0.06);
}

bool lm_attention_backward(lm_context *context, int precision, lm_sequences sequences, lm_attention_shape shape,
                           lm_attention_gradient gradient) {
  job j = {.context = context, .sequences = sequences, .shape = shape, .backward = true, .gradient = gradient};
  long stride = columns(&shape);
  j.stream = lm_streams(gradient.dqkv, (long)sequences.offsets[sequences.count] * stride, stride);
  return run(&j, precision, 0.15);
}

// MARK: Caches

typedef struct {
  lm_context *context;
  const lm_table *table;
  long count;  // sequences
  lm_attention_shape shape;
  lm_attention_cache cache;
  const int64_t *offsets, *lengths;  // of a store, of a step
  const float *qkv;
  float *out;
} cache_job;

// One head of one slot of the caches: the sequence, the head, the first element.
typedef struct {
  long i, kv, at;
} cached_unit;

/// The next one that no thread has; false: none is left.
static bool next_cached(cache_job *j, cached_unit *u) {
  long kv_heads = j->shape.kv_heads, unit = atomic_fetch_add(&j->context->next, 1);
  if (unit >= j->count * kv_heads) return false;
  u->i = unit / kv_heads, u->kv = unit % kv_heads;
  u->at = (j->cache.slots[u->i] * kv_heads + u->kv) * j->cache.capacity * j->shape.head_size;
  return true;
}

// Keys and values of a row of qkv become position `position` of a unit's slot.
static void store(const cache_job *j, const float *row, const cached_unit *u, long position) {
  const lm_attention_shape *s = &j->shape;
  const lm_attention_cache *cache = &j->cache;
  long d = s->head_size, at = u->at + position * d;
  j->table->store_cached(d, row + (s->heads + u->kv) * d, cache->keys, cache->bf16, at);
  j->table->store_cached(d, row + (s->heads + s->kv_heads + u->kv) * d, cache->values, cache->bf16, at);
}

static void run_store(void *argument, int thread, int threads) {
  (void)thread, (void)threads;
  cache_job *j = argument;
  for (cached_unit u; next_cached(j, &u);)
    for (long t = j->offsets[u.i]; t < j->offsets[u.i + 1]; t++)
      store(j, j->qkv + t * columns(&j->shape), &u, t - j->offsets[u.i]);
}

void lm_attention_store(lm_context *context, lm_sequences sequences, lm_attention_shape shape, lm_attention_cache cache,
                        const float *qkv) {
  cache_job j = {.context = context, .table = lm_table_for(context->isa), .count = sequences.count, .shape = shape,
                 .cache = cache, .offsets = sequences.offsets, .qkv = qkv};
  double tokens = (double)sequences.offsets[sequences.count];
  lm_parallel(context, tokens * shape.kv_heads * shape.head_size * 0.5, run_store, &j);
}

static void run_step(void *argument, int thread, int threads) {
  (void)threads;
  cache_job *j = argument;
  const lm_attention_shape *s = &j->shape;
  for (cached_unit u; next_cached(j, &u);) {
    const float *q = j->qkv + u.i * columns(s);
    store(j, q, &u, j->lengths[u.i]);
    lm_cached_head head = {j->lengths[u.i] + 1, s, (int)u.kv, j->cache.keys, j->cache.values, j->cache.bf16, u.at};
    j->table->attention_step(&head, q, j->out + u.i * width(s), j->context->local[thread].memory);
  }
}

bool lm_attention_step(lm_context *context, long rows, lm_attention_shape shape, lm_attention_cache cache,
                       const int64_t *lengths, const float *qkv, float *out) {
  cache_job j = {.context = context, .table = lm_table_for(context->isa), .count = rows, .shape = shape,
                 .cache = cache, .lengths = lengths, .qkv = qkv, .out = out};
  if (!reserve(context, 4 * (size_t)lm_round_up(cache.capacity + 1, LM_KEY_PAD))) return false;
  double work = 0;
  for (long i = 0; i < rows; i++) work += (double)lengths[i] + 8;
  lm_parallel(context, work * shape.heads * shape.head_size * 0.1, run_step, &j);
  return true;
}
