// The kernels compiled for AVX-512.
#include "lm_internal.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))), apply_to = function)

#define LANES 16
#define ROWS 14
#define HAS_FMA 1
#define SUFFIX avx512
#include "lm_simd.inc"
#include "lm_ops.inc"
#include "lm_products.inc"
#include "lm_few.inc"
#include "lm_attention.inc"
#include "lm_attention_tiles.inc"
#include "lm_table.inc"

#pragma clang attribute pop
#endif
