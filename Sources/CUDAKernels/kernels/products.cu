// What surrounds matrix products: column sums, and a plain product for shapes and alignments that cuBLASLt declines.
#include "common.cuh"

// sums[column] += Σ_rows x[row, column]: 32 columns per block, 8 threads share a column's rows.
KERNEL(256, column_sums, int rows, int width, const real* x, float* sums) {
  __shared__ float parts[8][33];
  int lane = threadIdx.x & 31, part = threadIdx.x >> 5, column = blockIdx.x * 32 + lane;
  float sum = 0.0f;
  if (column < width)
    for (int row = part; row < rows; row += 8) sum += widen(x[(long long)row * width + column]);
  parts[part][lane] = sum;
  __syncthreads();
  if (part == 0 && column < width) {
    for (int other = 1; other < 8; ++other) sum += parts[other][lane];
    sums[column] += sum;
  }
}

// C [m, n] = alpha · A · B + beta · C + bias, all row-major. `a_transposed`: A lies as [k, m]; `b_transposed`: B lies as
// [n, k]. C and bias are 32-bit where `wide`. One thread per element of a 16 x 16 tile of C.
KERNEL(256, product, int m, int n, int k, float alpha, const real* a, long long a_stride, int a_transposed, const real* b,
       long long b_stride, int b_transposed, float beta, const void* bias, void* c, long long c_stride, int wide) {
  __shared__ float left[16][17], right[16][17];
  int x = threadIdx.x & 15, y = threadIdx.x >> 4;
  int row = blockIdx.y * 16 + y, column = blockIdx.x * 16 + x;
  float sum = 0.0f;
  for (int first = 0; first < k; first += 16) {
    // left[i][j] = A[tile row i, first + j], right[j][i] = B[first + j, tile column i]; neighbours in memory are read by
    // neighbouring threads.
    if (a_transposed) {
      int i = blockIdx.y * 16 + x, j = first + y;
      left[x][y] = i < m && j < k ? widen(a[j * a_stride + i]) : 0.0f;
    } else {
      left[y][x] = row < m && first + x < k ? widen(a[row * a_stride + first + x]) : 0.0f;
    }
    if (b_transposed) {
      int i = blockIdx.x * 16 + y, j = first + x;
      right[x][y] = i < n && j < k ? widen(b[i * b_stride + j]) : 0.0f;
    } else {
      right[y][x] = column < n && first + y < k ? widen(b[(first + y) * b_stride + column]) : 0.0f;
    }
    __syncthreads();
#pragma unroll
    for (int j = 0; j < 16; ++j) sum += left[y][j] * right[j][x];
    __syncthreads();
  }
  if (row >= m || column >= n) return;
  sum *= alpha;
  if (bias) sum += wide ? ((const float*)bias)[column] : widen(((const real*)bias)[column]);
  long long index = row * c_stride + column;
  if (wide) {
    float* target = (float*)c;
    target[index] = beta == 0.0f ? sum : sum + beta * target[index];
  } else {
    real* target = (real*)c;
    target[index] = narrow(beta == 0.0f ? sum : sum + beta * widen(target[index]));
  }
}
