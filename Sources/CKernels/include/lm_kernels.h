// Kernels of the language-model engine's CPU backend: matrix products over frozen (packed) and plain operands, fused
// vector operations, packed-sequence attention, and the thread pool that runs them. Instruction sets are chosen at run
// time. All matrices are row-major, float32 unless a name says otherwise; sizes and strides count elements.
//
// Results do not depend on the number of threads: every output element is reduced in one fixed order.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// MARK: Context

/// Instruction sets, each containing the ones before it.
enum {
  LM_PORTABLE = 0,
  LM_AVX2 = 1,         // AVX2 + FMA
  LM_AVX512 = 2,       // AVX-512 F, BW, DQ, VL
  LM_AVX512_BF16 = 3,  // + vdpbf16ps
  LM_AMX_BF16 = 4,     // + tiles (AVX512_BF16 not implied: conversions are done in integer arithmetic)
  LM_AMX_EMULATED = 5  // tests: the tile kernel with tiles emulated in plain C
};

/// How exactly a product is computed: LM_F32 in 32 bits; LM_BF16 may round both operands to bf16 (sums stay 32 bits)
/// where that is faster on this processor.
enum { LM_F32 = 0, LM_BF16 = 1 };

/// Element types of weights in memory.
enum { LM_TYPE_F32 = 0, LM_TYPE_F16 = 1, LM_TYPE_BF16 = 2 };

/// The best instruction set of this processor; tile support is probed in a child process (virtual machines may hide
/// the CPUID leaves while the instructions work), once.
int lm_best_isa(void);
/// "portable", "avx2", …
const char *lm_isa_name(int isa);

/// Processors that this process may run on (its affinity), at least 1.
int lm_processors(void);

/// A pool of threads with scratch memory. One caller at a time.
typedef struct lm_context lm_context;
/// `threads` >= 1 counts the caller. An `isa` above lm_best_isa() is lowered to it (LM_AMX_EMULATED excepted).
/// NULL when memory or threads are refused.
lm_context *lm_context_create(int threads, int isa);
void lm_context_destroy(lm_context *context);
int lm_context_threads(const lm_context *context);
int lm_context_isa(const lm_context *context);
/// Bytes of scratch memory held by the context.
size_t lm_context_scratch(const lm_context *context);

// MARK: Matrix products

/// Bytes of a packed bf16 matrix (64-byte aligned memory wanted).
size_t lm_packed_size(long outputs, long inputs);
/// Packs rows [first, first + rows) of W [outputs, inputs] to bf16 (round to nearest even) from `source`, whose element
/// (row, input) lies at row * row_stride + input * column_stride. The destination must be zeroed before the first call.
void lm_pack(lm_context *context, uint16_t *packed, long inputs, long first, long rows, const void *source, int type,
             long row_stride, long column_stride);

/// The packed Wᵀ [inputs, outputs] (lm_packed_size(inputs, outputs) bytes) of a packed W [outputs, inputs]: every
/// element of it is written.
void lm_pack_transposed(lm_context *context, const uint16_t *packed, long outputs, long inputs, uint16_t *transposed);

enum { LM_OPERAND_F32 = 0, LM_OPERAND_PACKED = 1, LM_OPERAND_PACKED_TRANSPOSED = 2 };

/// The right operand B [k, n] of a product.
typedef struct {
  const void *data;
  long row_stride, column_stride;  // of B, for LM_OPERAND_F32
  long inputs, outputs;            // of the packed W: B = Wᵀ (PACKED: k = inputs, n = outputs) or B = W (TRANSPOSED)
  int kind;
} lm_operand;

/// C [m, n] = (accumulate ? C : 0) + alpha · A [m, k] · B [k, n] + bias [n].
typedef struct {
  long m, n, k;
  float alpha;
  const float *a;  // element (i, j) lies at i * a_row_stride + j * a_column_stride; one of the two should be 1
  long a_row_stride, a_column_stride;
  lm_operand b;
  const float *bias;  // NULL: none
  bool accumulate;
  float *c;
  long c_row_stride;
} lm_product;

/// false: scratch memory was refused, C is untouched.
bool lm_gemm(lm_context *context, int precision, const lm_product *product);

/// A low-rank branch beside a product with a packed B:
/// projected [m, rank] = scale_down · A' · D with A' = A[:, first_input ..< first_input + inputs], and
/// C[:, first_output ..< first_output + outputs] += scale_up · projected · U.
typedef struct {
  long rank;
  const float *down;  // D [inputs, rank]
  long down_row_stride, down_column_stride, first_input, inputs;
  const float *up;  // U [rank, outputs]
  long up_row_stride, up_column_stride, first_output, outputs;
  float scale_down, scale_up;
  float *projected;
} lm_branch;

/// Whether `lm_gemm_branch` can compute a product over k with this branch in one go.
bool lm_fuses_branch(const lm_context *context, int precision, long k, const lm_branch *branch);
/// As lm_gemm with alpha = 1, A by rows and a packed B (LM_OPERAND_PACKED), and the branch, where lm_fuses_branch says
/// so.
bool lm_gemm_branch(lm_context *context, int precision, const lm_product *product, const lm_branch *branch);

/// Wall-clock seconds spent in lm_gemm so far, and its operations (2 m n k each).
void lm_product_totals(const lm_context *context, double *wall_seconds, double *operations);

// MARK: Vector operations

typedef enum { LM_LAYER_NORM, LM_RMS_NORM } lm_norm_kind;

/// y = norm(x + residual) · weight + bias over rows of `columns` numbers (Backend.normalize).
typedef struct {
  lm_norm_kind kind;
  long columns;
  float epsilon;
  const float *x, *residual;    // residual NULL: none
  float *sum;                   // x + residual; NULL: not kept
  const float *weight, *bias;   // bias NULL: none
  float *y, *statistics;        // [rows][mean, scale]; statistics NULL: not kept
} lm_norm;
void lm_normalize(lm_context *, long rows, lm_norm norm);

/// The gradients of a norm, each of which may be NULL; dweight and dbias are added to, dx with `accumulate`.
typedef struct {
  lm_norm_kind kind;
  long rows, columns;
  const float *dy, *x, *statistics, *weight;
  float *dweight, *dbias, *dx;
  bool accumulate;
} lm_norm_gradient;
void lm_normalize_backward(lm_context *, lm_norm_gradient gradient);

typedef enum { LM_GELU_EXACT, LM_GELU_TANH } lm_activation;

/// The gradient of a function of x: dx from dy.
typedef struct {
  const float *x, *dy;
  float *dx;
} lm_gradient;
void lm_activate(lm_context *, long count, lm_activation function, const float *x, float *y);
void lm_activate_backward(lm_context *, long count, lm_activation function, lm_gradient gradient);
/// x = gate | up [rows, 2 f]; y [rows, f] = silu(gate) · up.
void lm_gated_silu(lm_context *, long rows, long f, const float *x, float *y);
void lm_gated_silu_backward(lm_context *, long rows, long f, lm_gradient gradient);
void lm_add(lm_context *, long count, const float *x, float *y);
void lm_fill(lm_context *, long count, float value, float *y);
/// y[j] += Σ_i x[i, j], rows ascending.
typedef struct {
  long rows, columns, row_stride;
  const float *x;
  float *y;
} lm_column_sum;
void lm_add_columns(lm_context *, lm_column_sum sum);
/// y[i] = x[rows[i]] and its inverse (y is not cleared).
void lm_gather_rows(lm_context *, long count, long columns, const float *x, const int32_t *rows, float *y);
void lm_scatter_rows(lm_context *, long count, long columns, const float *x, const int32_t *rows, float *y);

/// A weight table in memory: element (row, j) at row * row_stride + j * column_stride of `data`.
typedef struct {
  const void *data;
  int type;
  long row_stride, column_stride;
} lm_weight_table;
/// y[t] (+)= row rows[t] of a weight table, d numbers each.
void lm_embed(lm_context *, long count, long d, const int32_t *rows, lm_weight_table table, bool accumulate, float *y);
/// As lm_embed, from a packed bf16 matrix.
void lm_embed_packed(lm_context *, long count, long d, const int32_t *rows, const uint16_t *packed, bool accumulate,
                     float *y);
/// gradient[indices[t]] += dy[t], t ascending.
void lm_embed_backward(lm_context *, long count, long d, const float *dy, const int32_t *indices, float *gradient);

/// Rotary embedding in place (Backend.rotate): rows of x lie `row_stride` numbers apart.
typedef struct {
  long row_stride;
  int heads, head_size;
  const int32_t *positions;
  const float *table;
  bool inverse;
  float *x;
} lm_rotation;
void lm_rotate(lm_context *, long rows, lm_rotation rotation);

typedef struct {
  int heads, kv_heads, head_size;
  float scale;
} lm_attention_shape;

/// Sequences packed end to end: rows offsets[i] ..< offsets[i + 1] belong to sequence i.
typedef struct {
  long count;
  const int64_t *offsets;  // count + 1
} lm_sequences;

typedef struct {
  const float *qkv;
  float *out, *log_sum_exp;  // log_sum_exp NULL: not kept
} lm_attention_arrays;

typedef struct {
  const float *dout, *qkv, *out, *log_sum_exp;
  float *dqkv;
} lm_attention_gradient;

/// Keys and values of sequences, each in a slot of `capacity` positions, in 32 bits or, with `bf16`, in 16.
typedef struct {
  const int64_t *slots;
  long capacity;
  bool bf16;
  void *keys, *values;
} lm_attention_cache;

/// Causal attention over packed sequences (Backend.attention). LM_BF16 may round what its products multiply. false:
/// scratch memory was refused.
bool lm_attention(lm_context *, int precision, lm_sequences sequences, lm_attention_shape shape,
                  lm_attention_arrays arrays);
bool lm_attention_backward(lm_context *, int precision, lm_sequences sequences, lm_attention_shape shape,
                           lm_attention_gradient gradient);
/// Keys and values of packed sequences to the caches (Backend.storeKeysValues).
void lm_attention_store(lm_context *, lm_sequences sequences, lm_attention_shape shape, lm_attention_cache cache,
                        const float *qkv);
/// One new token per row against the caches, which hold `lengths` tokens (Backend.attentionStep). false: scratch memory
/// was refused.
bool lm_attention_step(lm_context *, long rows, lm_attention_shape shape, lm_attention_cache cache,
                       const int64_t *lengths, const float *qkv, float *out);

/// Softmax cross-entropy of logit rows, `row_stride` numbers apart, in place: losses[i] = log Σ exp(l) − l[target];
/// with `gradient`, the logits become scale · (softmax − onehot).
typedef struct {
  long vocabulary, row_stride;
  float *logits;
  const int32_t *targets;
  float scale;
  bool gradient;
  float *losses;
} lm_loss;
void lm_cross_entropy(lm_context *, long rows, lm_loss loss);
/// Index of the largest element of each row, the lowest among equals; -1 where a row holds a number that is not finite.
void lm_argmax(lm_context *, long rows, long columns, const float *x, int32_t *indices);
/// The k largest of each row in descending order, lower index first among equals.
void lm_top_k(lm_context *, long rows, long columns, long k, const float *x, float *values, int32_t *indices);

/// Σ x², in 64 bits, in a fixed order.
double lm_sum_of_squares(lm_context *, long count, const float *x);

/// Decoupled weight decay (Loshchilov & Hutter 2019), as torch.optim.AdamW.
typedef struct {
  float learning_rate, beta1, beta2, epsilon, weight_decay;
  float correction1, correction2;  // 1 − β1^t, 1 − β2^t
  float gradient_scale;            // clipping
} lm_adamw_step;
typedef struct {
  float *parameters;
  const float *gradients;
  float *first, *second;  // moments
} lm_adamw_arrays;
void lm_adamw(lm_context *, long count, lm_adamw_step step, lm_adamw_arrays arrays);

/// Conversions to float32.
void lm_to_float(long count, const void *source, int type, float *destination);

#ifdef __cplusplus
}
#endif
