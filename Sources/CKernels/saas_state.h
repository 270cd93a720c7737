// The state behind engram_saas, shared by the versions of the kernel.
#pragma once
#include <math.h>
#include <stddef.h>

#include "saas_kernels.h"

struct engram_saas {
  int n;               // points
  int d;               // features
  int np;              // points, rounded up to a multiple of 8; the padding is an identity block of K
  int ld;              // leading dimension of every array below, >= np
  int version;
  int duplicates;      // pairs of equal points
  const int *pairs;    // duplicates x 2, first > second
  const double *y;     // np
  const double *extra; // np: known noise variances
  const double *xt;    // d x ld: centred points, feature-major
  double *zt;          // d x ld: the same scaled by sqrt(rho); later W X
  double *norm;        // ld: squared norms of scaled points
  double *a;           // np x ld: K, then -K^-1 (lower triangle of 8 x 8 tiles)
  double *h;           // np x ld: H, then W
  double *panel;       // 16 x ld: Z' of two pivot blocks
  double *residual;    // ld: y - m
  double *alpha;       // ld: K^-1 (y - m)
  double *omega;       // ld: row and column sums of W
  void *memory;
};

typedef struct {
  double (*evaluate)(struct engram_saas *, double, double, double, const double *, double *);
  void (*cross)(int, int, int, const double *, int, const double *, int, double, double *);
  double (*multiply_add)(long);
} engram_saas_table;

extern const engram_saas_table saas_table_portable;
#if defined(__x86_64__)
extern const engram_saas_table saas_table_avx2;
extern const engram_saas_table saas_table_avx512;
#endif
