// The kernels compiled for any processor.
#include "lm_internal.h"

#define LANES 4
#define ROWS 4
#define HAS_FMA 0
#define SUFFIX portable
#include "lm_simd.inc"
#include "lm_ops.inc"
#include "lm_products.inc"
#include "lm_few.inc"
#include "lm_attention.inc"
#include "lm_attention_tiles.inc"
#include "lm_table.inc"

