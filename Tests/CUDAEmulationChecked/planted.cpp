// Kernels with a fault each, and without: what the checks of accesses have to find, and what they must not.
// `memory`: 4,096 bytes, of which the first half has been written. Two blocks of 64 threads, 1,024 bytes of shared memory.
#define ENGRAM_EMULATION 1
#define ENGRAM_BF16 0
#define ENGRAM_CHECKED 1
#include "../CUDAEmulation/emulation.h"

namespace {

// Every thread reads its right neighbour's number of shared memory.
template <bool BLOCK_BARRIER, bool WARP_BARRIER>
void rotate_shared(float* memory) {
  SHARED_MEMORY(bytes);
  float* numbers = (float*)bytes;
  numbers[threadIdx.x] = 0.0f;
  __syncthreads();
  numbers[threadIdx.x] = memory[threadIdx.x];
  if (BLOCK_BARRIER) __syncthreads();
  if (WARP_BARRIER) __syncwarp();
  unsigned neighbour = WARP_BARRIER ? (threadIdx.x & ~31u) + (threadIdx.x + 1) % 32 : (threadIdx.x + 1) % 64;
  float value = numbers[neighbour];
  memory[128 + blockIdx.x * 64 + threadIdx.x] = value;
}
KERNEL(64, planted_nothing, float* memory) { rotate_shared<true, false>(memory); }
KERNEL(64, planted_nothing_in_warps, float* memory) { rotate_shared<false, true>(memory); }
KERNEL(64, planted_missing_barrier, float* memory) { rotate_shared<false, false>(memory); }

// What is read before it is written anew needs a barrier too.
template <bool BARRIER>
void overwrite(float* memory) {
  __shared__ float numbers[64];
  numbers[threadIdx.x] = memory[threadIdx.x];
  __syncthreads();
  float value = numbers[63 - threadIdx.x];
  if (BARRIER) __syncthreads();
  numbers[threadIdx.x] = value;
  memory[128 + blockIdx.x * 64 + threadIdx.x] = value;
}
KERNEL(64, planted_nothing_overwritten, float* memory) { overwrite<true>(memory); }
KERNEL(64, planted_early_overwrite, float* memory) { overwrite<false>(memory); }

// A shuffle orders no memory.
KERNEL(64, planted_shuffle_as_barrier, float* memory) {
  SHARED_MEMORY(bytes);
  float* numbers = (float*)bytes;
  numbers[threadIdx.x] = memory[threadIdx.x];
  float other = __shfl_xor_sync(0xffffffffu, numbers[threadIdx.x], 1);
  memory[128 + blockIdx.x * 64 + threadIdx.x] = numbers[threadIdx.x ^ 1u] + other;
}
KERNEL(64, planted_same_place_in_two_blocks, float* memory) { memory[threadIdx.x] = 1.0f; }
KERNEL(64, planted_unwritten_memory, float* memory) { memory[threadIdx.x] = memory[512 + blockIdx.x * 64 + threadIdx.x]; }
KERNEL(64, planted_unwritten_shared, float* memory) {
  SHARED_MEMORY(bytes);
  memory[blockIdx.x * 64 + threadIdx.x] = ((float*)bytes)[threadIdx.x];
}
KERNEL(64, planted_read_beyond, float* memory) { memory[blockIdx.x * 64 + threadIdx.x] = memory[1024 + threadIdx.x]; }
KERNEL(64, planted_misaligned, float* memory) {
  uint4 words = *(const uint4*)(memory + 1 + threadIdx.x * 4);
  if ((words.x ^ words.y ^ words.z ^ words.w) == 7u) memory[threadIdx.x] = 1.0f;
}

template <bool WAITS, bool BARRIER>
void copied(float* memory) {
  SHARED_MEMORY(bytes);
  ((float*)bytes)[threadIdx.x] = 0.0f;
  __syncthreads();
  if (threadIdx.x < 16) emulation::copy_async(bytes + threadIdx.x * 16, memory + threadIdx.x * 4);
  emulation::commit_copies();
  if (WAITS) emulation::wait_for_copies(0);
  if (BARRIER) __syncthreads();
  memory[128 + blockIdx.x * 64 + threadIdx.x] = ((float*)bytes)[threadIdx.x];
}
KERNEL(64, planted_nothing_copied, float* memory) { copied<true, true>(memory); }
KERNEL(64, planted_copy_not_awaited, float* memory) { copied<false, true>(memory); }
KERNEL(64, planted_copy_without_barrier, float* memory) { copied<true, false>(memory); }

}  // namespace
