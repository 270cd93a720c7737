// Element-wise non-linearities (Hendrycks & Gimpel 2016: GELU; Shazeer 2020: SiLU · gate) and their gradients. Eight
// numbers per thread; every operation may be in place.
#include "common.cuh"

// f(x) = x · g(x): g and g'. `approximate`: the tanh form.
DEVICE void gelu_gate(float x, int approximate, float& value, float& slope) {
  if (approximate) {
    const float c = 0.79788456080286536f;  // sqrt(2 / π)
    float u = c * (x + 0.044715f * x * x * x);
#if ENGRAM_BF16
    float t = 1.0f - quotient(2.0f, 1.0f + exponential(2.0f * u));
#else
    float t = tanhf(u);
#endif
    value = 0.5f * (1.0f + t);
    slope = 0.5f * (1.0f - t * t) * c * (1.0f + 3.0f * 0.044715f * x * x);
  } else {
    value = 0.5f * (1.0f + erff(x * 0.70710678118654752f));
    slope = exponential(-0.5f * x * x) * 0.39894228040143268f;  // density of the normal distribution
  }
}

KERNEL(256, gelu, long long count, int approximate, const real* x, real* y) {
  long long first = thread_number() * 8;
  if (first >= count) return;
  float values[8], gate, slope;
  int present = load8(x + first, count - first, values);
  for (int i = 0; i < 8; ++i) {
    gelu_gate(values[i], approximate, gate, slope);
    values[i] *= gate;
  }
  store8(y + first, present, values);
}

KERNEL(256, gelu_backward, long long count, int approximate, const real* dy, const real* x, real* dx) {
  long long first = thread_number() * 8;
  if (first >= count) return;
  float values[8], upstream[8], gate, slope;
  int present = load8(x + first, count - first, values);
  load8(dy + first, count - first, upstream);
  for (int i = 0; i < 8; ++i) {
    gelu_gate(values[i], approximate, gate, slope);
    upstream[i] *= gate + values[i] * slope;
  }
  store8(dx + first, present, upstream);
}

// x [rows, 2 width] = gate | up, y [rows, width].
KERNEL(256, gated_silu, int rows, int width, const real* x, real* y) {
  int parts = (width + 7) / 8;
  long long number = thread_number();
  if (number >= (long long)rows * parts) return;
  long long row = number / parts;
  int column = (int)(number % parts) * 8;
  float gate[8], up[8];
  int present = load8(x + row * 2 * width + column, width - column, gate);
  load8(x + row * 2 * width + width + column, width - column, up);
  for (int i = 0; i < 8; ++i) up[i] *= quotient(gate[i], 1.0f + exponential(-gate[i]));
  store8(y + row * width + column, present, up);
}

// dx may be x.
KERNEL(256, gated_silu_backward, int rows, int width, const real* dy, const real* x, real* dx) {
  int parts = (width + 7) / 8;
  long long number = thread_number();
  if (number >= (long long)rows * parts) return;
  long long row = number / parts, base = row * 2 * width;
  int column = (int)(number % parts) * 8;
  float gate[8], up[8], upstream[8];
  int present = load8(x + base + column, width - column, gate);
  load8(x + base + width + column, width - column, up);
  load8(dy + row * width + column, width - column, upstream);
  for (int i = 0; i < 8; ++i) {
    float sigmoid = quotient(1.0f, 1.0f + exponential(-gate[i]));
    float d_up = upstream[i] * gate[i] * sigmoid;
    gate[i] = upstream[i] * up[i] * sigmoid * (1.0f + gate[i] * (1.0f - sigmoid));
    up[i] = d_up;
  }
  store8(dx + base + column, present, gate);
  store8(dx + base + width + column, present, up);
}

// y += x.
KERNEL(256, add, long long count, const real* x, real* y) {
  long long first = thread_number() * 8;
  if (first >= count) return;
  float a[8], b[8];
  int present = load8(x + first, count - first, a);
  load8(y + first, count - first, b);
  for (int i = 0; i < 8; ++i) b[i] += a[i];
  store8(y + first, present, b);
}
