// The kernels' own text, compiled for the processor: activations in bf16.
#define ENGRAM_EMULATION 1
#define ENGRAM_BF16 1
#include "emulation.h"

#pragma clang diagnostic ignored "-Wunused-function"
#pragma clang diagnostic ignored "-Wunknown-pragmas"

namespace {
#include "../../Sources/CUDAKernels/kernels/activation.cu"
#include "../../Sources/CUDAKernels/kernels/attention.cu"
#include "../../Sources/CUDAKernels/kernels/generation.cu"
#include "../../Sources/CUDAKernels/kernels/loss.cu"
#include "../../Sources/CUDAKernels/kernels/normalization.cu"
#include "../../Sources/CUDAKernels/kernels/optimizer.cu"
#include "../../Sources/CUDAKernels/kernels/products.cu"
#include "../../Sources/CUDAKernels/kernels/rotary.cu"
#include "../../Sources/CUDAKernels/kernels/rows.cu"
}  // namespace
