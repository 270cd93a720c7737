// Small things that all lm_* files use; not public.
#pragma once
#include <stdlib.h>
#include <string.h>

#include "kernel_template.h"
#include "lm_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/// Columns of one packed panel of the right operand; every instruction set uses the same panels.
#define LM_PANEL 32

static inline long lm_min(long a, long b) { return a < b ? a : b; }
static inline long lm_max(long a, long b) { return a > b ? a : b; }
static inline long lm_round_up(long a, long b) { return (a + b - 1) / b * b; }
/// First item of part `i` of `parts` of `count` items.
static inline long lm_part(long count, long i, long parts) { return count * i / parts; }

/// Items from ..< to.
typedef struct {
  long from, to;
} lm_range;

/// The share of one thread. Ranges begin at multiples of `unit`: with 16 single numbers, no cache line is shared and
/// vectors stay whole.
static inline lm_range lm_share(long count, long unit, int thread, int threads) {
  long blocks = (count + unit - 1) / unit;
  return (lm_range){lm_part(blocks, thread, threads) * unit,
                    lm_min(lm_part(blocks, thread + 1, threads) * unit, count)};
}

/// The next `bytes` of `memory`, which begins at a multiple of 64 bytes, and moves `used` behind them. Without memory
/// it only counts.
static inline void *lm_carve(char *memory, size_t *used, long bytes) {
  void *here = memory ? memory + *used : NULL;
  *used += ((size_t)bytes + 63) & ~(size_t)63;
  return here;
}

/// Whether `count` numbers, in rows `stride` apart, are written past the caches: so many that none would hold them
/// until they are read again. Who has written so calls `lm_streamed` before others read.
enum { LM_STREAM_BYTES = 2 << 20 };
static inline bool lm_streams(const float *x, long count, long stride) {
#if defined(__x86_64__)
  return count >= LM_STREAM_BYTES / 4 && stride % 16 == 0 && (uintptr_t)x % 64 == 0;
#else
  (void)x, (void)count, (void)stride;
  return false;
#endif
}
static inline void lm_streamed(void) {
#if defined(__x86_64__)
  __builtin_ia32_sfence();
#endif
}

static inline uint16_t lm_bf16(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)((bits >> 16) | 0x40);
  return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

static inline float lm_from_bf16(uint16_t value) {
  uint32_t bits = (uint32_t)value << 16;
  float result;
  memcpy(&result, &bits, 4);
  return result;
}
