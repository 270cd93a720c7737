// The four algorithms of matrix products and what they share; not public.
//
//   blocked   both operands packed, blocks that stay in the caches: lm_gemm_blocked.c
//   skinny    few columns in 32 bits, A read in place: lm_gemm_skinny.c
//   few rows  in 32 bits, packed weights read in place: lm_gemm_few_rows.c
//   tiles     on the processor's matrix tiles, B packed once or narrow: lm_gemm_tiles.c
#pragma once
#include "lm_context.h"
#include "lm_table.h"

/// Rows of k in one block of 32-bit products: a panel of B stays in the first-level cache.
enum { LM_K_BLOCK = 384 };
/// Up to so many columns, 32-bit products read A in place.
enum { LM_SKINNY_COLUMNS = 64 };
/// Up to so many rows, 32-bit products read packed weights in place.
enum { LM_FEW_ROWS = 16 };

// Each computes a whole product; false: scratch memory was refused.
bool lm_gemm_blocked(lm_context *context, int precision, const lm_product *product);
bool lm_gemm_skinny(lm_context *context, const lm_product *product);
bool lm_gemm_few_rows(lm_context *context, const lm_product *product);

typedef enum { LM_TILES_DONE, LM_TILES_NOT_OF_THIS_KIND, LM_TILES_REFUSED } lm_tiles_result;
/// REFUSED: scratch memory. `branch` NULL: none.
lm_tiles_result lm_gemm_tiles(lm_context *context, const lm_product *product, const lm_branch *branch);
bool lm_tiles_fit_branch(long k, const lm_branch *branch);

/// Units of work, handed out as threads become free. Shares get smaller, so that the threads end together: each is half
/// of what would be left for one thread. `taken`: shares of the context's counter that belong to earlier work.
typedef struct {
  long units, taken, share, first, last;
  int threads;
} lm_shares;

static inline bool lm_next_share(lm_shares *s, lm_context *context) {
  long mine = atomic_fetch_add(&context->next, 1) - s->taken;
  for (; s->share <= mine && s->last < s->units; s->share++) {
    s->first = s->last;
    s->last += (s->units - s->first + 2 * s->threads - 1) / (2 * s->threads);
  }
  return s->share > mine;
}
