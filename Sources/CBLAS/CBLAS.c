#include "CBLAS.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void (*sgemm_fn)(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *,
                         int);
typedef void (*dgemm_fn)(int, int, int, int, int, int, double, const double *, int, const double *, int, double,
                         double *, int);
typedef void (*dgemv_fn)(int, int, int, int, double, const double *, int, const double *, int, double, double *, int);
typedef void (*dsyrk_fn)(int, int, int, int, int, double, const double *, int, double, double *, int);
typedef void (*dtrsm_fn)(int, int, int, int, int, int, int, double, const double *, int, double *, int);
typedef void (*dtrsv_fn)(int, int, int, int, int, const double *, int, double *, int);
typedef void (*dpotrf_fn)(const char *, const int *, double *, const int *, int *, size_t);
typedef void (*dtrtri_fn)(const char *, const char *, const int *, double *, const int *, int *, size_t, size_t);
typedef void (*dsyevd_fn)(const char *, const char *, const int *, double *, const int *, double *, double *,
                          const int *, int *, const int *, int *, size_t, size_t);
typedef void (*set_threads_fn)(int);
typedef char *(*text_fn)(void);

static struct {
  sgemm_fn sgemm;
  dgemm_fn dgemm;
  dgemv_fn dgemv;
  dsyrk_fn dsyrk;
  dtrsm_fn dtrsm;
  dtrsv_fn dtrsv;
  dpotrf_fn dpotrf, dpotri;
  dtrtri_fn dtrtri;
  dsyevd_fn dsyevd;
  set_threads_fn set_threads;
  text_fn core, configuration;
} blas;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool opened = false;
static char error_text[512] = "";

static const char *core_for_this_processor(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq"))
    return "SkylakeX";
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
  if (__builtin_cpu_supports("avx")) return "Sandybridge";
#endif
  return NULL;
}

static void *symbol(void *library, const char *name) {
  void *found = dlsym(library, name);
  if (!found && !error_text[0])
    snprintf(error_text, sizeof error_text,
             "libopenblas has no symbol %s: install Debian's package (apt-get install libopenblas-dev)", name);
  return found;
}

static void open_library(void) {
  const char *core = core_for_this_processor();
  if (core && !getenv("OPENBLAS_CORETYPE")) setenv("OPENBLAS_CORETYPE", core, 0);
  static const char *const names[] = {"libopenblas.so.0", "libopenblas.so", "libopenblas.0.dylib"};
  void *library = NULL;
  for (size_t i = 0; i < sizeof names / sizeof *names && !library; i++)
    library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *why = dlerror();
    snprintf(error_text, sizeof error_text, "libopenblas could not be opened (%s): apt-get install libopenblas-dev",
             why ? why : "unknown reason");
    return;
  }
  blas.sgemm = (sgemm_fn)symbol(library, "cblas_sgemm");
  blas.dgemm = (dgemm_fn)symbol(library, "cblas_dgemm");
  blas.dgemv = (dgemv_fn)symbol(library, "cblas_dgemv");
  blas.dsyrk = (dsyrk_fn)symbol(library, "cblas_dsyrk");
  blas.dtrsm = (dtrsm_fn)symbol(library, "cblas_dtrsm");
  blas.dtrsv = (dtrsv_fn)symbol(library, "cblas_dtrsv");
  blas.dpotrf = (dpotrf_fn)symbol(library, "dpotrf_");
  blas.dpotri = (dpotrf_fn)symbol(library, "dpotri_");
  blas.dtrtri = (dtrtri_fn)symbol(library, "dtrtri_");
  blas.dsyevd = (dsyevd_fn)symbol(library, "dsyevd_");
  blas.set_threads = (set_threads_fn)symbol(library, "openblas_set_num_threads");
  blas.core = (text_fn)symbol(library, "openblas_get_corename");
  blas.configuration = (text_fn)symbol(library, "openblas_get_config");
  if (error_text[0]) return;
  blas.set_threads(1);
  opened = true;
}

bool engram_blas_open(void) {
  pthread_once(&once, open_library);
  return opened;
}

const char *engram_blas_error(void) {
  engram_blas_open();
  return error_text;
}

const char *engram_blas_core(void) { return engram_blas_open() ? blas.core() : "none"; }

const char *engram_blas_configuration(void) { return engram_blas_open() ? blas.configuration() : "none"; }

// Numerics without BLAS cannot go on; the message is the one that `engram doctor` prints.
static void require_library(void) {
  if (engram_blas_open()) return;
  fprintf(stderr, "engram: %s\n", error_text);
  exit(1);
}

void engram_blas_set_threads(int threads) {
  require_library();
  blas.set_threads(threads < 1 ? 1 : threads);
}

void engram_sgemm(int order, int transA, int transB, int m, int n, int k, float alpha, const float *a, int lda,
                  const float *b, int ldb, float beta, float *c, int ldc) {
  require_library();
  blas.sgemm(order, transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void engram_dgemm(int order, int transA, int transB, int m, int n, int k, double alpha, const double *a, int lda,
                  const double *b, int ldb, double beta, double *c, int ldc) {
  require_library();
  blas.dgemm(order, transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void engram_dgemv(int order, int trans, int m, int n, double alpha, const double *a, int lda, const double *x,
                  int incx, double beta, double *y, int incy) {
  require_library();
  blas.dgemv(order, trans, m, n, alpha, a, lda, x, incx, beta, y, incy);
}

void engram_dsyrk(int order, int uplo, int trans, int n, int k, double alpha, const double *a, int lda, double beta,
                  double *c, int ldc) {
  require_library();
  blas.dsyrk(order, uplo, trans, n, k, alpha, a, lda, beta, c, ldc);
}

void engram_dtrsm(int order, int side, int uplo, int trans, int diag, int m, int n, double alpha, const double *a,
                  int lda, double *b, int ldb) {
  require_library();
  blas.dtrsm(order, side, uplo, trans, diag, m, n, alpha, a, lda, b, ldb);
}

void engram_dtrsv(int order, int uplo, int trans, int diag, int n, const double *a, int lda, double *x, int incx) {
  require_library();
  blas.dtrsv(order, uplo, trans, diag, n, a, lda, x, incx);
}

int engram_dpotrf(char uplo, int n, double *a, int lda) {
  require_library();
  int info = 0;
  blas.dpotrf(&uplo, &n, a, &lda, &info, 1);
  return info;
}

int engram_dpotri(char uplo, int n, double *a, int lda) {
  require_library();
  int info = 0;
  blas.dpotri(&uplo, &n, a, &lda, &info, 1);
  return info;
}

int engram_dtrtri(char uplo, char diag, int n, double *a, int lda) {
  require_library();
  int info = 0;
  blas.dtrtri(&uplo, &diag, &n, a, &lda, &info, 1, 1);
  return info;
}

int engram_dsyevd(char jobz, char uplo, int n, double *a, int lda, double *w, double *work, int lwork, int *iwork,
                  int liwork) {
  require_library();
  int info = 0;
  blas.dsyevd(&jobz, &uplo, &n, a, &lda, w, work, &lwork, iwork, &liwork, &info, 1, 1);
  return info;
}
