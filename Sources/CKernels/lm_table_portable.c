// The kernels compiled for any processor.
#include "lm_table.h"
#include "lm_tiles.h"

#define FAMILY lm
#define LANES 4
#define ROWS 4
#define HAS_FMA 0
#define SUFFIX portable
#include "lm_vector_kernels.inc"
#include "lm_row_kernels.inc"
#include "lm_product_kernels.inc"
#include "lm_few_rows_kernels.inc"
#include "lm_attention_kernels.inc"
#include "lm_attention_tiles_kernels.inc"
#include "lm_table_kernels.inc"
