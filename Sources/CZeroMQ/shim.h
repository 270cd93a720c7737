#pragma once
#include <asm/unistd.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <zmq.h>

// Not glibc's header: Swift would look for its names in this module alone.
extern long syscall(long number, ...);

/// Takes a connection with SOCK_NONBLOCK and SOCK_CLOEXEC set from the first moment on; -1 and errno on failure.
static inline int engram_accept(int descriptor, int flags) {
  return (int)syscall(__NR_accept4, descriptor, (void *)0, (void *)0, flags);
}
