// Expected hypervolume improvement over batches of candidates: choice of the instruction set at run time.
#include "ehvi.h"

static ehvi_tile_kernel *best_kernel(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw"))
    return ehvi_tile_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return ehvi_tile_avx2;
#endif
  return ehvi_tile_portable;
}

int ehvi_accumulate(int objectives, int candidates, int baseline, int samples, const double *posterior,
                    const double *factors, const double *floors, const int32_t *threshold_start,
                    const double *thresholds, const int32_t *cell_start, const int32_t *cells, double *sum) {
  ehvi_problem problem = {.objectives = objectives, .candidates = candidates, .baseline = baseline,
                          .samples = samples, .widest = 1, .posterior = posterior, .factors = factors,
                          .floors = floors, .thresholds = thresholds, .threshold_start = threshold_start,
                          .cell_start = cell_start, .cells = cells, .sum = sum};
  for (int i = 0; i < objectives * samples; i++) {
    int count = threshold_start[i + 1] - threshold_start[i];
    if (count > problem.widest) problem.widest = count;
  }
  size_t tiles = (size_t)objectives * (baseline + 3 + problem.widest) + 2;
  double *work = malloc(tiles * EHVI_TILE * sizeof(double));
  if (!work) return -1;
  ehvi_tile_kernel *kernel = best_kernel();
  for (int first = 0; first < candidates; first += EHVI_TILE) {
    int left = candidates - first;
    kernel(&problem, first, left < EHVI_TILE ? left : EHVI_TILE, work);
  }
  free(work);
  return 0;
}

void ehvi_partial_expectations(int count, const double *mean, const double *sd, double c, double *out) {
  for (int i = 0; i < count; i++) {
    double z = (mean[i] - c) / sd[i];
    double h = ehvi_tail(z < 0 ? -z : z);
    out[i] = sd[i] * (z > 0 ? z + h : h);
  }
}
