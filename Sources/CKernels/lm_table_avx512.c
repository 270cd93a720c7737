// The kernels compiled for AVX-512.
#include "lm_table.h"
#include "lm_tiles.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))), apply_to = function)

#define FAMILY lm
#define LANES 16
#define ROWS 14
#define HAS_FMA 1
#define SUFFIX avx512
#include "lm_vector_kernels.inc"
#include "lm_row_kernels.inc"
#include "lm_product_kernels.inc"
#include "lm_few_rows_kernels.inc"
#include "lm_attention_kernels.inc"
#include "lm_attention_tiles_kernels.inc"
#include "lm_table_kernels.inc"

#pragma clang attribute pop
#endif
