// Log marginal likelihood of a Gaussian process with Matern-5/2 ARD kernel and its gradient, double precision.
//
// Symbols (K. Eriksson and M. Jankowiak, "High-dimensional Bayesian optimization with sparse axis-aligned subspaces",
// UAI 2021; SAAS-GP as in BoTorch):
//   N points x_i in R^D, values y_i; outputscale s, mean m, noise variance nu_i, inverse squared lengthscales rho_d
//   d2_ij = sum_d rho_d (x_id - x_jd)^2, r = sqrt(5 d2), k = (1 + r + 5/3 d2) exp(-r), K = s k + diag(nu)
//   log likelihood = -1/2 (y - m)' K^-1 (y - m) - 1/2 log det K - N/2 log 2 pi
#pragma once
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The data of one outcome with the work space of one evaluator; not to be shared between threads.
typedef struct engram_saas engram_saas;

/// Versions of the kernels: 0 portable, 1 AVX2 with FMA, 2 AVX-512.
enum { EngramSaasPortable = 0, EngramSaasAVX2 = 1, EngramSaasAVX512 = 2 };

/// The best version that this processor runs.
int engram_saas_best_version(void);

/// Prepares N >= 1 points (n x d, row-major, finite) and values. `variance` holds N known noise variances that are
/// added to the diagonal, or is NULL. A version that this processor cannot run is replaced by the best one that it can.
/// Returns NULL when memory is exhausted.
engram_saas *engram_saas_create(int n, int d, const double *x, const double *y, const double *variance, int version);
void engram_saas_destroy(engram_saas *state);

/// The log likelihood at (s, m, noise, rho); `noise` is added to every diagonal element. Minus infinity, and no
/// gradient, when K is not numerically positive definite or a number is not finite.
/// `gradient` (3 + d) receives the derivatives by log s, m, noise, log rho_1 ... log rho_d.
double engram_saas_evaluate(engram_saas *state, double s, double m, double noise, const double *rho, double *gradient);

/// Cross covariance s k(A, B), m x n. Points are feature-major and already scaled by sqrt(rho): element (d, i) of A is
/// a[d * lda + i]. Rows m and columns n are multiples of 8, `out` is row-major with leading dimension n.
void engram_matern52_cross(int m, int n, int d, const double *a, int lda, const double *b, int ldb, double s,
                           double *out);

/// Runs `rounds` x 192 floating-point operations of independent multiply-adds in registers, to measure the limit of one
/// core. The result only keeps the work from being removed.
double engram_saas_multiply_add(long rounds, int version);

#ifdef __cplusplus
}
#endif
