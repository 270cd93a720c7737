// The thread pool.
#define _GNU_SOURCE
#include "lm_context.h"

#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#define PAUSE() _mm_pause()
#else
#define PAUSE() ((void)0)
#endif

int lm_processors(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set) > 0 ? CPU_COUNT(&set) : 1;
  long count = sysconf(_SC_NPROCESSORS_ONLN);
  return count > 0 ? (int)count : 1;
}

// MARK: Pool

// A worker spins this often before it sleeps: about 20-50 microseconds, the time between two operations of a small
// model; a wake-up from sleep costs about as much.
enum { SPINS = 2000 };

// Waits while `word` has the value that was seen: first by spinning; when the others seem not to be running (more
// threads than free processors), asleep, so that they can. The time limit is a precaution only.
static inline void relax(lm_context *context, _Atomic unsigned *word, unsigned seen, int *spins) {
  if (++*spins < SPINS) {
    PAUSE();
    return;
  }
  struct timespec limit = {0, 2000000};
  atomic_fetch_add(&context->waiting, 1);
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, &limit, NULL, 0);
  atomic_fetch_sub(&context->waiting, 1);
}

// Wakes whoever sleeps on `word`, which has just changed.
static inline void rouse(lm_context *context, _Atomic unsigned *word) {
  if (atomic_load(&context->waiting) > 0) syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

typedef struct {
  lm_context *context;
  int thread;
} lm_worker;

static void *work(void *raw) {
  lm_worker worker = *(lm_worker *)raw;
  free(raw);
  lm_context *context = worker.context;
  unsigned seen = 0;
  for (;;) {
    int spins = 0;
    while (atomic_load_explicit(&context->sequence, memory_order_acquire) == seen) {
      if (++spins < SPINS) {
        PAUSE();
        continue;
      }
      pthread_mutex_lock(&context->lock);
      atomic_fetch_add(&context->sleepers, 1);
      while (atomic_load(&context->sequence) == seen) pthread_cond_wait(&context->wake, &context->lock);
      atomic_fetch_sub(&context->sleepers, 1);
      pthread_mutex_unlock(&context->lock);
    }
    seen = atomic_load_explicit(&context->sequence, memory_order_acquire);
    if (atomic_load(&context->stop)) return NULL;
    context->task(context->argument, worker.thread, context->task_threads);
    if (atomic_fetch_sub(&context->pending, 1) == 1) rouse(context, &context->pending);
  }
}

static void publish(lm_context *context) {
  atomic_fetch_add(&context->sequence, 1);
  if (atomic_load(&context->sleepers) > 0) {
    pthread_mutex_lock(&context->lock);
    pthread_cond_broadcast(&context->wake);
    pthread_mutex_unlock(&context->lock);
  }
}

void lm_parallel(lm_context *context, double nanoseconds, lm_task task, void *argument) {
  atomic_store_explicit(&context->next, 0, memory_order_relaxed);
  if (context->threads == 1 || nanoseconds < 8000) {
    task(argument, 0, 1);
    return;
  }
  context->task = task;
  context->argument = argument;
  context->task_threads = context->threads;
  atomic_store(&context->barrier_count, 0);
  atomic_store_explicit(&context->pending, (unsigned)context->threads - 1, memory_order_relaxed);
  publish(context);
  task(argument, 0, context->threads);
  int spins = 0;
  for (unsigned left; (left = atomic_load_explicit(&context->pending, memory_order_acquire)) > 0;)
    relax(context, &context->pending, left, &spins);
}

void lm_barrier(lm_context *context, int threads) {
  if (threads == 1) return;
  unsigned generation = atomic_load(&context->barrier_generation);
  if (atomic_fetch_add(&context->barrier_count, 1) == threads - 1) {
    atomic_store(&context->barrier_count, 0);
    atomic_fetch_add(&context->barrier_generation, 1);
    rouse(context, &context->barrier_generation);
    return;
  }
  int spins = 0;
  while (atomic_load_explicit(&context->barrier_generation, memory_order_acquire) == generation)
    relax(context, &context->barrier_generation, generation, &spins);
}

// MARK: Life

enum { HUGE_PAGE = 2 << 20 };

void *lm_reserve(lm_scratch *scratch, size_t size) {
  if (size <= scratch->size) return scratch->memory;
  free(scratch->memory);
  scratch->memory = NULL;
  scratch->size = 0;
  size = (size + size / 4 + 4095) & ~(size_t)4095;
  bool large = size >= HUGE_PAGE;
  if (posix_memalign(&scratch->memory, large ? HUGE_PAGE : 64, size) != 0) {
    scratch->memory = NULL;
    return NULL;
  }
  if (large) madvise(scratch->memory, size, MADV_HUGEPAGE);
  scratch->size = size;
  return scratch->memory;
}

lm_context *lm_context_create(int threads, int isa) {
  lm_context *context = calloc(1, sizeof *context);
  if (!context) return NULL;
  int best = lm_best_isa();
  context->threads = threads < 1 ? 1 : threads;
  context->isa = isa == LM_AMX_EMULATED || isa <= best ? isa : best;
  context->local = calloc((size_t)context->threads, sizeof *context->local);
  context->workers = calloc((size_t)context->threads, sizeof *context->workers);
  pthread_mutex_init(&context->lock, NULL);
  pthread_cond_init(&context->wake, NULL);
  int started = 1;
  for (; context->local && context->workers && started < context->threads; started++) {
    lm_worker *worker = malloc(sizeof *worker);
    if (!worker) break;
    *worker = (lm_worker){context, started};
    if (pthread_create(&context->workers[started], NULL, work, worker) != 0) {
      free(worker);
      break;
    }
  }
  if (!context->local || !context->workers || started < context->threads) {
    context->threads = started;
    lm_context_destroy(context);
    return NULL;
  }
  return context;
}

void lm_context_destroy(lm_context *context) {
  if (!context) return;
  atomic_store(&context->stop, true);
  publish(context);
  for (int i = 1; context->workers && i < context->threads; i++) pthread_join(context->workers[i], NULL);
  for (int i = 0; context->local && i < context->threads; i++) free(context->local[i].memory);
  free(context->shared.memory);
  free(context->extra.memory);
  free(context->local);
  free(context->workers);
  pthread_mutex_destroy(&context->lock);
  pthread_cond_destroy(&context->wake);
  free(context);
}

int lm_context_threads(const lm_context *context) { return context->threads; }
int lm_context_isa(const lm_context *context) { return context->isa; }
size_t lm_context_scratch(const lm_context *context) {
  size_t sum = context->shared.size + context->extra.size;
  for (int i = 0; i < context->threads; i++) sum += context->local[i].size;
  return sum;
}
