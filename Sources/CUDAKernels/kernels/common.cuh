// What all kernels share. The text is compiled by NVRTC for a device, and as C++ by the tests' emulation (emulation.h
// then defines the macros, barriers, shuffles and the matrix instruction).
//
// `real` is what activations and frozen weights are stored as: bf16 where ENGRAM_BF16 is 1, else 32-bit floating point.
// Sums are always 32-bit, in an order that depends only on the sizes: equal calls give equal bits.
#pragma once

#ifndef ENGRAM_EMULATION
#define KERNEL(threads, name, ...) extern "C" __global__ void __launch_bounds__(threads) name(__VA_ARGS__)
#define DEVICE static __device__ __forceinline__
#define SHARED_MEMORY(name) extern __shared__ __align__(16) unsigned char name[]
#define INFINITY __uint_as_float(0x7f800000u)  // NVRTC has no math.h
#endif

// Numbers in 16 bits: sign, 8 bits of exponent, 7 of fraction (the upper half of a 32-bit number).
struct bf16 {
  unsigned short bits;
};

#if ENGRAM_BF16
typedef bf16 real;
#else
typedef float real;
#endif

DEVICE float widen(float x) { return x; }
DEVICE float widen(bf16 x) { return __uint_as_float((unsigned)x.bits << 16); }

// To the nearest, ties to even; a NaN stays one.
DEVICE bf16 to_bf16(float x) {
#ifdef ENGRAM_EMULATION
  unsigned bits = __float_as_uint(x);
  bits = x != x ? 0x7fc00000u : bits + 0x7fffu + ((bits >> 16) & 1u);
  return bf16{(unsigned short)(bits >> 16)};
#else
  bf16 result;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result.bits) : "f"(x));
  return result;
#endif
}

// Two numbers in one word, the first in its lower half.
DEVICE unsigned pack(float low, float high) {
#ifdef ENGRAM_EMULATION
  return (unsigned)to_bf16(low).bits | (unsigned)to_bf16(high).bits << 16;
#else
  unsigned result;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(result) : "f"(high), "f"(low));
  return result;
#endif
}

#if ENGRAM_BF16
DEVICE real narrow(float x) { return to_bf16(x); }
#else
DEVICE real narrow(float x) { return x; }
#endif

// e^x, and x / y for y >= 1, where the result is rounded to `real` soon after. In bf16 (2^-9) by the device's approximate
// instructions (PTX ISA, ex2.approx and rcp.approx: 2^-22; what is below 2^-126 becomes 0). The rounded x · log2(e) adds about
// |x| · 2^-24 to the relative error of e^x: 2^-17 where e^x is largest or smallest. In 32 bits as accurate as they are.
#if ENGRAM_BF16 && !defined(ENGRAM_EMULATION)
DEVICE float exponential(float x) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x * 1.4426950408889634f));
  return result;
}
DEVICE float quotient(float x, float y) {
  float reciprocal;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(reciprocal) : "f"(y));
  return x * reciprocal;
}
#else
DEVICE float exponential(float x) { return expf(x); }
DEVICE float quotient(float x, float y) { return x / y; }
#endif

DEVICE bool is_aligned(const void* pointer) { return ((unsigned long long)pointer & 15u) == 0; }

// Up to eight numbers from `source`; beyond `available` they are 0. The result is how many there are.
DEVICE int load8(const float* source, long long available, float (&values)[8]) {
  if (available >= 8 && is_aligned(source)) {
    const uint4* words = (const uint4*)source;
    uint4 low = words[0], high = words[1];
    values[0] = __uint_as_float(low.x), values[1] = __uint_as_float(low.y);
    values[2] = __uint_as_float(low.z), values[3] = __uint_as_float(low.w);
    values[4] = __uint_as_float(high.x), values[5] = __uint_as_float(high.y);
    values[6] = __uint_as_float(high.z), values[7] = __uint_as_float(high.w);
    return 8;
  }
#pragma unroll
  for (int i = 0; i < 8; ++i) values[i] = i < available ? source[i] : 0.0f;
  return available < 8 ? (int)available : 8;
}

DEVICE int load8(const bf16* source, long long available, float (&values)[8]) {
  if (available >= 8 && is_aligned(source)) {
    uint4 words = *(const uint4*)source;
    unsigned pairs[4] = {words.x, words.y, words.z, words.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      values[2 * i] = __uint_as_float(pairs[i] << 16);
      values[2 * i + 1] = __uint_as_float(pairs[i] & 0xffff0000u);
    }
    return 8;
  }
#pragma unroll
  for (int i = 0; i < 8; ++i) values[i] = i < available ? widen(source[i]) : 0.0f;
  return available < 8 ? (int)available : 8;
}

// The first `count` of eight numbers to `target`.
DEVICE void store8(float* target, int count, const float (&values)[8]) {
  if (count == 8 && is_aligned(target)) {
    uint4* words = (uint4*)target;
    words[0] = make_uint4(__float_as_uint(values[0]), __float_as_uint(values[1]), __float_as_uint(values[2]),
                          __float_as_uint(values[3]));
    words[1] = make_uint4(__float_as_uint(values[4]), __float_as_uint(values[5]), __float_as_uint(values[6]),
                          __float_as_uint(values[7]));
    return;
  }
#pragma unroll
  for (int i = 0; i < 8; ++i)
    if (i < count) target[i] = values[i];
}

DEVICE void store8(bf16* target, int count, const float (&values)[8]) {
  if (count == 8 && is_aligned(target)) {
    unsigned pairs[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) pairs[i] = pack(values[2 * i], values[2 * i + 1]);
    *(uint4*)target = make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]);
    return;
  }
#pragma unroll
  for (int i = 0; i < 8; ++i)
    if (i < count) target[i] = to_bf16(values[i]);
}

// This thread's place in a one-dimensional grid.
DEVICE long long thread_number() { return (long long)blockIdx.x * blockDim.x + threadIdx.x; }

DEVICE float warp_sum(float value) {
#pragma unroll
  for (int offset = 16; offset > 0; offset >>= 1) value += __shfl_xor_sync(0xffffffffu, value, offset);
  return value;
}

DEVICE float warp_max(float value) {
#pragma unroll
  for (int offset = 16; offset > 0; offset >>= 1) value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, offset));
  return value;
}

// Over a block of whole warps; every thread gets the result. `scratch`: 32 numbers of shared memory.
DEVICE float block_sum(float value, float* scratch) {
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = blockDim.x >> 5;
  value = warp_sum(value);
  __syncthreads();  // the scratch may still be read from before
  if (lane == 0) scratch[warp] = value;
  __syncthreads();
  return warp_sum(lane < warps ? scratch[lane] : 0.0f);
}

DEVICE float block_max(float value, float* scratch) {
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = blockDim.x >> 5;
  value = warp_max(value);
  __syncthreads();
  if (lane == 0) scratch[warp] = value;
  __syncthreads();
  return warp_max(lane < warps ? scratch[lane] : -INFINITY);
}
