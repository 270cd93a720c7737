// Matrix tiles of the processor (AMX), and the same in plain C; not public.
#pragma once
#include "lm_table.h"

/// Sums of up to two row tiles by 32 columns: to = from + A · B.
typedef struct {
  long k;                    // a multiple of 32
  const uint16_t *a0, *a1;   // [k/32][16 rows][32] each; a1 NULL: one row tile
  const uint32_t *b;         // [k/2][32] pairs
  const float *from;         // NULL: zero. Stride 0: the same row for all
  long from_stride;
  float *to;
  long to_stride;
  const char *ahead;         // `lines` cache lines of it are asked for in every step of k = 32
  long lines;
  long k2;                   // more products in the same sums, as above; a2: both row tiles, one behind the other
  const uint16_t *a2;
  const uint32_t *b2;
} lm_tiles_job;
bool lm_tiles_available(void);
void lm_tiles_begin(void);
void lm_tiles_end(void);
/// `emulated`: in plain C, for tests.
void lm_tiles_run(const lm_tiles_job *job, bool emulated);
/// A block of 32 columns of C (+)= [rows][32] sums (+ bias). Only where tiles are the processor's own.
void lm_tiles_add(const float *sums, const lm_block *block);
/// Writes [rows][32] sums past the caches to rows of C (aligned to 64 bytes): see `lm_streamed`.
void lm_tiles_stream(const float *sums, long rows, float *c, long ldc);
/// out [k/32][16 rows][32] = alpha · a [rows][k], rows and k past the end zero; `out` aligned to 64 bytes.
void lm_pack_tiles(const lm_left_part *part, uint16_t *out);
