// The kernel for processors with AVX-512.
#if defined(__x86_64__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma"))), apply_to = function)
#define FAMILY saas
#define SUFFIX avx512
#define SAAS_ROWS 8
#define SAAS_COLUMNS 2
#include "saas_kernels.inc"
#pragma clang attribute pop
#endif
