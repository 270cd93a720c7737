// The text of the CUDA kernels, carried inside the binary: NVRTC compiles it on the machine that runs it.
#ifndef ENGRAM_CUDA_KERNELS_H
#define ENGRAM_CUDA_KERNELS_H

/// One file of kernels/.
struct engram_cuda_source {
  /// Its name, such as "attention.cu".
  const char *_Nonnull name;
  /// Its text, zero-terminated.
  const char *_Nonnull text;
};

/// What every kernel file includes as "common.cuh".
extern const struct engram_cuda_source engram_cuda_common;
/// File number `index`; its `name` is "" behind the last one.
struct engram_cuda_source engram_cuda_kernel_file(int index);

#endif
