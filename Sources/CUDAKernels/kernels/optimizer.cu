// AdamW (Loshchilov & Hutter 2019) over a whole arena of parameters in one launch, and the norm of its gradients.
#include "common.cuh"

// partial[block] = Σ x² of the block's share, in 64 bits and a fixed order.
KERNEL(256, sum_of_squares, long long count, const float* x, double* partial) {
  __shared__ double sums[256];
  double sum = 0.0;
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = thread_number(); i < count; i += step) sum += (double)x[i] * (double)x[i];
  sums[threadIdx.x] = sum;
  for (int width = 128; width > 0; width >>= 1) {
    __syncthreads();
    if ((int)threadIdx.x < width) sums[threadIdx.x] += sums[threadIdx.x + width];
  }
  if (threadIdx.x == 0) partial[blockIdx.x] = sums[0];
}

// norm[0] = sqrt(Σ partial): one block.
KERNEL(256, finish_norm, int parts, const double* partial, float* norm) {
  __shared__ double sums[256];
  double sum = 0.0;
  for (int i = threadIdx.x; i < parts; i += 256) sum += partial[i];
  sums[threadIdx.x] = sum;
  for (int width = 128; width > 0; width >>= 1) {
    __syncthreads();
    if ((int)threadIdx.x < width) sums[threadIdx.x] += sums[threadIdx.x + width];
  }
  if (threadIdx.x == 0) norm[0] = (float)sqrt(sums[0]);
}

// correction1 = 1 − beta1^step, correction2 = 1 − beta2^step. With `norm`, gradients count as multiplied by
// min(1, maximum / (norm + 1e-6)). With `narrowed`, the parameters are written there in bf16 too.
KERNEL(256, adamw, long long count, float learning_rate, float beta1, float beta2, float epsilon, float weight_decay,
       float correction1, float correction2, const float* norm, float maximum, float* parameters, const float* gradients,
       float* first_moment, float* second_moment, bf16* narrowed) {
  long long first = thread_number() * 8;
  if (first >= count) return;
  float factor = norm ? fminf(1.0f, maximum / (norm[0] + 1e-6f)) : 1.0f;
  float p[8], g[8], m[8], v[8];
  int present = load8(parameters + first, count - first, p);
  load8(gradients + first, count - first, g);
  load8(first_moment + first, count - first, m);
  load8(second_moment + first, count - first, v);
  float rate = learning_rate / correction1, decay = 1.0f - learning_rate * weight_decay;
  float root = sqrtf(correction2);
  for (int i = 0; i < 8; ++i) {
    float gradient = g[i] * factor;
    m[i] = beta1 * m[i] + (1.0f - beta1) * gradient;
    v[i] = beta2 * v[i] + (1.0f - beta2) * gradient * gradient;
    p[i] = p[i] * decay - rate * m[i] / (sqrtf(v[i]) / root + epsilon);
  }
  store8(parameters + first, present, p);
  store8(first_moment + first, present, m);
  store8(second_moment + first, present, v);
  if (narrowed) store8(narrowed + first, present, p);
}
