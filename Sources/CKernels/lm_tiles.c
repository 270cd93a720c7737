// AMX tiles (Intel Sapphire Rapids and later): probe and micro-kernel, and the same kernel in plain C for tests.
//
// Virtual machines may leave the tile CPUID leaves (1Dh, 1Eh) zero while the instructions work, so support is not read
// from CPUID: the kernel is asked for the permission to use tile data (arch_prctl), then a child process runs one tile
// product with a hard-coded configuration (palette 1, 16 rows of 64 bytes). A child, because an illegal instruction
// ends it and nothing else. Linux also refuses the permission to a thread whose alternate signal stack cannot hold the
// tiles (12 KiB suffice; a Swift program's crash handler has 24); then the next best path is taken.
#include "lm_tiles.h"

// Blocks: two row tiles x two column tiles. Tiles 0-3 sums (row tile * 2 + column tile), 4-5 left, 6-7 right.

#if defined(__x86_64__)
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARCH_REQ_XCOMP_PERM 0x1023
#define XFEATURE_XTILEDATA 18

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16"))), apply_to = function)
// Converts with one instruction per 32 numbers.
static void pack_tiles_converting(const lm_left_part *part, uint16_t *out) {
  const long rows = part->rows, k = part->k, rs = part->row_stride;
  const float *a = part->a, alpha = part->alpha;
  __m512 scale = _mm512_set1_ps(alpha);
  for (long r = 0; r < rows; r++) {
    const float *source = a + r * rs;
    for (long p = 0; p < k; p += 32) {
      long rest = k - p;
      __mmask16 low = (__mmask16)(rest >= 16 ? 0xffff : (1u << rest) - 1);
      __mmask16 high = (__mmask16)(rest >= 32 ? 0xffff : rest <= 16 ? 0 : (1u << (rest - 16)) - 1);
      __m512 first = _mm512_mul_ps(_mm512_maskz_loadu_ps(low, source + p), scale);
      __m512 second = _mm512_mul_ps(_mm512_maskz_loadu_ps(high, source + p + 16), scale);
      _mm512_store_si512(out + p * 16 + r * 32, (__m512i)_mm512_cvtne2ps_pbh(second, first));
    }
  }
  for (long r = rows; r < 16; r++)
    for (long p = 0; p < k; p += 32) _mm512_store_si512(out + p * 16 + r * 32, _mm512_setzero_si512());
}
#pragma clang attribute pop

void lm_pack_tiles(const lm_left_part *part, uint16_t *out) {
  if (__builtin_cpu_supports("avx512bf16"))
    pack_tiles_converting(part, out);
  else
    lm_table_avx512.pack_a_tiles(part, out);
}

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

/// Asks for `count` lines of the first-level cache, `stride` lines apart. A tile load waits for every line that is not
/// there, and does so in turn; asked for a step ahead, they cost nothing until load ports are full. Where the core's
/// other thread computes as well, that was 1.8 times the speed.
#define NEAR_LINES(at, first, count, stride)                                         \
  UNROLL for (int line_ = first; line_ < first + count * stride; line_ += stride)   \
      _mm_prefetch((const char *)(at) + line_ * 64, _MM_HINT_T0)

typedef struct {
  const uint16_t *a0, *a1;
  const uint32_t *b;
} tiles_at;

/// 32 products for each sum of two row tiles; `next`: the tiles that are read next. Of B, which stays near for the most
/// part, half of the lines are asked for.
INLINE void step(tiles_at at, tiles_at next) {
  _tile_loadd(6, at.b, LM_PANEL * 4);
  NEAR_LINES(next.b, 0, 8, 2);
  _tile_loadd(4, at.a0, 64);
  NEAR_LINES(next.b, 16, 8, 2);
  _tile_loadd(7, at.b + 16, LM_PANEL * 4);
  NEAR_LINES(next.a0, 0, 4, 1);
  _tile_dpbf16ps(0, 4, 6);
  NEAR_LINES(next.a0, 4, 4, 1);
  _tile_loadd(5, at.a1, 64);
  NEAR_LINES(next.a0, 8, 8, 1);
  _tile_dpbf16ps(1, 4, 7);
  NEAR_LINES(next.a1, 0, 8, 1);
  _tile_dpbf16ps(2, 5, 6);
  NEAR_LINES(next.a1, 8, 8, 1);
  _tile_dpbf16ps(3, 5, 7);
}

/// As `step` for one row tile, as when text is generated: every line of B is read once.
INLINE void half_step(tiles_at at, tiles_at next) {
  _tile_loadd(4, at.a0, 64);
  NEAR_LINES(next.b, 0, 8, 1);
  _tile_loadd(6, at.b, LM_PANEL * 4);
  NEAR_LINES(next.b, 8, 8, 1);
  _tile_loadd(7, at.b + 16, LM_PANEL * 4);
  NEAR_LINES(next.b, 16, 8, 1);
  _tile_dpbf16ps(0, 4, 6);
  NEAR_LINES(next.b, 24, 8, 1);
  _tile_dpbf16ps(1, 4, 7);
}

/// `k` products, with `lines` lines per step from `ahead` on asked for into the second-level cache; `last`: what is
/// read after them.
INLINE void steps(bool both, long k, tiles_at at, tiles_at last, const char *ahead, long lines) {
  for (long p = 0; p < k; p += 32, ahead += lines * 64) {
    for (long line = 0; line < lines; line++) _mm_prefetch(ahead + line * 64, _MM_HINT_T1);
    tiles_at next = {at.a0 + 512, at.a1 + 512, at.b + 16 * LM_PANEL};
    if (p + 32 >= k) next = last;
    if (both)
      step(at, next);
    else
      half_step(at, next);
    at = next;
  }
}

INLINE void run(bool both, const lm_tiles_job *job) {
  size_t from = (size_t)job->from_stride * 4, to = (size_t)job->to_stride * 4;
  if (job->from) {
    _tile_loadd(0, job->from, from);
    _tile_loadd(1, job->from + 16, from);
    if (both) {
      _tile_loadd(2, job->from + 16 * job->from_stride, from);
      _tile_loadd(3, job->from + 16 * job->from_stride + 16, from);
    }
  } else {
    _tile_zero(0);
    _tile_zero(1);
    if (both) {
      _tile_zero(2);
      _tile_zero(3);
    }
  }
  const uint16_t *last = both ? job->a1 : job->a0;
  // The next rows lie behind these, and B is read again.
  tiles_at at = {job->a0, last, job->b}, after = {last + job->k * 16, last + 2 * job->k * 16, job->b};
  if (job->k2) {
    tiles_at second = {job->a2, both ? job->a2 + job->k2 * 16 : job->a2, job->b2};
    steps(both, job->k, at, second, job->ahead, job->lines);
    steps(both, job->k2, second, after, NULL, 0);
  } else {
    steps(both, job->k, at, after, job->ahead, job->lines);
  }
  _tile_stored(0, job->to, to);
  _tile_stored(1, job->to + 16, to);
  if (both) {
    _tile_stored(2, job->to + 16 * job->to_stride, to);
    _tile_stored(3, job->to + 16 * job->to_stride + 16, to);
  }
}

static void run_tiles(const lm_tiles_job *job) {
  if (job->a1)
    run(true, job);
  else
    run(false, job);
}

void lm_tiles_add(const float *sums, const lm_block *block) {
  const long rows = block->rows, ldc = block->c_stride;
  const float *bias = block->bias;
  const bool accumulate = block->accumulate;
  float *c = block->c;
  __m512 zero = _mm512_setzero_ps(), low = bias ? _mm512_loadu_ps(bias) : zero,
         high = bias ? _mm512_loadu_ps(bias + 16) : zero;
  for (long r = 0; r < rows; r++, c += ldc, sums += LM_PANEL) {
    __m512 first = _mm512_add_ps(_mm512_loadu_ps(sums), low), second = _mm512_add_ps(_mm512_loadu_ps(sums + 16), high);
    _mm512_storeu_ps(c, accumulate ? _mm512_add_ps(_mm512_loadu_ps(c), first) : first);
    _mm512_storeu_ps(c + 16, accumulate ? _mm512_add_ps(_mm512_loadu_ps(c + 16), second) : second);
  }
}

void lm_tiles_stream(const float *sums, long rows, float *c, long ldc) {
  for (long r = 0; r < rows; r++) {
    _mm512_stream_ps(c + r * ldc, _mm512_load_ps(sums + r * LM_PANEL));
    _mm512_stream_ps(c + r * ldc + 16, _mm512_load_ps(sums + r * LM_PANEL + 16));
  }
}

// Ones times ones over 32 products: exits 0 when every sum is 32.
static void probe(void) {
  static uint16_t left[16 * 32] __attribute__((aligned(64)));
  static uint32_t right[16 * LM_PANEL] __attribute__((aligned(64)));
  static float sums[16 * 32];
  for (int i = 0; i < 16 * 32; i++) left[i] = 0x3f80;
  for (int i = 0; i < 16 * LM_PANEL; i++) right[i] = 0x3f803f80;
  lm_tiles_begin();
  lm_tiles_job job = {.k = 32, .a0 = left, .b = right, .to = sums, .to_stride = 32};
  run_tiles(&job);
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
static void run_tiles(const lm_tiles_job *job) { (void)job; }  // never called: tiles are emulated
void lm_tiles_add(const float *sums, const lm_block *block) { (void)sums, (void)block; }  // never called
void lm_tiles_stream(const float *sums, long rows, float *c, long ldc) {
  for (long r = 0; r < rows; r++) memcpy(c + r * ldc, sums + r * LM_PANEL, LM_PANEL * 4);
}
void lm_pack_tiles(const lm_left_part *part, uint16_t *out) { lm_table_portable.pack_a_tiles(part, out); }
#endif

static float emulated_sum(float sum, long k, const uint16_t *a, const uint32_t *b) {
  for (long p = 0; p < k; p += 2) {
    const uint16_t *left = a + p / 32 * 512 + p % 32;
    uint32_t right = b[p / 2 * LM_PANEL];
    sum += lm_from_bf16(left[0]) * lm_from_bf16((uint16_t)right);
    sum += lm_from_bf16(left[1]) * lm_from_bf16((uint16_t)(right >> 16));
  }
  return sum;
}

static void run_emulated(const lm_tiles_job *job) {
  for (int i = 0; i < (job->a1 ? 32 : 16); i++) {
    const uint16_t *a = i < 16 ? job->a0 + i * 32 : job->a1 + (i - 16) * 32;
    const uint16_t *a2 = job->k2 ? job->a2 + i / 16 * job->k2 * 16 + i % 16 * 32 : NULL;
    for (int j = 0; j < 32; j++) {
      float sum = job->from ? job->from[i * job->from_stride + j] : 0.f;
      sum = emulated_sum(sum, job->k, a, job->b + j);
      if (a2) sum = emulated_sum(sum, job->k2, a2, job->b2 + j);
      job->to[i * job->to_stride + j] = sum;
    }
  }
}

void lm_tiles_run(const lm_tiles_job *job, bool emulated) {
  if (emulated)
    run_emulated(job);
  else
    run_tiles(job);
}
