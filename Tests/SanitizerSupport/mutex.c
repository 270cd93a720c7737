// Tells the Thread Sanitizer about the contended half of Swift's Mutex (module Synchronization).
//
// Locking and unlocking without contention are inlined into our own code, so the sanitizer sees their atomic operations.
// With contention they call `_lockSlow` and `_unlockSlow` of libswiftSynchronization, which is not built with the
// sanitizer and lets the kernel hand the lock over (FUTEX_LOCK_PI): whoever gets it that way seems to race with whoever
// had it. These functions stand in front of the library's, call them, and say what they did. Compiled into test programs,
// and to nothing without the sanitizer.

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

void __tsan_acquire(void *address);
void __tsan_release(void *address);

// The handle begins with the word that the inlined halves change, so that both name the same address.
#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY_LOCK_SLOW "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

typedef void (*LockSlow)(uint32_t thread, __attribute__((swift_context)) void *handle) __attribute__((swiftcall));
typedef bool (*TryLockSlow)(__attribute__((swift_context)) void *handle) __attribute__((swiftcall));
typedef void (*UnlockSlow)(__attribute__((swift_context)) void *handle) __attribute__((swiftcall));

static void *original(const char *name) {
  void *symbol = dlsym(RTLD_NEXT, name);
  // Another Swift than this was written for: better no run than a wrong one.
  if (!symbol) abort();
  return symbol;
}

__attribute__((swiftcall, used)) void engram_lock_slow(uint32_t thread, __attribute__((swift_context)) void *handle)
    __asm__(LOCK_SLOW);
__attribute__((swiftcall, used)) bool engram_try_lock_slow(__attribute__((swift_context)) void *handle)
    __asm__(TRY_LOCK_SLOW);
__attribute__((swiftcall, used)) void engram_unlock_slow(__attribute__((swift_context)) void *handle)
    __asm__(UNLOCK_SLOW);

__attribute__((swiftcall)) void engram_lock_slow(uint32_t thread, __attribute__((swift_context)) void *handle) {
  ((LockSlow)original(LOCK_SLOW))(thread, handle);
  __tsan_acquire(handle);
}

__attribute__((swiftcall)) bool engram_try_lock_slow(__attribute__((swift_context)) void *handle) {
  bool isLocked = ((TryLockSlow)original(TRY_LOCK_SLOW))(handle);
  if (isLocked) __tsan_acquire(handle);
  return isLocked;
}

__attribute__((swiftcall)) void engram_unlock_slow(__attribute__((swift_context)) void *handle) {
  __tsan_release(handle);
  ((UnlockSlow)original(UNLOCK_SLOW))(handle);
}

#endif
#endif
