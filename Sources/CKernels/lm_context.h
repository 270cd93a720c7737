// The pool of threads and its scratch memory; not public.
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "lm_common.h"

typedef struct {
  void *memory;
  size_t size;
} lm_scratch;

typedef void (*lm_task)(void *argument, int thread, int threads);

struct lm_context {
  int threads, isa;
  pthread_t *workers;
  // The job: published by bumping `sequence`; `pending` counts workers still at it.
  _Atomic unsigned sequence, pending;
  _Atomic int sleepers, waiting;  // asleep before a job, and within one
  _Atomic bool stop;
  lm_task task;
  void *argument;
  int task_threads;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  // Barrier of the running job.
  _Atomic unsigned barrier_generation;
  _Atomic int barrier_count;
  _Atomic long next;  // dynamic scheduling where units are independent
  lm_scratch shared;  // the packed left operand
  lm_scratch extra;   // a transposed result
  lm_scratch *local;  // one per thread
  double product_seconds, product_operations;  // of all products so far
};

/// Runs task(argument, t, n) for t in 0..<n on n threads; n = 1 for little work (`nanoseconds`, a rough estimate).
void lm_parallel(lm_context *context, double nanoseconds, lm_task task, void *argument);
/// Waits for all threads of the running job (n as given to the task).
void lm_barrier(lm_context *context, int threads);
/// Memory of at least `size` bytes, 64-byte aligned, kept between calls; NULL when refused.
void *lm_reserve(lm_scratch *scratch, size_t size);
