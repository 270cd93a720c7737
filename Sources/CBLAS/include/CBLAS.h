// The part of BLAS and LAPACK that Engram uses, opened from libopenblas on first use.
//
// Why not linked: OpenBLAS picks its kernels while it is being loaded, and on virtual machines that hide parts of
// CPUID it can pick SSE3 kernels on an AVX-512 processor (an eighth of the speed). The choice can only be corrected
// through OPENBLAS_CORETYPE before loading, so the library is opened here, after the variable is set from the
// processor's own features (never when the user has set it).
//
// Matrices are column-major unless a function says otherwise. Sizes are 32-bit, as in Debian's libopenblas.
#pragma once
#include <stdbool.h>

enum { EngramRowMajor = 101, EngramColumnMajor = 102 };
enum { EngramNoTranspose = 111, EngramTranspose = 112 };
enum { EngramUpper = 121, EngramLower = 122 };
enum { EngramNonUnit = 131, EngramUnit = 132 };
enum { EngramLeft = 141, EngramRight = 142 };

#ifdef __cplusplus
extern "C" {
#endif

/// Opens libopenblas once (thread-safe). True when every symbol below was found.
bool engram_blas_open(void);
/// Why the library could not be opened; an empty string when it is open.
const char *engram_blas_error(void);
/// The kernel family that OpenBLAS runs ("SkylakeX", "Haswell", ...); "none" when it is not open.
const char *engram_blas_core(void);
/// OpenBLAS's own version and build string; "none" when it is not open.
const char *engram_blas_configuration(void);
/// Threads that one BLAS call may use; small problems want 1.
void engram_blas_set_threads(int threads);

// CBLAS. A call without an openable library stops the process with the message of engram_blas_error().
void engram_sgemm(int order, int transA, int transB, int m, int n, int k, float alpha, const float *a, int lda,
                  const float *b, int ldb, float beta, float *c, int ldc);
void engram_dgemm(int order, int transA, int transB, int m, int n, int k, double alpha, const double *a, int lda,
                  const double *b, int ldb, double beta, double *c, int ldc);
void engram_dgemv(int order, int trans, int m, int n, double alpha, const double *a, int lda, const double *x,
                  int incx, double beta, double *y, int incy);
void engram_dsyrk(int order, int uplo, int trans, int n, int k, double alpha, const double *a, int lda, double beta,
                  double *c, int ldc);
void engram_dtrsm(int order, int side, int uplo, int trans, int diag, int m, int n, double alpha, const double *a,
                  int lda, double *b, int ldb);
void engram_dtrsv(int order, int uplo, int trans, int diag, int n, const double *a, int lda, double *x, int incx);

// LAPACK, column-major; the result is `info` (0 = success). `uplo` is 'U' or 'L'.
int engram_dpotrf(char uplo, int n, double *a, int lda);
int engram_dpotri(char uplo, int n, double *a, int lda);
int engram_dtrtri(char uplo, char diag, int n, double *a, int lda);
int engram_dsyevd(char jobz, char uplo, int n, double *a, int lda, double *w, double *work, int lwork, int *iwork,
                  int liwork);

#ifdef __cplusplus
}
#endif
