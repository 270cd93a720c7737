// The kernels compiled for AVX2 and FMA.
#include "lm_table.h"
#include "lm_tiles.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

#define FAMILY lm
#define LANES 8
#define ROWS 6
#define HAS_FMA 1
#define SUFFIX avx2
#include "lm_vector_kernels.inc"
#include "lm_row_kernels.inc"
#include "lm_product_kernels.inc"
#include "lm_few_rows_kernels.inc"
#include "lm_attention_kernels.inc"
#include "lm_attention_tiles_kernels.inc"
#include "lm_table_kernels.inc"

#pragma clang attribute pop
#endif
