// One version of the log likelihood and its gradient. The including file defines SAAS_TABLE (the name of the exported
// table), SAAS_ROWS and SAAS_COLUMNS (the register tile: rows x 8-lane column vectors) and the target attribute.
//
// Steps: Gram matrix of the scaled points by register tiles on the lower triangle; Matern value and derivative in one
// pass; inverse by an in-place block sweep (pivot blocks of 8):
//   D = A_pp = L L', M = L^-1, Z_i = A_ip M', A_ij -= Z_i Z_j' (i >= j; i, j != p), A_ip = Z_i M, A_pp = -D^-1,
// after all pivots A = -K^-1. The symmetric Z Z' keeps the digits that A_ip D^-1 A_pj loses on ill-conditioned K.
#include <string.h>

#include "saas_state.h"

// Functions with vectors in their signature are always inlined, so that their calling convention does not matter.
#pragma clang diagnostic ignored "-Wpsabi"

typedef double vec __attribute__((vector_size(64), aligned(8)));
typedef long long veci __attribute__((vector_size(64), aligned(8)));

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

INLINE vec splat(double x) { return (vec){x, x, x, x, x, x, x, x}; }
INLINE vec load(const double *p) { return *(const vec *)p; }
INLINE void store(double *p, vec v) { *(vec *)p = v; }
INLINE double sum(vec v) { return ((v[0] + v[4]) + (v[1] + v[5])) + ((v[2] + v[6]) + (v[3] + v[7])); }

// exp(x) for x <= 0 to about 1 ulp; below -700 as exp(-700). Range reduction by ln 2, Taylor series to degree 12.
INLINE vec exp_negative(vec x) {
  x = __builtin_elementwise_max(x, splat(-700.0));
  vec shifted = x * splat(1.4426950408889634) + splat(0x1.8p52);
  vec n = shifted - splat(0x1.8p52);
  vec f = x - n * splat(0x1.62e42fefa3800p-1);
  f = f - n * splat(0x1.ef35793c76730p-45);
  vec p = splat(1.0 / 479001600);
  p = p * f + splat(1.0 / 39916800);
  p = p * f + splat(1.0 / 3628800);
  p = p * f + splat(1.0 / 362880);
  p = p * f + splat(1.0 / 40320);
  p = p * f + splat(1.0 / 5040);
  p = p * f + splat(1.0 / 720);
  p = p * f + splat(1.0 / 120);
  p = p * f + splat(1.0 / 24);
  p = p * f + splat(1.0 / 6);
  p = p * f + splat(0.5);
  p = p * f + splat(1.0);
  p = p * f + splat(1.0);
  return (vec)((veci)p + ((veci)shifted << 52));
}

enum { TileAssign, TileSubtract };

// C (rows x 8 columns vectors) = or -= sum over k < depth of A(r, k) B(k, :), A(r, k) = a[r * ar + k * ak].
INLINE void tile(const int rows, const int columns, int depth, const double *a, ptrdiff_t ar, ptrdiff_t ak,
                 const double *b, ptrdiff_t ldb, double *c, ptrdiff_t ldc, const int mode) {
  // A difference is summed with its sign turned: subtracting products makes the compiler negate every element of A.
  vec acc[8][2];
  UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < columns; v++) acc[r][v] =
      mode == TileSubtract ? -load(c + r * ldc + 8 * v) : splat(0);
  for (int k = 0; k < depth; k++) {
    vec right[2];
    UNROLL for (int v = 0; v < columns; v++) right[v] = load(b + k * ldb + 8 * v);
    UNROLL for (int r = 0; r < rows; r++) {
      vec left = splat(a[r * ar + k * ak]);
      UNROLL for (int v = 0; v < columns; v++) acc[r][v] += left * right[v];
    }
  }
  UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < columns; v++)
      store(c + r * ldc + 8 * v, mode == TileSubtract ? -acc[r][v] : acc[r][v]);
}

// Eight rows of C over the 8-column tiles first ..< last.
INLINE void tile_row(int first, int last, const int constant_depth, int depth, const double *a, ptrdiff_t ar,
                     ptrdiff_t ak, const double *b, ptrdiff_t ldb, double *c, ptrdiff_t ldc, const int mode) {
  int k = constant_depth ? constant_depth : depth;
  for (int r = 0; r < 8; r += SAAS_ROWS) {
    int j = first;
    for (; j + SAAS_COLUMNS <= last; j += SAAS_COLUMNS)
      tile(SAAS_ROWS, SAAS_COLUMNS, k, a + r * ar, ar, ak, b + 8 * j, ldb, c + r * ldc + 8 * j, ldc, mode);
    for (; j < last; j++) tile(SAAS_ROWS, 1, k, a + r * ar, ar, ak, b + 8 * j, ldb, c + r * ldc + 8 * j, ldc, mode);
  }
}

INLINE void transpose(vec v[8]) {
  vec a[8], b[8];
  UNROLL for (int i = 0; i < 8; i += 2) {
    a[i] = __builtin_shufflevector(v[i], v[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
    a[i + 1] = __builtin_shufflevector(v[i], v[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
  }
  UNROLL for (int i = 0; i < 8; i += 4) UNROLL for (int k = 0; k < 2; k++) {
    b[i + k] = __builtin_shufflevector(a[i + k], a[i + k + 2], 0, 1, 8, 9, 4, 5, 12, 13);
    b[i + k + 2] = __builtin_shufflevector(a[i + k], a[i + k + 2], 2, 3, 10, 11, 6, 7, 14, 15);
  }
  UNROLL for (int k = 0; k < 4; k++) {
    v[k] = __builtin_shufflevector(b[k], b[k + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    v[k + 4] = __builtin_shufflevector(b[k], b[k + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}

// Matern value into g (in: dot products) and H = s 5/6 (1 + r) exp(-r) into h, for one row against tiles 0 ..< count.
INLINE void matern_row(int count, double norm, const double *norms, double s, double *g, double *h) {
  for (int j = 0; j < 8 * count; j += 8) {
    vec d2 = __builtin_elementwise_max((splat(norm) + load(norms + j)) - 2.0 * load(g + j), splat(0));
    vec r2 = 5.0 * d2;
    vec r = __builtin_elementwise_sqrt(r2);
    vec e = s * exp_negative(-r);
    vec f = (r + 1.0) * e;
    if (h) store(h + j, f * (5.0 / 6.0));
    store(g + j, f + r2 * (e * (1.0 / 3.0)));
  }
}

// K into a (lower triangle of tiles, full diagonal tiles) and H into h (strictly lower, the rest of diagonal tiles 0).
static void covariance(engram_saas *state, double s, double noise, const double *rho) {
  int n = state->n, np = state->np, d = state->d;
  ptrdiff_t ld = state->ld;
  double *norm = state->norm, *zt = state->zt;
  memset(norm, 0, sizeof(double) * (size_t)ld);
  for (int k = 0; k < d; k++) {
    double scale = sqrt(rho[k]);
    for (int i = 0; i < np; i += 8) {
      vec z = scale * load(state->xt + k * ld + i);
      store(zt + k * ld + i, z);
      store(norm + i, load(norm + i) + z * z);
    }
  }
  for (int i = 0; i < np; i += 8) {
    double *a = state->a + i * ld, *h = state->h + i * ld;
    tile_row(0, i / 8 + 1, 0, d, zt + i, 1, ld, zt, ld, a, ld, TileAssign);
    for (int r = 0; r < 8; r++) {
      matern_row(i / 8 + 1, norm[i + r], norm, s, a + r * ld, h + r * ld);
      for (int c = r; c < 8; c++) h[r * ld + i + c] = 0;
      a[r * ld + i + r] = s + (noise + state->extra[i + r]);
    }
    for (int r = 0; r < 8; r++)
      for (int c = r + 1; c < 8; c++) a[r * ld + i + c] = a[c * ld + i + r];
  }
  for (int k = 0; k < state->duplicates; k++) {
    int i = state->pairs[2 * k], j = state->pairs[2 * k + 1];
    state->a[i * ld + j] = s;
    state->h[i * ld + j] = 0;
    if (i / 8 == j / 8) state->a[j * ld + i] = s;
  }
  for (int i = n; i < np; i++) {
    memset(state->a + i * ld, 0, sizeof(double) * (size_t)np);
    memset(state->h + i * ld, 0, sizeof(double) * (size_t)np);
    state->a[i * ld + i] = 1;
    for (int r = np - 8; r < np; r++)
      if (r != i) state->a[r * ld + i] = state->h[r * ld + i] = 0;
  }
}

// L L' = D (8 x 8), m = L^-1 (lower, row-major); the product of the pivots, or 0 when one is not positive.
INLINE double factor_block(const double *block, ptrdiff_t ld, double m[8][8]) {
  double l[8][8], product = 1;
  for (int i = 0; i < 8; i++)
    for (int j = 0; j <= i; j++) l[i][j] = block[i * ld + j];
  memset(m, 0, sizeof(double) * 64);
  for (int k = 0; k < 8; k++) {
    double pivot = l[k][k];
    if (!(pivot > 0) || !(pivot < INFINITY)) return 0;
    product *= pivot;
    double inverse = 1 / sqrt(pivot);
    // Row k of M: (e_k - sum_{j<k} l_kj m_j) / l_kk; columns of L below.
    vec row = {0};
    for (int j = 0; j < k; j++) row -= l[k][j] * load(m[j]);
    row *= inverse;
    store(m[k], row);
    m[k][k] = inverse;
    for (int i = k + 1; i < 8; i++) l[i][k] *= inverse;
    for (int i = k + 1; i < 8; i++)
      for (int j = k + 1; j <= i; j++) l[i][j] -= l[i][k] * l[j][k];
  }
  return product;
}

// One column vector of the panel: in C' (rows of A_pj), out Z' = M C' to `z` and D^-1 C' in place.
INLINE void panel_vector(double m[8][8], vec c[8], double *z, ptrdiff_t ld) {
  vec y[8];
  UNROLL for (int k = 0; k < 8; k++) {
    vec t = m[k][0] * c[0];
    UNROLL for (int l = 1; l <= k; l++) t += m[k][l] * c[l];
    y[k] = t;
    store(z + k * ld, t);
  }
  UNROLL for (int k = 0; k < 8; k++) {
    vec t = m[k][k] * y[k];
    UNROLL for (int l = k + 1; l < 8; l++) t += m[l][k] * y[l];
    c[k] = t;
  }
}

// The panel of pivot block p: Z' to `z` and D^-1 C' in place; the product of the pivots, or 0. `m` = L^-1.
INLINE double panel(engram_saas *state, int p, double m[8][8], double *z) {
  int np = state->np;
  ptrdiff_t ld = state->ld;
  double *pivot = state->a + p * ld;
  double product = factor_block(pivot + p, ld, m);
  if (!(product > 0) || !(product < INFINITY)) return 0;
  vec c[8];
  for (int j = 0; j < p; j += 8) {
    UNROLL for (int k = 0; k < 8; k++) c[k] = load(pivot + k * ld + j);
    panel_vector(m, c, z + j, ld);
    UNROLL for (int k = 0; k < 8; k++) store(pivot + k * ld + j, c[k]);
  }
  for (int i = p + 8; i < np; i += 8) {
    double *block = state->a + i * ld + p;
    UNROLL for (int k = 0; k < 8; k++) c[k] = load(block + k * ld);
    transpose(c);
    panel_vector(m, c, z + i, ld);
    transpose(c);
    UNROLL for (int k = 0; k < 8; k++) store(block + k * ld, c[k]);
  }
  return product;
}

// The pivot block itself: -D^-1 = -M' M.
INLINE void close_pivot(engram_saas *state, int p, double m[8][8]) {
  for (int r = 0; r < 8; r++) {
    vec row = {0};
    for (int l = r; l < 8; l++) row -= m[l][r] * load(m[l]);
    store(state->a + (p + r) * state->ld + p, row);
  }
}

// A_ij -= Z_i Z_j' for the blocks of row and column b (i >= j), except with block `other` (-1: none).
static void update_cross(engram_saas *state, int b, int other, const double *z) {
  ptrdiff_t ld = state->ld;
  for (int j = 0; j <= b; j++)
    if (j != other)
      tile_row(j, j + 1, 8, 8, z + 8 * b, 1, ld, z, ld, state->a + 8 * b * ld, ld, TileSubtract);
  for (int i = b + 1; i < state->np / 8; i++)
    if (i != other)
      tile_row(b, b + 1, 8, 8, z + 8 * i, 1, ld, z, ld, state->a + 8 * i * ld, ld, TileSubtract);
}

// A_ij -= Z_i Z_j' over `depth` rows of Z for all i >= j outside the blocks first ..< last.
INLINE void update_rest(engram_saas *state, int first, int last, const int depth, const double *z) {
  ptrdiff_t ld = state->ld;
  for (int i = 0; i < state->np / 8; i++) {
    if (i >= first && i < last) continue;
    const double *left = z + 8 * i;
    double *row = state->a + 8 * i * ld;
    if (i < first) {
      tile_row(0, i + 1, depth, depth, left, 1, ld, z, ld, row, ld, TileSubtract);
    } else {
      tile_row(0, first, depth, depth, left, 1, ld, z, ld, row, ld, TileSubtract);
      tile_row(last, i + 1, depth, depth, left, 1, ld, z, ld, row, ld, TileSubtract);
    }
  }
}

// a: K -> -K^-1; the log determinant of K through `logdet`. 0 when K is not positive definite.
//
// Two pivot blocks p, q at a time, so that the matrix, which the first-level cache does not hold, is gone through half as
// often: row and column q are brought up to date with Z of p, then everything outside p and q with Z of both in one pass,
// then row and column p with Z of q.
static int sweep(engram_saas *state, double *logdet) {
  int np = state->np;
  ptrdiff_t ld = state->ld;
  double *z = state->panel, total = 0;
  double m[8][8] __attribute__((aligned(64)));
  for (int p = 0; p < np; p += 16) {
    int b = p / 8;
    double product = panel(state, p, m, z);
    if (product == 0) return 0;
    total += log(product);
    if (p + 8 == np) {
      update_rest(state, b, b + 1, 8, z);
      close_pivot(state, p, m);
      break;
    }
    update_cross(state, b + 1, b, z);
    close_pivot(state, p, m);
    product = panel(state, p + 8, m, z + 8 * ld);
    if (product == 0) return 0;
    total += log(product);
    update_rest(state, b, b + 2, 16, z);
    update_cross(state, b, b + 1, z + 8 * ld);
    close_pivot(state, p + 8, m);
  }
  *logdet = total;
  return 1;
}

// out = A v for the symmetric A whose lower tiles are stored (diagonal tiles full).
static void symmetric_product(const engram_saas *state, const double *v, double *out) {
  int np = state->np;
  ptrdiff_t ld = state->ld;
  memset(out, 0, sizeof(double) * (size_t)np);
  for (int i = 0; i < np; i += 8) {
    const double *a = state->a + i * ld;
    vec acc[8];
    UNROLL for (int r = 0; r < 8; r++) acc[r] = load(a + r * ld + i) * load(v + i);
    for (int j = 0; j < i; j += 8) {
      vec right = load(v + j), column = load(out + j);
      UNROLL for (int r = 0; r < 8; r++) {
        vec element = load(a + r * ld + j);
        acc[r] += element * right;
        column += element * v[i + r];
      }
      store(out + j, column);
    }
    transpose(acc);
    vec rows = ((acc[0] + acc[1]) + (acc[2] + acc[3])) + ((acc[4] + acc[5]) + (acc[6] + acc[7]));
    store(out + i, load(out + i) + rows);
  }
}

// h: H -> W = -G H with G = (alpha alpha' - K^-1) / 2; omega = row sums of W + W'.
static void weights(engram_saas *state) {
  int np = state->np;
  ptrdiff_t ld = state->ld;
  const double *alpha = state->alpha;
  double *omega = state->omega;
  memset(omega, 0, sizeof(double) * (size_t)np);
  for (int i = 0; i < np; i += 8) {
    const double *a = state->a + i * ld;
    double *h = state->h + i * ld;
    vec acc[8];
    UNROLL for (int r = 0; r < 8; r++) acc[r] = splat(0);
    for (int j = 0; j <= i; j += 8) {
      vec right = load(alpha + j), column = load(omega + j);
      UNROLL for (int r = 0; r < 8; r++) {
        vec g = load(a + r * ld + j) + alpha[i + r] * right;
        vec w = (g * -0.5) * load(h + r * ld + j);
        store(h + r * ld + j, w);
        acc[r] += w;
        column += w;
      }
      store(omega + j, column);
    }
    // The product below reads pairs of tile columns: the tile right of every even diagonal tile is zero.
    if (i / 8 % 2 == 0 && i + 8 < np)
      UNROLL for (int r = 0; r < 8; r++) store(h + r * ld + i + 8, splat(0));
    transpose(acc);
    vec rows = ((acc[0] + acc[1]) + (acc[2] + acc[3])) + ((acc[4] + acc[5]) + (acc[6] + acc[7]));
    store(omega + i, load(omega + i) + rows);
  }
}

INLINE void weighted_rows(const int rows, int k, engram_saas *state) {
  int np = state->np;
  ptrdiff_t ld = state->ld;
  for (int j = 0; j < np; j += 16) {
    const double *w = state->h + j * ld + j, *x = state->xt + k * ld + j;
    double *out = state->zt + k * ld + j;
    if (SAAS_COLUMNS == 2 && j + 8 < np) {
      tile(rows, 2, np - j, x, ld, 1, w, ld, out, ld, TileAssign);
    } else {
      tile(rows, 1, np - j, x, ld, 1, w, ld, out, ld, TileAssign);
      if (j + 8 < np) tile(rows, 1, np - j - 8, x + 8, ld, 1, w + 8 * ld + 8, ld, out + 8, ld, TileAssign);
    }
  }
}

// gradient by log rho_d: rho_d 2 sum_j x_dj (omega_j x_dj - 2 (W x)_dj).
static void feature_gradient(engram_saas *state, const double *rho, double *gradient) {
  int d = state->d, k = 0;
  ptrdiff_t ld = state->ld;
  for (; k + SAAS_ROWS <= d; k += SAAS_ROWS) weighted_rows(SAAS_ROWS, k, state);
  for (; k + 4 <= d; k += 4) weighted_rows(4, k, state);
  for (; k + 2 <= d; k += 2) weighted_rows(2, k, state);
  for (; k < d; k++) weighted_rows(1, k, state);
  for (k = 0; k < d; k++) {
    vec total = {0};
    for (int j = 0; j < state->np; j += 8) {
      vec x = load(state->xt + k * ld + j);
      total += x * (load(state->omega + j) * x - 2.0 * load(state->zt + k * ld + j));
    }
    gradient[k] = rho[k] * (2 * sum(total));
  }
}

static double evaluate(engram_saas *state, double s, double m, double noise, const double *rho, double *gradient) {
  int n = state->n, np = state->np;
  ptrdiff_t ld = state->ld;
  covariance(state, s, noise, rho);
  double logdet;
  if (!sweep(state, &logdet)) return -INFINITY;
  double *residual = state->residual, *alpha = state->alpha;
  for (int i = 0; i < np; i++) residual[i] = i < n ? state->y[i] - m : 0;
  symmetric_product(state, residual, alpha);
  double quadratic = 0, total = 0, trace = 0, diagonal = 0;
  for (int i = 0; i < n; i++) {
    alpha[i] = -alpha[i];
    double g = 0.5 * (alpha[i] * alpha[i] + state->a[i * ld + i]);
    quadratic += alpha[i] * residual[i];
    total += alpha[i];
    trace += g;
    diagonal += g * (noise + state->extra[i]);
  }
  double value = -0.5 * quadratic - 0.5 * logdet - n * 0.91893853320467274178;
  if (!(value > -INFINITY && value < INFINITY)) return -INFINITY;
  weights(state);
  gradient[0] = 0.5 * (quadratic - n) - diagonal;
  gradient[1] = total;
  gradient[2] = trace;
  feature_gradient(state, rho, gradient + 3);
  return value;
}

static void cross(int m, int n, int d, const double *a, int lda, const double *b, int ldb, double s, double *out) {
  double norms[512] __attribute__((aligned(64)));
  // Column blocks of 512 keep the norms on the stack and the points of B in the cache.
  for (int j = 0; j < n; j += 512) {
    int width = n - j < 512 ? n - j : 512;
    memset(norms, 0, sizeof norms);
    for (int k = 0; k < d; k++)
      for (int c = 0; c < width; c += 8) {
        vec z = load(b + (ptrdiff_t)k * ldb + j + c);
        store(norms + c, load(norms + c) + z * z);
      }
    for (int i = 0; i < m; i += 8) {
      double *c = out + (ptrdiff_t)i * n + j;
      tile_row(0, width / 8, 0, d, a + i, 1, lda, b + j, ldb, c, n, TileAssign);
      for (int r = 0; r < 8; r++) {
        double norm = 0;
        for (int k = 0; k < d; k++) norm += a[(ptrdiff_t)k * lda + i + r] * a[(ptrdiff_t)k * lda + i + r];
        matern_row(width / 8, norm, norms, s, c + (ptrdiff_t)r * n, NULL);
      }
    }
  }
}

// Independent chains of multiply-adds in registers: 12 x 8 lanes x 2 operations a round.
static double multiply_add(long rounds) {
  vec acc[12], scale = splat(0.999999), shift = splat(1e-9);
  UNROLL for (int i = 0; i < 12; i++) acc[i] = splat(i);
  for (long k = 0; k < rounds; k++) {
    UNROLL for (int i = 0; i < 12; i++) acc[i] = acc[i] * scale + shift;
  }
  vec total = splat(0);
  UNROLL for (int i = 0; i < 12; i++) total += acc[i];
  return sum(total);
}

const engram_saas_table SAAS_TABLE = {evaluate, cross, multiply_add};
