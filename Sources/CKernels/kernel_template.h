// How kernels are compiled once per instruction set.
//
// A family's kernels stand in `*_kernels.inc` files without an include guard. One `.c` file per instruction set defines
//
//   FAMILY   prefix of the exported names: lm, saas, ehvi
//   SUFFIX   the instruction set: portable, avx2, avx512
//
// and what the family asks for besides (LANES, ROWS, …), pushes the target attribute with `#pragma clang attribute` and
// includes them. `FN(name)` is FAMILY_name_SUFFIX, for functions whose names are seen by a debugger or the linker. What
// is small is `INLINE` and has a plain name: it belongs to its file, and is always inlined, so that the calling
// convention of vectors does not matter.
#pragma once

#define KERNEL_JOIN(family, name, suffix) family##_##name##_##suffix
#define KERNEL_NAME(family, name, suffix) KERNEL_JOIN(family, name, suffix)
#define FN(name) KERNEL_NAME(FAMILY, name, SUFFIX)

#define INLINE static inline __attribute__((always_inline))
/// Kernels keep their sums in registers: their inner loops must be unrolled whole.
#define UNROLL _Pragma("clang loop unroll(full)")
