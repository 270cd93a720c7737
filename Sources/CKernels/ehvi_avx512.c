// The kernel for processors with AVX-512.
#include "ehvi.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,fma"))), apply_to = function)
#define FAMILY ehvi
#define SUFFIX avx512
#include "ehvi_kernels.inc"
#pragma clang attribute pop
#endif
