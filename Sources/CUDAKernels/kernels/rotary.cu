// Rotary position embedding (Su et al. 2021) in place: pairs (i, i + D/2) of each head are rotated by the row's position.
#include "common.cuh"

// x [rows, columns], its first `heads` heads of `size` D; table [positions, D] = D/2 cosines, D/2 sines. Eight pairs per
// thread; `direction` -1 rotates back (the gradient).
KERNEL(256, rotate, int rows, int columns, int heads, int size, const int* positions, const float* table,
       float direction, real* x) {
  int half = size / 2, parts = (half + 7) / 8;
  long long number = thread_number();
  if (number >= (long long)rows * heads * parts) return;
  long long row = number / (heads * parts);
  int head = (int)(number % (heads * parts)) / parts, i = (int)(number % parts) * 8, left = half - i;
  const float* angles = table + (long long)positions[row] * size + i;
  real* place = x + row * columns + head * size + i;
  float cosine[8], sine[8], first[8], second[8];
  load8(angles, left, cosine);
  load8(angles + half, left, sine);
  int present = load8(place, left, first);
  load8(place + half, left, second);
  for (int j = 0; j < 8; ++j) {
    float turned = first[j] * cosine[j] - second[j] * direction * sine[j];
    second[j] = second[j] * cosine[j] + first[j] * direction * sine[j];
    first[j] = turned;
  }
  store8(place, present, first);
  store8(place + half, present, second);
}
