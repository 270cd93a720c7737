// The kernel for processors with AVX2 and FMA.
#include "ehvi.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define FAMILY ehvi
#define SUFFIX avx2
#include "ehvi_kernels.inc"
#pragma clang attribute pop
#endif
