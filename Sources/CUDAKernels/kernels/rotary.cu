// Rotary position embedding (Su et al. 2021) in place: pairs (i, i + D/2) of each head are rotated by the row's position.
#include "common.cuh"

// x [rows, columns], its first `heads` heads of `size` D; table [positions, D] = D/2 cosines, D/2 sines. One thread per
// pair; `direction` -1 rotates back (the gradient).
KERNEL(256, rotate, int rows, int columns, int heads, int size, const int* positions, const float* table,
       float direction, real* x) {
  int half = size / 2, pairs = heads * half;
  long long number = thread_number();
  if (number >= (long long)rows * pairs) return;
  long long row = number / pairs;
  int head = (int)(number % pairs) / half, i = (int)(number % pairs) % half;
  const float* angles = table + (long long)positions[row] * size;
  float cosine = angles[i], sine = direction * angles[half + i];
  real* place = x + row * columns + head * size + i;
  float first = widen(place[0]), second = widen(place[half]);
  place[0] = narrow(first * cosine - second * sine);
  place[half] = narrow(second * cosine + first * sine);
}
