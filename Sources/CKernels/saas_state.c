// Preparation of the data and choice of the kernel's version at run time.
#include "saas_state.h"

#include <stdlib.h>
#include <string.h>

int engram_saas_best_version(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("fma"))
    return EngramSaasAVX512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return EngramSaasAVX2;
#endif
  return EngramSaasPortable;
}

static const engram_saas_table *table(int version) {
#if defined(__x86_64__)
  if (version == EngramSaasAVX512) return &saas_table_avx512;
  if (version == EngramSaasAVX2) return &saas_table_avx2;
#endif
  return &saas_table_portable;
}

// Pairs (i, j), i > j, of equal rows; the number of pairs, or -1 without memory.
static int equal_rows(int n, int d, const double *x, int **pairs) {
  int count = 0, capacity = 0;
  for (int i = 1; i < n; i++)
    for (int j = 0; j < i; j++) {
      int k = 0;
      while (k < d && x[(size_t)i * d + k] == x[(size_t)j * d + k]) k++;
      if (k < d) continue;
      if (count == capacity) {
        capacity = capacity ? 2 * capacity : 64;
        int *grown = realloc(*pairs, sizeof(int) * 2 * (size_t)capacity);
        if (!grown) return -1;
        *pairs = grown;
      }
      (*pairs)[2 * count] = i;
      (*pairs)[2 * count + 1] = j;
      count++;
    }
  return count;
}

engram_saas *engram_saas_create(int n, int d, const double *x, const double *y, const double *variance, int version) {
  if (n < 1 || d < 0) return NULL;
  engram_saas *state = calloc(1, sizeof *state);
  int *pairs = NULL;
  int duplicates = state ? equal_rows(n, d, x, &pairs) : -1;
  int np = (n + 7) / 8 * 8;
  int ld = np % 64 ? np : np + 8;  // a stride of 512 bytes would alias in the cache
  size_t square = (size_t)np * ld, features = (size_t)d * ld;
  double *memory = NULL;
  if (duplicates >= 0)
    memory = aligned_alloc(64, sizeof(double) * (2 * square + 2 * features + 16 * (size_t)ld + 6 * (size_t)ld));
  if (!memory) {
    free(pairs);
    free(state);
    return NULL;
  }
  memset(memory, 0, sizeof(double) * (2 * square + 2 * features + 22 * (size_t)ld));
  double *at = memory;
  state->n = n, state->d = d, state->np = np, state->ld = ld;
  int best = engram_saas_best_version();
  state->version = version < 0 || version > best ? best : version;
  state->duplicates = duplicates, state->pairs = pairs;
  state->a = at, at += square;
  state->h = at, at += square;
  double *xt = at;
  at += features;
  state->zt = at, at += features;
  state->panel = at, at += 16 * (size_t)ld;
  double *values = at, *extra = at + ld;
  at += 2 * (size_t)ld;
  state->norm = at, at += ld;
  state->residual = at, at += ld;
  state->alpha = at, at += ld;
  state->omega = at;
  for (int k = 0; k < d; k++) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += x[(size_t)i * d + k];
    for (int i = 0; i < n; i++) xt[(size_t)k * ld + i] = x[(size_t)i * d + k] - sum / n;
  }
  for (int i = 0; i < n; i++) {
    values[i] = y[i];
    extra[i] = variance ? variance[i] : 0;
  }
  state->xt = xt, state->y = values, state->extra = extra, state->memory = memory;
  return state;
}

void engram_saas_destroy(engram_saas *state) {
  if (!state) return;
  free((void *)state->pairs);
  free(state->memory);
  free(state);
}

double engram_saas_evaluate(engram_saas *state, double s, double m, double noise, const double *rho,
                            double *gradient) {
  return table(state->version)->evaluate(state, s, m, noise, rho, gradient);
}

void engram_matern52_cross(int m, int n, int d, const double *a, int lda, const double *b, int ldb, double s,
                           double *out) {
  table(engram_saas_best_version())->cross(m, n, d, a, lda, b, ldb, s, out);
}

double engram_saas_multiply_add(long rounds, int version) {
  int best = engram_saas_best_version();
  return table(version < 0 || version > best ? best : version)->multiply_add(rounds);
}
