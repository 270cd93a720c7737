// The vdpbf16ps micro-kernel: C [rows, columns] (+)= A · B over pairs of bf16, sums in 32 bits.
#include "lm_table.h"

#if defined(__x86_64__)
// Pairs of k ahead; measured on Zen 5.
enum { PREFETCH = 64 };

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16"))), \
                             apply_to = function)

INLINE void kernel_rows(const int rows, const int vectors, const lm_block *block, const uint32_t *a,
                        const uint32_t *b) {
  const long k = block->k, ldc = block->c_stride, columns = block->columns;
  const float *bias = block->bias;
  float *c = block->c;
  const bool accumulate = block->accumulate;
  __mmask16 mask[2] = {0xffff, 0xffff};
  if (columns < vectors * 16) mask[vectors - 1] = (__mmask16)((1u << (columns - (vectors - 1) * 16)) - 1);
  __m512 sum[LM_BF16_ROWS][2];
  UNROLL
  for (int r = 0; r < rows; r++)
    UNROLL
    for (int v = 0; v < vectors; v++)
      sum[r][v] = bias ? _mm512_maskz_loadu_ps(mask[v], bias + v * 16) : _mm512_setzero_ps();
  for (long p = 0; p < k / 2; p++) {
    if (rows <= 8) {
      // Few rows: the kernel waits for weights that come from memory, beyond the reach of the hardware's prefetching.
      _mm_prefetch((const char *)(b + (p + PREFETCH) * LM_PANEL), _MM_HINT_T0);
      if (vectors > 1) _mm_prefetch((const char *)(b + (p + PREFETCH) * LM_PANEL + 16), _MM_HINT_T0);
    }
    __m512bh right[2];
    UNROLL
    for (int v = 0; v < vectors; v++) right[v] = (__m512bh)_mm512_loadu_si512(b + p * LM_PANEL + v * 16);
    UNROLL
    for (int r = 0; r < rows; r++) {
      __m512bh left = (__m512bh)_mm512_set1_epi32((int)a[p * LM_BF16_ROWS + r]);
      UNROLL
      for (int v = 0; v < vectors; v++) sum[r][v] = _mm512_dpbf16_ps(sum[r][v], left, right[v]);
    }
  }
  UNROLL
  for (int r = 0; r < rows; r++)
    UNROLL
    for (int v = 0; v < vectors; v++) {
      float *at = c + r * ldc + v * 16;
      __m512 value = sum[r][v];
      if (mask[v] == 0xffff) {  // masked stores of whole vectors are slow on Zen 5
        _mm512_storeu_ps(at, accumulate ? _mm512_add_ps(value, _mm512_loadu_ps(at)) : value);
      } else {
        if (accumulate) value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask[v], at));
        _mm512_mask_storeu_ps(at, mask[v], value);
      }
    }
}

void lm_kernel_bf16(const lm_block *block, const uint32_t *a, const uint32_t *b) {
#define KERNEL_OF_ROWS(n)                 \
  case n:                                 \
    if (block->columns > 16)              \
      kernel_rows(n, 2, block, a, b);     \
    else                                  \
      kernel_rows(n, 1, block, a, b);     \
    break;
  switch (block->rows) {
    KERNEL_OF_ROWS(1) KERNEL_OF_ROWS(2) KERNEL_OF_ROWS(3) KERNEL_OF_ROWS(4) KERNEL_OF_ROWS(5)
    KERNEL_OF_ROWS(6) KERNEL_OF_ROWS(7) KERNEL_OF_ROWS(8) KERNEL_OF_ROWS(9) KERNEL_OF_ROWS(10)
    KERNEL_OF_ROWS(11) KERNEL_OF_ROWS(12) KERNEL_OF_ROWS(13) KERNEL_OF_ROWS(14)
  }
#undef KERNEL_OF_ROWS
}
#pragma clang attribute pop
#else
void lm_kernel_bf16(const lm_block *block, const uint32_t *a, const uint32_t *b) {
  (void)block, (void)a, (void)b;  // never called: no path with this instruction
}
#endif
