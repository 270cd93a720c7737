// AMX tiles (Intel Sapphire Rapids and later): probe and micro-kernel, and the same kernel in plain C for tests.
//
// Virtual machines may leave the tile CPUID leaves (1Dh, 1Eh) zero while the instructions work, so support is not read
// from CPUID: the kernel is asked for the permission to use tile data (arch_prctl), then a child process runs one tile
// product with a hard-coded configuration (palette 1, 16 rows of 64 bytes). A child, because an illegal instruction
// ends it and nothing else. Linux also refuses the permission to a thread whose alternate signal stack cannot hold the
// tiles (12 KiB suffice; a Swift program's crash handler has 24); then the next best path is taken.
#include "lm_internal.h"

// Blocks: two row tiles x two column tiles. Tiles 0-3 sums (row tile * 2 + column tile), 4-5 left, 6-7 right.

#if defined(__x86_64__) && defined(__linux__)
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARCH_REQ_XCOMP_PERM 0x1023
#define XFEATURE_XTILEDATA 18

#pragma clang attribute push(__attribute__((target("amx-tile,amx-bf16,avx512f"))), apply_to = function)

struct tile_configuration {
  uint8_t palette, start_row, reserved[14];
  uint16_t bytes[16];
  uint8_t rows[16];
} __attribute__((aligned(64)));

void lm_tiles_begin(void) {
  struct tile_configuration configuration = {.palette = 1};
  for (int i = 0; i < 8; i++) {
    configuration.bytes[i] = 64;
    configuration.rows[i] = 16;
  }
  _tile_loadconfig(&configuration);
}

void lm_tiles_end(void) { _tile_release(); }

void lm_kernel_tiles(long k, const uint16_t *a0, const uint16_t *a1, const uint32_t *b, float *c, long ldc,
                     bool accumulate) {
  size_t stride = (size_t)ldc * 4;
  if (accumulate) {
    _tile_loadd(0, c, stride);
    _tile_loadd(1, c + 16, stride);
  } else {
    _tile_zero(0);
    _tile_zero(1);
  }
  if (!a1) {
    for (long p = 0; p < k; p += 32) {
      _tile_loadd(4, a0 + p * 16, 64);
      _tile_loadd(6, b + p / 2 * LM_PANEL, LM_PANEL * 4);
      _tile_loadd(7, b + p / 2 * LM_PANEL + 16, LM_PANEL * 4);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
    }
    _tile_stored(0, c, stride);
    _tile_stored(1, c + 16, stride);
    return;
  }
  if (accumulate) {
    _tile_loadd(2, c + 16 * ldc, stride);
    _tile_loadd(3, c + 16 * ldc + 16, stride);
  } else {
    _tile_zero(2);
    _tile_zero(3);
  }
  for (long p = 0; p < k; p += 32) {
    _tile_loadd(6, b + p / 2 * LM_PANEL, LM_PANEL * 4);
    _tile_loadd(4, a0 + p * 16, 64);
    _tile_loadd(7, b + p / 2 * LM_PANEL + 16, LM_PANEL * 4);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(5, a1 + p * 16, 64);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, c, stride);
  _tile_stored(1, c + 16, stride);
  _tile_stored(2, c + 16 * ldc, stride);
  _tile_stored(3, c + 16 * ldc + 16, stride);
}

// Ones times ones over 32 products: exits 0 when every sum is 32.
static void probe(void) {
  static uint16_t left[16 * 32] __attribute__((aligned(64)));
  static uint32_t right[16 * LM_PANEL] __attribute__((aligned(64)));
  static float sums[16 * 32];
  for (int i = 0; i < 16 * 32; i++) left[i] = 0x3f80;
  for (int i = 0; i < 16 * LM_PANEL; i++) right[i] = 0x3f803f80;
  lm_tiles_begin();
  lm_kernel_tiles(32, left, NULL, right, sums, 32, false);
  lm_tiles_end();
  for (int i = 0; i < 16 * 32; i++)
    if (sums[i] != 32.f) _exit(1);
  _exit(0);
}
#pragma clang attribute pop

bool lm_tiles_available(void) {
  if (syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) != 0) return false;
  pid_t child = fork();
  if (child < 0) return false;
  if (child == 0) {
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigaction(SIGILL, &standard, NULL);
    sigaction(SIGSEGV, &standard, NULL);
    // The permission is inherited by fork.
    probe();
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return false;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

#else
bool lm_tiles_available(void) { return false; }
void lm_tiles_begin(void) {}
void lm_tiles_end(void) {}
void lm_kernel_tiles(long k, const uint16_t *a0, const uint16_t *a1, const uint32_t *b, float *c, long ldc,
                     bool accumulate) {
  lm_kernel_tiles_emulated(k, a0, a1, b, c, ldc, accumulate);
}
#endif

void lm_kernel_tiles_emulated(long k, const uint16_t *a0, const uint16_t *a1, const uint32_t *b, float *c, long ldc,
                              bool accumulate) {
  for (int i = 0; i < (a1 ? 32 : 16); i++) {
    const uint16_t *a = i < 16 ? a0 + i * 32 : a1 + (i - 16) * 32;
    for (int j = 0; j < 32; j++) {
      float sum = accumulate ? c[i * ldc + j] : 0.f;
      for (long p = 0; p < k; p += 2) {
        const uint16_t *left = a + p / 32 * 512 + p % 32;
        uint32_t right = b[p / 2 * LM_PANEL + j];
        sum += lm_from_bf16(left[0]) * lm_from_bf16((uint16_t)right);
        sum += lm_from_bf16(left[1]) * lm_from_bf16((uint16_t)(right >> 16));
      }
      c[i * ldc + j] = sum;
    }
  }
}
