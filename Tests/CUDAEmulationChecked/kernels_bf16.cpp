// The kernels' own text once more, compiled so that every access of memory is reported (see Package.swift).
#define ENGRAM_CHECKED 1
#include "../CUDAEmulation/kernels_bf16.cpp"
