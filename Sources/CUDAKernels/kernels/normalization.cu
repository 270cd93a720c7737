// Layer norm (Ba et al. 2016) and RMS norm (Zhang & Sennrich 2019), with the residual sum in front of them.
//
//   hat = (x − mean) · r      r = 1 / sqrt(variance + ε); RMS norm: mean = 0, variance = mean of x²
//   y = hat · weight + bias
//   dx = (g − mean(g) − hat · mean(g · hat)) · r,  g = dy · weight; RMS norm: without mean(g)
//
// x, y, sum: [rows, width]; weight, bias: [width]; statistics: [rows, 2] = mean, r.
#include "common.cuh"

// One block per row. The row is read again from cache in each of the three passes.
KERNEL(256, normalize, int width, int is_layer_norm, float epsilon, const real* x, const real* residual, real* sum,
       const float* weight, const float* bias, real* y, float* statistics) {
  __shared__ float scratch[32];
  long long row = blockIdx.x, base = row * width;
  int first = threadIdx.x * 8, step = blockDim.x * 8;
  const real* source = x + base;
  float a[8], b[8];
  // 1. The sum, as it is stored: backward sees the same numbers.
  if (residual) {
    for (int i = first; i < width; i += step) {
      int count = load8(x + base + i, width - i, a);
      load8(residual + base + i, width - i, b);
      for (int j = 0; j < 8; ++j) a[j] += b[j];
      store8(sum + base + i, count, a);
    }
    source = sum + base;
  }
  // 2. Moments.
  float mean = 0.0f;
  if (is_layer_norm) {
    for (int i = first; i < width; i += step) {
      load8(source + i, width - i, a);
      for (int j = 0; j < 8; ++j) mean += a[j];
    }
    mean = block_sum(mean, scratch) / width;
  }
  float square = 0.0f;
  for (int i = first; i < width; i += step) {
    int count = load8(source + i, width - i, a);
    for (int j = 0; j < 8; ++j) square += j < count ? (a[j] - mean) * (a[j] - mean) : 0.0f;
  }
  float reciprocal = 1.0f / sqrtf(block_sum(square, scratch) / width + epsilon);
  // 3. Output.
  for (int i = first; i < width; i += step) {
    int count = load8(source + i, width - i, a);
    load8(weight + i, width - i, b);
    for (int j = 0; j < 8; ++j) a[j] = (a[j] - mean) * reciprocal * b[j];
    if (bias) {
      load8(bias + i, width - i, b);
      for (int j = 0; j < 8; ++j) a[j] += b[j];
    }
    store8(y + base + i, count, a);
  }
  if (statistics && threadIdx.x == 0) {
    statistics[2 * row] = mean;
    statistics[2 * row + 1] = reciprocal;
  }
}

// One block per row; dx may be dy.
KERNEL(256, normalize_backward, int width, int is_layer_norm, int accumulate, const real* dy, const real* x,
       const float* statistics, const float* weight, real* dx) {
  __shared__ float scratch[32];
  long long row = blockIdx.x, base = row * width;
  int first = threadIdx.x * 8, step = blockDim.x * 8;
  float mean = statistics[2 * row], reciprocal = statistics[2 * row + 1];
  float upstream[8], input[8], scale[8];
  float mean_g = 0.0f, mean_gx = 0.0f;
  for (int i = first; i < width; i += step) {
    load8(dy + base + i, width - i, upstream);
    load8(x + base + i, width - i, input);
    load8(weight + i, width - i, scale);
    for (int j = 0; j < 8; ++j) {
      float g = upstream[j] * scale[j];  // 0 beyond the row
      mean_g += g;
      mean_gx += g * (input[j] - mean) * reciprocal;
    }
  }
  mean_g = is_layer_norm ? block_sum(mean_g, scratch) / width : 0.0f;
  mean_gx = block_sum(mean_gx, scratch) / width;
  for (int i = first; i < width; i += step) {
    int count = load8(dy + base + i, width - i, upstream);
    load8(x + base + i, width - i, input);
    load8(weight + i, width - i, scale);
    for (int j = 0; j < 8; ++j) {
      float hat = (input[j] - mean) * reciprocal;
      input[j] = (upstream[j] * scale[j] - mean_g - hat * mean_gx) * reciprocal;
    }
    if (accumulate) {
      load8(dx + base + i, width - i, scale);
      for (int j = 0; j < 8; ++j) input[j] += scale[j];
    }
    store8(dx + base + i, count, input);
  }
}

// dweight += Σ_rows dy · hat, dbias += Σ_rows dy: 32 columns per block, 8 threads share a column's rows.
KERNEL(256, normalize_parameters, int rows, int width, const real* dy, const real* x, const float* statistics,
       float* weight, float* bias) {
  __shared__ float weights[8][33], biases[8][33];
  int lane = threadIdx.x & 31, part = threadIdx.x >> 5, column = blockIdx.x * 32 + lane;
  float weight_sum = 0.0f, bias_sum = 0.0f;
  if (column < width) {
    for (int row = part; row < rows; row += 8) {
      long long index = (long long)row * width + column;
      float upstream = widen(dy[index]);
      weight_sum += upstream * (widen(x[index]) - statistics[2 * row]) * statistics[2 * row + 1];
      bias_sum += upstream;
    }
  }
  weights[part][lane] = weight_sum;
  biases[part][lane] = bias_sum;
  __syncthreads();
  if (part == 0 && column < width) {
    for (int other = 1; other < 8; ++other) {
      weight_sum += weights[other][lane];
      bias_sum += biases[other][lane];
    }
    weight[column] += weight_sum;
    if (bias) bias[column] += bias_sum;
  }
}
