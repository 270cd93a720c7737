// What the kernels' text needs to be compiled as C++: one emulated block runs at a time on the calling thread, each of its
// threads a fiber that runs until a barrier or a warp operation.
#pragma once

#include <math.h>
#include <stdint.h>
#include <string.h>

#include <string>
#include <utility>
#include <vector>

#define KERNEL(threads, name, ...)                                                                                     \
  static void name(__VA_ARGS__);                                                                                       \
  static const ::emulation::Registration registration_##name(#name, ENGRAM_BF16, ENGRAM_CHECKED, threads,              \
                                                             &name);                                                   \
  static void name(__VA_ARGS__)
#define DEVICE static inline
#define SHARED_MEMORY(name) unsigned char* name = ::emulation::dynamic_shared_memory()
#define __shared__ static thread_local

#ifndef ENGRAM_CHECKED
#define ENGRAM_CHECKED 0  // 1: the compiler reports every access (CUDAEmulationChecked)
#endif

namespace emulation {
// 16 bytes are read or written whole: the compiler may report their parts only.
void check_whole(const void* address);
}  // namespace emulation

struct alignas(16) uint4 {
  unsigned x, y, z, w;
#if ENGRAM_CHECKED
  uint4() = default;
  uint4(unsigned x, unsigned y, unsigned z, unsigned w) : x(x), y(y), z(z), w(w) {}
  uint4(const uint4& other) : x(other.x), y(other.y), z(other.z), w(other.w) { emulation::check_whole(&other); }
  uint4& operator=(const uint4& other) {
    emulation::check_whole(&other);
    emulation::check_whole(this);
    x = other.x, y = other.y, z = other.z, w = other.w;
    return *this;
  }
#endif
};
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return uint4{x, y, z, w}; }

// Arguments come from the host's memory.
#define UNCHECKED __attribute__((no_sanitize("coverage")))

namespace emulation {
struct Index {
  unsigned x, y, z;
};

// Where the running fiber is.
struct Position {
  Index thread, block, block_size, grid_size;
};
extern thread_local Position position;
// Whether blocks, warps and lanes run from the last to the first. What depends on the order lacks a barrier.
extern bool reverse_order;

void block_barrier();
// Orders memory accesses of the warp; what lanes exchange does not.
void warp_barrier();
// Whether any thread of the block says so; a barrier of the block.
bool block_any(bool value);
unsigned char* dynamic_shared_memory();
// Gives `value` to the other lanes of the warp and returns lane `lane`'s.
uint32_t exchange(uint32_t value, unsigned lane);
void mma_m16n8k16_bf16(float (&acc)[4], const unsigned (&a)[4], const unsigned (&b)[2]);
// ldmatrix.x4 of 16-bit numbers, with or without .trans.
void load_matrices(unsigned (&words)[4], const void* row, bool transposed);
// cp.async of 16 bytes, or of none and zeros behind them: they arrive when the thread waits for their commit, not before.
void copy_async(void* target, const void* source, bool exists = true);
void commit_copies();
void wait_for_copies(unsigned left);
void complain(const char* what);
// Complains, and ends the launch as a fault of the device does.
void fail(const char* what);
// Number of the running fiber in its block.
unsigned current_thread();

// A kernel with its arguments in an array of pointers, as a launch passes them.
class Registration {
 public:
  template <class... Arguments>
  Registration(const char* name, int is_bf16, int is_checked, int threads, void (*kernel)(Arguments...))
      : name(name), is_bf16(is_bf16), is_checked(is_checked), threads(threads), function((void*)kernel),
        sizes{sizeof(Arguments)...}, invoke(&call<Arguments...>) {
    add();
  }
  const char* name;
  int is_bf16, is_checked, threads;
  mutable bool has_run = false;
  void* function;
  std::vector<size_t> sizes;
  void (*invoke)(void* function, void** arguments);

 private:
  template <class... Arguments, size_t... I>
  UNCHECKED static void spread(void* function, void** arguments, std::index_sequence<I...>) {
    ((void (*)(Arguments...))function)(*(Arguments*)arguments[I]...);
  }
  template <class... Arguments>
  UNCHECKED static void call(void* function, void** arguments) {
    spread<Arguments...>(function, arguments, std::index_sequence_for<Arguments...>{});
  }
  void add();
};

// Runs one launch; false when a kernel did something that a device would not survive.
bool run(const Registration& kernel, Index grid, Index block, unsigned shared_bytes, void** arguments);
const Registration* find(const char* name, int is_bf16, int is_checked);
// Names of the checked kernels that have not run, but for the planted ones.
std::string never_checked(int is_bf16);
void forget_runs();
}  // namespace emulation

#define threadIdx (::emulation::position.thread)
#define blockIdx (::emulation::position.block)
#define blockDim (::emulation::position.block_size)
#define gridDim (::emulation::position.grid_size)

static inline float __uint_as_float(unsigned bits) {
  float result;
  memcpy(&result, &bits, 4);
  return result;
}
static inline unsigned __float_as_uint(float value) {
  unsigned result;
  memcpy(&result, &value, 4);
  return result;
}
static inline void __syncthreads() { emulation::block_barrier(); }
static inline int __syncthreads_or(int value) { return emulation::block_any(value != 0); }
static inline void __syncwarp() { emulation::warp_barrier(); }
static inline float __shfl_xor_sync(unsigned, float value, int mask) {
  return __uint_as_float(emulation::exchange(__float_as_uint(value), (emulation::position.thread.x & 31u) ^ (unsigned)mask));
}
static inline int __shfl_xor_sync(unsigned, int value, int mask) {
  return (int)emulation::exchange((unsigned)value, (emulation::position.thread.x & 31u) ^ (unsigned)mask);
}
