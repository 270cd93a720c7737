// The kernel for processors with AVX2 and FMA.
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define FAMILY saas
#define SUFFIX avx2
#define SAAS_ROWS 4
#define SAAS_COLUMNS 1
#include "saas_kernels.inc"
#pragma clang attribute pop
#endif
