// The choice of the instruction set.
#include <pthread.h>

#include "lm_table.h"
#include "lm_tiles.h"

static int best_isa = LM_PORTABLE;
static pthread_once_t best_once = PTHREAD_ONCE_INIT;

static void find_best_isa(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) best_isa = LM_AVX2;
  if (best_isa == LM_AVX2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    best_isa = LM_AVX512;
    if (__builtin_cpu_supports("avx512bf16")) best_isa = LM_AVX512_BF16;
    if (lm_tiles_available()) best_isa = LM_AMX_BF16;
  }
#endif
}

int lm_best_isa(void) {
  pthread_once(&best_once, find_best_isa);
  return best_isa;
}

const char *lm_isa_name(int isa) {
  static const char *const names[] = {"portable", "avx2", "avx512", "avx512-bf16", "amx-bf16", "amx-emulated"};
  return isa >= 0 && isa <= LM_AMX_EMULATED ? names[isa] : "unknown";
}

const lm_table *lm_table_for(int isa) {
#if defined(__x86_64__)
  if (isa == LM_AMX_EMULATED) return lm_best_isa() >= LM_AVX512 ? &lm_table_avx512 : &lm_table_portable;
  if (isa >= LM_AVX512) return &lm_table_avx512;
  if (isa == LM_AVX2) return &lm_table_avx2;
#else
  (void)isa;
#endif
  return &lm_table_portable;
}
