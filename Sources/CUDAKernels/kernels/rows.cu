// Rows by number: gathering, scattering, embedding tables; and conversions of element types.
#include "common.cuh"

// y[i] = x[rows[i]].
KERNEL(256, gather_rows, int count, int width, const real* x, const int* rows, real* y) {
  int parts = (width + 7) / 8;
  long long number = thread_number();
  if (number >= (long long)count * parts) return;
  long long row = number / parts;
  int column = (int)(number % parts) * 8;
  float values[8];
  int present = load8(x + (long long)rows[row] * width + column, width - column, values);
  store8(y + row * width + column, present, values);
}

// y[rows[i]] = x[i]; rows are distinct. The caller has cleared y.
KERNEL(256, scatter_rows, int count, int width, const real* x, const int* rows, real* y) {
  int parts = (width + 7) / 8;
  long long number = thread_number();
  if (number >= (long long)count * parts) return;
  long long row = number / parts;
  int column = (int)(number % parts) * 8;
  float values[8];
  int present = load8(x + row * width + column, width - column, values);
  store8(y + (long long)rows[row] * width + column, present, values);
}

// y[t] = table[tokens[t]] + position_table[positions[t]]; the second term is optional. A table's element (row, i) lies at
// row · row_stride + i · column_stride.
KERNEL(256, embed, int count, int width, const int* tokens, const real* table, long long row_stride,
       long long column_stride, const int* positions, const real* position_table, long long position_row_stride,
       long long position_column_stride, real* y) {
  long long number = thread_number();
  if (number >= (long long)count * width) return;
  long long row = number / width, column = number % width;
  float value = widen(table[tokens[row] * row_stride + column * column_stride]);
  if (positions)
    value += widen(position_table[positions[row] * position_row_stride + column * position_column_stride]);
  y[number] = narrow(value);
}

// gradient[indices[t]] += dy[t], t ascending. One block per row t: the block of an index's first row adds all of its rows,
// so that the order of the sum is fixed and no two blocks write one row of the gradient.
KERNEL(128, embed_backward, int count, int width, const real* dy, const int* indices, float* gradient) {
  int row = blockIdx.x, index = indices[row], is_later = 0;
  for (int other = threadIdx.x; other < row; other += blockDim.x) is_later |= indices[other] == index;
  if (__syncthreads_or(is_later)) return;
  for (int column = threadIdx.x; column < width; column += blockDim.x) {
    float sum = gradient[(long long)index * width + column];
    for (int other = row; other < count; ++other)
      if (indices[other] == index) sum += widen(dy[(long long)other * width + column]);
    gradient[(long long)index * width + column] = sum;
  }
}

DEVICE float half_to_float(unsigned short bits) {
  unsigned sign = (unsigned)(bits & 0x8000u) << 16, exponent = (bits >> 10) & 31u, fraction = bits & 1023u;
  if (exponent == 0) {
    float magnitude = (float)fraction * 5.9604644775390625e-8f;  // 2^-24: exact
    return sign ? -magnitude : magnitude;
  }
  unsigned biased = exponent == 31 ? 255u : exponent + 112u;
  return __uint_as_float(sign | biased << 23 | fraction << 13);
}

// Element types of `convert`.
enum { TYPE_FLOAT = 0, TYPE_BF16 = 1, TYPE_HALF = 2 };

// target[i] = source[i], between element types.
KERNEL(256, convert, long long count, int from, int to, const void* source, void* target) {
  long long first = thread_number() * 8;
  if (first >= count) return;
  float values[8];
  int present = 8;
  if (from == TYPE_FLOAT) {
    present = load8((const float*)source + first, count - first, values);
  } else if (from == TYPE_BF16) {
    present = load8((const bf16*)source + first, count - first, values);
  } else {
    const unsigned short* halves = (const unsigned short*)source + first;
    present = count - first < 8 ? (int)(count - first) : 8;
    for (int i = 0; i < 8; ++i) values[i] = i < present ? half_to_float(halves[i]) : 0.0f;
  }
  if (to == TYPE_FLOAT) {
    store8((float*)target + first, present, values);
  } else {
    store8((bf16*)target + first, present, values);
  }
}
