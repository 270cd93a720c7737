// Weights in memory: packing to bf16 panels, conversion to 32 bits, rows of embedding tables.
#include "lm_context.h"
#include "lm_table.h"

size_t lm_packed_size(long outputs, long inputs) {
  return (size_t)lm_round_up(outputs, LM_PANEL) * (size_t)lm_round_up(inputs, 32) * 2;
}

typedef struct {
  uint16_t *packed;
  long inputs, first, rows, rs, cs;
  const void *source;
  int type;
} packing;

static inline float half_to_float(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = (h >> 10) & 31, mantissa = h & 0x3ff, bits;
  if (exponent == 31) {
    bits = sign | 0x7f800000 | (mantissa << 13);
  } else if (exponent) {
    bits = sign | ((exponent + 112) << 23) | (mantissa << 13);
  } else {
    float value = (float)mantissa * 0x1p-24f;
    return sign ? -value : value;
  }
  float result;
  memcpy(&result, &bits, 4);
  return result;
}

static inline float element(const void *source, int type, long at) {
  if (type == LM_TYPE_F32) {
    float value;
    memcpy(&value, (const char *)source + at * 4, 4);
    return value;
  }
  uint16_t raw;
  memcpy(&raw, (const char *)source + at * 2, 2);
  return type == LM_TYPE_BF16 ? lm_from_bf16(raw) : half_to_float(raw);
}

INLINE void pack_panel(const packing *p, const int type, long panel) {
  long o0 = lm_max(p->first, panel * LM_PANEL), o1 = lm_min(p->first + p->rows, (panel + 1) * LM_PANEL);
  long half = lm_round_up(p->inputs, 32) / 2;
  uint16_t *out = p->packed + panel * half * LM_PANEL * 2;
  for (long i = 0; i < p->inputs; i++)
    for (long o = o0; o < o1; o++)
      out[(i / 2 * LM_PANEL + o % LM_PANEL) * 2 + i % 2] =
          lm_bf16(element(p->source, type, (o - p->first) * p->rs + i * p->cs));
}

static void run_packing(void *argument, int thread, int threads) {
  const packing *p = argument;
  long from = p->first / LM_PANEL, to = (p->first + p->rows + LM_PANEL - 1) / LM_PANEL;
  for (long j = from + lm_part(to - from, thread, threads); j < from + lm_part(to - from, thread + 1, threads); j++) {
    // A loop of its own for each type.
    if (p->type == LM_TYPE_F32)
      pack_panel(p, LM_TYPE_F32, j);
    else if (p->type == LM_TYPE_BF16)
      pack_panel(p, LM_TYPE_BF16, j);
    else
      pack_panel(p, LM_TYPE_F16, j);
  }
}

void lm_pack(lm_context *context, uint16_t *packed, long inputs, long first, long rows, const void *source, int type,
             long row_stride, long column_stride) {
  packing p = {packed, inputs, first, rows, row_stride, column_stride, source, type};
  lm_parallel(context, (double)rows * (double)inputs, run_packing, &p);
}

typedef struct {
  const uint32_t *source;
  uint32_t *target;
  long outputs, inputs;
  const lm_table *table;
} transposing;

static void run_transposing(void *argument, int thread, int threads) {
  const transposing *p = argument;
  long half = lm_round_up(p->inputs, 32) / 2, blocks = (p->outputs + 31) / 32, panels = (p->inputs + 31) / 32;
  for (long j = lm_part(panels, thread, threads); j < lm_part(panels, thread + 1, threads); j++)
    for (long o = 0; o < blocks; o++)
      p->table->transpose_pairs(p->source + (o * half + j * 16) * LM_PANEL,
                                p->target + (j * blocks + o) * 16 * LM_PANEL);
}

void lm_pack_transposed(lm_context *context, const uint16_t *packed, long outputs, long inputs, uint16_t *transposed) {
  transposing p = {(const uint32_t *)(const void *)packed, (uint32_t *)(void *)transposed, outputs, inputs,
                   lm_table_for(context->isa)};
  lm_parallel(context, 0.3 * (double)outputs * (double)inputs, run_transposing, &p);
}

void lm_to_float(long count, const void *source, int type, float *destination) {
  for (long i = 0; i < count; i++) destination[i] = element(source, type, i);
}

// MARK: Embedding (gathers from any weight type)

typedef struct {
  long d;
  const int32_t *rows;
  lm_weight_table table;
  bool packed;  // the table is a packed matrix
  bool accumulate;
  float *y;
  long count;
} embedding;

static void embed_packed(const embedding *e, long row, float *y) {
  const uint16_t *panel = (const uint16_t *)e->table.data + row / LM_PANEL * lm_round_up(e->d, 32) * LM_PANEL;
  long column = row % LM_PANEL;
  for (long j = 0; j < e->d; j++) {
    float value = lm_from_bf16(panel[(j / 2 * LM_PANEL + column) * 2 + j % 2]);
    y[j] = e->accumulate ? y[j] + value : value;
  }
}

static void embed_plain(const embedding *e, long row, float *y) {
  const lm_weight_table *table = &e->table;
  long base = row * table->row_stride;
  if (table->type == LM_TYPE_F32 && table->column_stride == 1 && !e->accumulate) {
    memcpy(y, (const char *)table->data + base * 4, (size_t)e->d * 4);
    return;
  }
  for (long j = 0; j < e->d; j++) {
    float value = element(table->data, table->type, base + j * table->column_stride);
    y[j] = e->accumulate ? y[j] + value : value;
  }
}

static void run_embedding(void *argument, int thread, int threads) {
  const embedding *e = argument;
  lm_range range = lm_share(e->count, 1, thread, threads);
  for (long t = range.from; t < range.to; t++) {
    if (e->packed)
      embed_packed(e, e->rows[t], e->y + t * e->d);
    else
      embed_plain(e, e->rows[t], e->y + t * e->d);
  }
}

void lm_embed(lm_context *context, long count, long d, const int32_t *rows, lm_weight_table table, bool accumulate,
              float *y) {
  embedding e = {d, rows, table, false, accumulate, y, count};
  lm_parallel(context, 0.5 * (double)count * (double)d, run_embedding, &e);
}

void lm_embed_packed(lm_context *context, long count, long d, const int32_t *rows, const uint16_t *packed,
                     bool accumulate, float *y) {
  embedding e = {d, rows, {.data = packed}, true, accumulate, y, count};
  lm_parallel(context, 2 * (double)count * (double)d, run_embedding, &e);
}
