// A CUDA device that is emulated on the processor, for tests: the libraries' entry points under their real names and
// calling conventions, with the kernels compiled from their own CUDA text. What it proves and what not: README.md.
#ifndef CUDA_EMULATION_H
#define CUDA_EMULATION_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Address of the emulated function `name` of libcuda, libnvrtc or libcublasLt; null when it is not emulated.
void *_Nullable cuda_emulation_symbol(const char *_Nonnull name);

/// Memory of the emulated device in bytes; allocations beyond it fail as a full device does. Default 1 GiB.
void cuda_emulation_set_memory(int64_t bytes);
/// Shared memory that the device gives a block, in bytes: 99 KiB on the smallest (8.6, 8.9, 12.0). Default 227 KiB.
void cuda_emulation_set_shared_memory(int32_t bytes);
/// Makes the n-th launch from now on fail as a device fault does (sticky, like the real one); 0 = never.
void cuda_emulation_fail_launch(int64_t n);
/// Lets the n-th load of a module, or instantiation of a graph, from now on find no memory (not sticky); 0 = never.
void cuda_emulation_refuse_memory(int64_t n);
/// Makes cuBLASLt find no algorithm for any product.
void cuda_emulation_decline_products(int32_t declines);
/// Runs blocks, warps and lanes from the last to the first: what needs a barrier and has none gives other numbers.
void cuda_emulation_reverse_order(int32_t reversed);
/// Lets work on streams wait until something waits for it, as a busy device does: what reads or overwrites memory too
/// early then shows.
void cuda_emulation_defer(int32_t late);
/// Lets backends that are made from now on run kernels whose every access is checked: alignment, bounds, reads of what
/// nobody has written, and races between barriers (access_checks.cpp).
void cuda_emulation_check_accesses(int32_t checks);
/// Accesses of device and shared memory that were checked so far.
int64_t cuda_emulation_checked_accesses(void);
/// Names of the kernels that have not run with their accesses checked since the last reset, in bf16 or in 32 bits.
const char *_Nonnull cuda_emulation_never_checked(int32_t is_bf16);
/// Runs one of the kernels with a planted fault (CUDAEmulationChecked/planted.cpp); what the checks say of it, "" = nothing.
const char *_Nonnull cuda_emulation_run_planted(const char *_Nonnull name);
/// Lets the device do nothing and answer zeros: what remains is the host's own work, which can be timed.
void cuda_emulation_idle(int32_t idle);
/// What the device says of its utilisation in percent; negative (the default): it cannot be asked.
void cuda_emulation_set_utilization(int32_t percent);
/// Forgets a fault; limits and switches return to their defaults. Allocations stay.
void cuda_emulation_reset(void);

/// Device allocations alive, and their bytes.
int64_t cuda_emulation_allocations(void);
int64_t cuda_emulation_allocated_bytes(void);
/// Retained contexts, pinned host allocations, streams, events, modules and cuBLASLt objects alive.
int64_t cuda_emulation_other_objects(void);
/// The same by kind.
typedef enum {
  CUDA_EMULATION_CONTEXTS,
  CUDA_EMULATION_PINNED,
  CUDA_EMULATION_STREAMS,
  CUDA_EMULATION_EVENTS,
  CUDA_EMULATION_GRAPHS,
  CUDA_EMULATION_MODULES,
  CUDA_EMULATION_PROGRAMS,
  CUDA_EMULATION_PRODUCTS,
} cuda_emulation_kind;
int64_t cuda_emulation_alive(cuda_emulation_kind kind);
/// Bytes of this process's heap in use, the emulated device's memory among them; 0 where the C library does not say.
int64_t cuda_emulation_heap_bytes(void);
/// Calls of cuMemAlloc, kernel launches and cuBLASLt products so far.
int64_t cuda_emulation_allocation_calls(void);
int64_t cuda_emulation_launches(void);
int64_t cuda_emulation_products(void);
/// Files of kernels compiled so far.
int64_t cuda_emulation_compilations(void);
/// Graphs captured and graphs launched so far.
int64_t cuda_emulation_captures(void);
int64_t cuda_emulation_graph_launches(void);
/// What a kernel or a call did wrong since the last reset ("" = nothing): writes beyond an allocation or beyond shared
/// memory, divergent barriers, wrong arguments.
const char *_Nonnull cuda_emulation_complaint(void);

#ifdef __cplusplus
}
#endif
#endif
