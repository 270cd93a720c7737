// Expected hypervolume improvement of many candidates, conditional on sampled values at the baseline points.
#pragma once
#include <stdint.h>

/// Adds, for every candidate, the sum over samples s of
///
///   EHVI_s = sum_cells prod_k [g_k(l_k) - g_k(u_k)],   g_k(c) = E[(f_k - c)+ | baseline at sample s],   g_k(inf) = 0,
///
/// to `sum` (candidates). Outcomes k = 0 ..< objectives are independent Gaussians. With the Cholesky factor L (b x b,
/// lower, row-major) of the baseline's covariance and the normals z_s (b) that made sample s:
///
///   V = C L^-T,   mean_s = mean + V z_s,   variance_s = variance - row sums of V^2   (floored at floor_k)
///
/// posterior        for each outcome: mean (m), variance (m), cross covariance C (m x b, row-major)
/// factors          for each outcome: L (b x b), normals (samples x b)
/// floors           smallest conditional variance of each outcome
/// threshold_start  for each outcome, for each sample: start in `thresholds`; one more entry at the end
/// thresholds       ascending thresholds of each (outcome, sample)
/// cell_start       samples + 1 starts in `cells`, in cells
/// cells            for each cell, for each outcome: lower and upper index into that sample's thresholds; upper -1 = inf
///
/// Returns 0, or -1 when memory could not be allocated.
int ehvi_accumulate(int objectives, int candidates, int baseline, int samples, const double *posterior,
                    const double *factors, const double *floors, const int32_t *threshold_start,
                    const double *thresholds, const int32_t *cell_start, const int32_t *cells, double *sum);

/// out[i] = E[(f - c)+] for f ~ N(mean[i], sd[i]^2), to about 1e-15 relative for z > -5; for tests.
void ehvi_partial_expectations(int count, const double *mean, const double *sd, double c, double *out);
