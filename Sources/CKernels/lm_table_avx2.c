// The kernels compiled for AVX2 and FMA.
#include "lm_internal.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

#define LANES 8
#define ROWS 6
#define HAS_FMA 1
#define SUFFIX avx2
#include "lm_simd.inc"
#include "lm_ops.inc"
#include "lm_products.inc"
#include "lm_few.inc"
#include "lm_attention.inc"
#include "lm_attention_tiles.inc"
#include "lm_table.inc"

#pragma clang attribute pop
#endif
