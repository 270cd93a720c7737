// The part of cuBLASLt that the backend uses: D = alpha · op(A) · op(B) + beta · C (+ bias over rows), column-major, as its
// manual defines it, with plain loops. Attributes that are not set keep the manual's defaults.
#include <stdlib.h>
#include <string.h>

#include <map>
#include <string>
#include <vector>

#include "access_checks.h"
#include "emulated_device.h"
#include "emulation.h"

bool decline_products = false;
int64_t product_count = 0;

namespace {

enum { R_32F = 0, R_16BF = 14, COMPUTE_32F = 68, NOT_SUPPORTED = 15, INVALID_VALUE = 7 };

struct Layout {
  int type;
  uint64_t rows, columns;
  int64_t stride;
  size_t element() const { return type == R_32F ? 4 : 2; }
  size_t bytes() const { return columns == 0 ? 0 : ((columns - 1) * (size_t)stride + rows) * element(); }
};
struct Operation {
  int transposes_a = 0, transposes_b = 0, epilogue = 1, bias_type = -1;
  const void* bias = nullptr;
};
struct Preference {
  uint64_t workspace = 0;
  uint32_t alignments[4] = {256, 256, 256, 256};
};
struct Result {
  uint64_t algorithm[8];
  size_t workspace;
  int state;
  float waves;
  int reserved[4];
};

float read(const void* memory, int type, size_t index) {
  if (type == R_32F) return ((const float*)memory)[index];
  return __uint_as_float((unsigned)((const unsigned short*)memory)[index] << 16);
}

void write(void* memory, int type, size_t index, float value) {
  if (type == R_32F) {
    ((float*)memory)[index] = value;
    return;
  }
  unsigned bits = __float_as_uint(value);
  bits = value != value ? 0x7fc00000u : bits + 0x7fffu + ((bits >> 16) & 1u);
  ((unsigned short*)memory)[index] = (unsigned short)(bits >> 16);
}

int create(void** handle) { return *handle = emulation::register_object(new int(1)), 0; }
int destroy(void* handle) {
  if (!emulation::unregister_object(handle)) return INVALID_VALUE;
  return delete (int*)handle, 0;
}

int create_operation(void** operation, int compute, int scale) {
  if (compute != COMPUTE_32F || scale != R_32F) return INVALID_VALUE;
  return *operation = emulation::register_object(new Operation), 0;
}
int destroy_operation(void* operation) {
  if (!emulation::unregister_object(operation)) return INVALID_VALUE;
  return delete (Operation*)operation, 0;
}
int set_operation(void* operation, int attribute, const void* value, size_t size) {
  Operation* own = (Operation*)operation;
  auto copy = [&](void* target, size_t expected) { return size == expected ? memcpy(target, value, size), 0 : INVALID_VALUE; };
  switch (attribute) {
    case 3: return copy(&own->transposes_a, 4);
    case 4: return copy(&own->transposes_b, 4);
    case 7: return copy(&own->epilogue, 4);
    case 8: return copy(&own->bias, 8);
    case 26: return copy(&own->bias_type, 4);
    default: return INVALID_VALUE;
  }
}
int create_layout(void** layout, int type, uint64_t rows, uint64_t columns, int64_t stride) {
  if ((type != R_32F && type != R_16BF) || stride < (int64_t)rows || rows == 0 || columns == 0) return INVALID_VALUE;
  return *layout = emulation::register_object(new Layout{type, rows, columns, stride}), 0;
}
int destroy_layout(void* layout) {
  if (!emulation::unregister_object(layout)) return INVALID_VALUE;
  return delete (Layout*)layout, 0;
}
int create_preference(void** preference) { return *preference = emulation::register_object(new Preference), 0; }
int destroy_preference(void* preference) {
  if (!emulation::unregister_object(preference)) return INVALID_VALUE;
  return delete (Preference*)preference, 0;
}
int set_preference(void* preference, int attribute, const void* value, size_t size) {
  Preference* own = (Preference*)preference;
  if (attribute == 1 && size == 8) return memcpy(&own->workspace, value, 8), 0;
  if (attribute >= 5 && attribute <= 8 && size == 4) return memcpy(&own->alignments[attribute - 5], value, 4), 0;
  return INVALID_VALUE;
}

// Sizes of the product, checked against all layouts.
bool sizes(const Operation& operation, const Layout& a, const Layout& b, const Layout& c, const Layout& d, size_t& m,
           size_t& n, size_t& k) {
  m = operation.transposes_a ? a.columns : a.rows;
  k = operation.transposes_a ? a.rows : a.columns;
  n = operation.transposes_b ? b.rows : b.columns;
  size_t other = operation.transposes_b ? b.columns : b.rows;
  return k == other && c.rows == m && c.columns == n && d.rows == m && d.columns == n && a.type == b.type &&
         c.type == d.type && (a.type == R_16BF || d.type == R_32F);
}

int find_algorithm(void*, void* operation, void* a, void* b, void* c, void* d, void* preference, int requested,
                   Result* results, int* found) {
  size_t m, n, k;
  if (!sizes(*(Operation*)operation, *(Layout*)a, *(Layout*)b, *(Layout*)c, *(Layout*)d, m, n, k)) return INVALID_VALUE;
  *found = 0;
  if (decline_products || requested < 1) return NOT_SUPPORTED;
  memset(results, 0, sizeof(Result));
  // The algorithm remembers the alignments it was promised.
  for (int i = 0; i < 4; ++i) results->algorithm[i] = ((Preference*)preference)->alignments[i];
  results->algorithm[7] = 42;
  results->workspace = ((Preference*)preference)->workspace < 1024 ? 0 : 1024;
  *found = 1;
  return 0;
}

// Operands have been written; the result counts as written. Column by column: between them may be anything.
void check_product(const Operation& operation, const Layout& la, const Layout& lb, const Layout& lc, const Layout& ld,
                   const void* a, const void* b, const void* c, const void* d) {
  auto each = [](const Layout& layout, const void* place, auto body) {
    size_t element = layout.type == R_32F ? 4 : 2;
    for (size_t i = 0; place && i < layout.columns; ++i)
      body((uint64_t)place + i * (size_t)layout.stride * element, layout.rows * element);
  };
  auto require = [](uint64_t address, size_t bytes) {
    if (!emulation::was_written(address, bytes)) emulation::complain("a product of what nobody has written");
  };
  each(la, a, require);
  each(lb, b, require);
  each(lc, c, require);
  if (operation.epilogue == 4) require((uint64_t)operation.bias, ld.rows * (ld.type == R_32F ? 4 : 2));
  each(ld, d, emulation::mark_written);
}

int multiply(void*, void* operation, const float* alpha, const void* a, void* a_layout, const void* b, void* b_layout,
             const float* beta, const void* c, void* c_layout, void* d, void* d_layout, const uint64_t* algorithm,
             void* workspace, size_t workspace_bytes, void* stream) {
  // Copies: the product happens when its turn on the stream comes.
  const Operation own = *(Operation*)operation;
  const Layout la = *(Layout*)a_layout, lb = *(Layout*)b_layout, lc = *(Layout*)c_layout, ld = *(Layout*)d_layout;
  const float alpha_value = *alpha, beta_value = *beta;
  size_t m, n, k;
  if (!sizes(own, la, lb, lc, ld, m, n, k) || !algorithm || algorithm[7] != 42) return INVALID_VALUE;
  const void* places[4] = {a, b, c, d};
  const Layout* layouts[4] = {&la, &lb, &lc, &ld};
  for (int i = 0; i < 4; ++i) {
    if ((uint64_t)places[i] % algorithm[i] != 0 || !emulation::check_range(places[i], layouts[i]->bytes())) {
      emulation::complain("a product over memory outside its allocation or less aligned than promised");
      return INVALID_VALUE;
    }
  }
  if (workspace_bytes > 0 && !emulation::check_range(workspace, workspace_bytes)) return INVALID_VALUE;
  bool has_bias = own.epilogue == 4;
  if ((own.epilogue != 1 && !has_bias) || (has_bias && !own.bias)) return INVALID_VALUE;
  int bias_type = own.bias_type < 0 ? ld.type : own.bias_type;
  // Only these bias types are in the manual's table for a result of this type.
  if (has_bias && bias_type != ld.type) return NOT_SUPPORTED;
  ++product_count;
  return emulation::enqueue(stream, [=] {
    check_product(own, la, lb, lc, ld, a, b, beta_value != 0.0f ? c : nullptr, d);
    std::vector<float> left(m * k), right(k * n);
    for (size_t i = 0; i < m; ++i)
      for (size_t j = 0; j < k; ++j)
        left[i * k + j] = read(a, la.type, own.transposes_a ? j + i * (size_t)la.stride : i + j * (size_t)la.stride);
    for (size_t i = 0; i < n; ++i)
      for (size_t j = 0; j < k; ++j)
        right[i * k + j] = read(b, lb.type, own.transposes_b ? i + j * (size_t)lb.stride : j + i * (size_t)lb.stride);
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < m; ++j) {
        float sum = 0.0f;
        for (size_t p = 0; p < k; ++p) sum += left[j * k + p] * right[i * k + p];
        sum *= alpha_value;
        if (beta_value != 0.0f) sum += beta_value * read(c, lc.type, j + i * (size_t)lc.stride);
        if (has_bias) sum += read(own.bias, bias_type, j);
        write(d, ld.type, j + i * (size_t)ld.stride, sum);
      }
    }
    return 0;
  });
}

size_t version() { return 130000; }

}  // namespace

void* emulated_cublas_symbol(const char* name) {
  static const std::map<std::string, void*> symbols = {
      {"cublasLtCreate", (void*)&create},
      {"cublasLtDestroy", (void*)&destroy},
      {"cublasLtGetVersion", (void*)&version},
      {"cublasLtMatmulDescCreate", (void*)&create_operation},
      {"cublasLtMatmulDescDestroy", (void*)&destroy_operation},
      {"cublasLtMatmulDescSetAttribute", (void*)&set_operation},
      {"cublasLtMatrixLayoutCreate", (void*)&create_layout},
      {"cublasLtMatrixLayoutDestroy", (void*)&destroy_layout},
      {"cublasLtMatmulPreferenceCreate", (void*)&create_preference},
      {"cublasLtMatmulPreferenceDestroy", (void*)&destroy_preference},
      {"cublasLtMatmulPreferenceSetAttribute", (void*)&set_preference},
      {"cublasLtMatmulAlgoGetHeuristic", (void*)&find_algorithm},
      {"cublasLtMatmul", (void*)&multiply},
  };
  auto found = symbols.find(name);
  return found == symbols.end() ? nullptr : found->second;
}
