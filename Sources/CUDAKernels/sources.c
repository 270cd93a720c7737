// Embeds kernels/*. No resource bundle: the binary can be moved to any machine.
#include "CUDAKernels.h"

#pragma clang diagnostic ignored "-Wunknown-warning-option"
#pragma clang diagnostic ignored "-Wc23-extensions"  // #embed

#if defined(__has_embed)
static const char common_text[] = {
#embed "kernels/common.cuh"
    , 0};
static const char activation_text[] = {
#embed "kernels/activation.cu"
    , 0};
static const char attention_text[] = {
#embed "kernels/attention.cu"
    , 0};
static const char generation_text[] = {
#embed "kernels/generation.cu"
    , 0};
static const char loss_text[] = {
#embed "kernels/loss.cu"
    , 0};
static const char normalization_text[] = {
#embed "kernels/normalization.cu"
    , 0};
static const char optimizer_text[] = {
#embed "kernels/optimizer.cu"
    , 0};
static const char products_text[] = {
#embed "kernels/products.cu"
    , 0};
static const char rotary_text[] = {
#embed "kernels/rotary.cu"
    , 0};
static const char rows_text[] = {
#embed "kernels/rows.cu"
    , 0};
#else
// Compilers before clang 19 (Swift 6.1) have no #embed: the assembler reads the files, from the package's root.
#define EMBED(name, file)                                                                                      \
  __asm__(".pushsection .rodata\n" #name "_text:\n.incbin \"Sources/CUDAKernels/kernels/" file "\"\n.byte 0\n" \
          ".popsection\n");                                                                                    \
  extern const char name##_text[] __asm__(#name "_text");
EMBED(common, "common.cuh")
EMBED(activation, "activation.cu")
EMBED(attention, "attention.cu")
EMBED(generation, "generation.cu")
EMBED(loss, "loss.cu")
EMBED(normalization, "normalization.cu")
EMBED(optimizer, "optimizer.cu")
EMBED(products, "products.cu")
EMBED(rotary, "rotary.cu")
EMBED(rows, "rows.cu")
#endif

const struct engram_cuda_source engram_cuda_common = {"common.cuh", common_text};

static const struct engram_cuda_source files[] = {
    {"activation.cu", activation_text}, {"attention.cu", attention_text}, {"generation.cu", generation_text},
    {"loss.cu", loss_text},             {"normalization.cu", normalization_text},
    {"optimizer.cu", optimizer_text},   {"products.cu", products_text},   {"rotary.cu", rotary_text},
    {"rows.cu", rows_text},
};

struct engram_cuda_source engram_cuda_kernel_file(int index) {
  static const struct engram_cuda_source none = {"", ""};
  return index >= 0 && index < (int)(sizeof files / sizeof files[0]) ? files[index] : none;
}
