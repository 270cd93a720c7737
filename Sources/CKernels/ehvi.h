// What the versions of the expected hypervolume improvement have in common; not public.
//
// h(z) = phi(z) + z Phi(z) is evaluated through the Mills ratio R(t) = sqrt(pi/2) erfcx(t/sqrt 2): for t = |z|,
// h(-t) = phi(t) (1 - t R(t)) and h(t) = t + h(-t). (1 + 2x) erfcx(x) is a polynomial in (x - 3.75)/(x + 3.75)
// (M. M. Shepherd, J. G. Laframboise, "Chebyshev approximation of (1 + 2x) exp(x^2) erfc x in 0 <= x < inf", Math.
// Comp. 36 (1981); coefficients recomputed with 50 digits, degree 24, relative error below 3e-16).
#pragma once
#include <stdlib.h>
#include <string.h>

#include "ehvi_kernels.h"
#include "kernel_template.h"

#define EHVI_TILE 64

/// The arguments of ehvi_accumulate. `widest`: most thresholds of one (outcome, sample).
typedef struct {
  int objectives, candidates, baseline, samples, widest;
  const double *posterior, *factors, *floors, *thresholds;
  const int32_t *threshold_start, *cell_start, *cells;
  double *sum;
} ehvi_problem;

/// Candidates first ..< first + width (<= EHVI_TILE); work: see the kernel.
typedef void ehvi_tile_kernel(const ehvi_problem *problem, int first, int width, double *work);
ehvi_tile_kernel ehvi_tile_portable, ehvi_tile_avx2, ehvi_tile_avx512;

// exp(x) for x <= 0; 0 below -700.
INLINE double ehvi_exp(double x) {
  double y = x < -700.0 ? -700.0 : x;
  double magic = 6755399441055744.0;
  double shifted = y * 1.4426950408889634074 + magic;
  double n = shifted - magic;
  double r = y - n * 6.93147180369123816490e-01;
  r = r - n * 1.90821492927058770002e-10;
  double p = 1.6059043836821613e-10;
  p = p * r + 2.0876756987868099e-09;
  p = p * r + 2.5052108385441719e-08;
  p = p * r + 2.7557319223985891e-07;
  p = p * r + 2.7557319223985893e-06;
  p = p * r + 2.4801587301587302e-05;
  p = p * r + 1.9841269841269841e-04;
  p = p * r + 1.3888888888888889e-03;
  p = p * r + 8.3333333333333333e-03;
  p = p * r + 4.1666666666666667e-02;
  p = p * r + 1.6666666666666667e-01;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  int64_t bits, power;
  memcpy(&power, &shifted, 8);
  memcpy(&bits, &p, 8);
  bits += (int64_t)((uint64_t)power << 52);
  memcpy(&p, &bits, 8);
  return x < -700.0 ? 0.0 : p;
}

// h(-t) = phi(t) (1 - t R(t)) for t >= 0.
INLINE double ehvi_tail(double t) {
  double x = t * 0.70710678118654752440;
  double a = x + 3.75, b = 1.0 + 2.0 * x;
  double d = 1.0 / (a * b);
  double q = (x - 3.75) * b * d;
  double p = 4.25147144479638952074e-10;
  p = p * q + 3.11143338097992544727e-10;
  p = p * q - 5.17399021401130954324e-09;
  p = p * q - 3.74421008096201827253e-09;
  p = p * q + 3.86753342422223536225e-08;
  p = p * q + 2.32635087088591238380e-08;
  p = p * q - 2.58668507161558839137e-07;
  p = p * q - 5.72182306032240859488e-08;
  p = p * q + 1.75163764884906209246e-06;
  p = p * q - 9.73559896736774970096e-07;
  p = p * q - 1.14441462377005235147e-05;
  p = p * q + 2.23842391550822305613e-05;
  p = p * q + 5.16490988926824066757e-05;
  p = p * q - 2.90154080540841723818e-04;
  p = p * q + 2.93713665591344814335e-04;
  p = p * q + 1.75562585289529542870e-03;
  p = p * q - 9.74657955802927557232e-03;
  p = p * q + 2.83622774189564059999e-02;
  p = p * q - 5.86933985896367707569e-02;
  p = p * q + 9.23043211603774838014e-02;
  p = p * q - 1.08803930141748855798e-01;
  p = p * q + 8.22767384901452042412e-02;
  p = p * q + 3.58541548546442928949e-03;
  p = p * q - 1.40240598585546966115e-01;
  p = p * q + 1.23751263083782747643e+00;
  double mills = 1.25331413731550025121 * (p * a * d);
  double h = 0.39894228040143267794 * ehvi_exp(-0.5 * t * t) * (1.0 - t * mills);
  return h > 0 ? h : 0;
}
