// Blocks, fibers, barriers and warp operations.
#include "emulation.h"

#include "access_checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <map>
#include <mutex>
#include <string>
#include <utility>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace emulation {
namespace {

enum class State : uint8_t { ready, at_warp_barrier, at_block_barrier, finished };

constexpr size_t stack_bytes = 64 << 10;
// Stacks begin at different places of their pages: at the same ones, all would want the same few lines of the caches.
constexpr size_t spread_bytes = 16 << 10;
constexpr unsigned most_threads = 1024;

#if defined(__x86_64__)
struct Context {
  void* stack_pointer;
};
extern "C" void cuda_emulation_switch(void** save, void* load);
asm(R"(
.text
.p2align 4
.globl cuda_emulation_switch
.type cuda_emulation_switch, @function
cuda_emulation_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size cuda_emulation_switch, .-cuda_emulation_switch
)");
void switch_context(Context& from, Context& to) { cuda_emulation_switch(&from.stack_pointer, to.stack_pointer); }
void prepare(Context& context, char* stack, void (*entry)()) {
  uintptr_t top = ((uintptr_t)stack + stack_bytes) & ~(uintptr_t)15;
  void** place = (void**)top;
  *--place = nullptr;        // where a return of `entry` would go: it never returns
  *--place = (void*)entry;
  for (int i = 0; i < 6; ++i) *--place = nullptr;
  context.stack_pointer = place;
}
#else
using Context = ucontext_t;
void switch_context(Context& from, Context& to) { swapcontext(&from, &to); }
void prepare(Context& context, char* stack, void (*entry)()) {
  getcontext(&context);
  context.uc_stack.ss_sp = stack;
  context.uc_stack.ss_size = stack_bytes;
  context.uc_link = nullptr;
  makecontext(&context, entry, 0);
}
#endif

// A copy that was asked for, and behind how many commits of its thread it was.
struct Copy {
  void* target;
  const void* source;  // null: zeros
  unsigned group;
};

struct Fiber {
  Context context;
  State state;
  bool orders;          // whether what it waits at orders memory accesses
  bool says;            // for block_any
  unsigned operations;  // warp operations done
  unsigned commits;
  std::vector<Copy> copies;
};

// Words that the lanes of a warp give each other. Two sets in turns: nobody can be two operations ahead.
struct Exchange {
  uint32_t words[2][32][6];
};

struct Machine {
  char* stacks = nullptr;
  std::vector<Fiber> fibers = std::vector<Fiber>(most_threads);
  std::vector<Exchange> exchanges = std::vector<Exchange>(most_threads / 32);
  Context scheduler;
  unsigned current = 0;
  const Registration* kernel = nullptr;
  void** arguments = nullptr;
  std::vector<unsigned char> shared;
  unsigned char* shared_start = nullptr;
  bool failed = false;
  bool any = false;  // what block_any found at the last barrier
};
thread_local Machine* machine = nullptr;

void fiber_main() {
  machine->kernel->invoke(machine->kernel->function, machine->arguments);
  Fiber& fiber = machine->fibers[machine->current];
  fiber.state = State::finished;
  switch_context(fiber.context, machine->scheduler);
  abort();  // a finished fiber is never run again
}

void wait(State state, bool orders) {
  Fiber& fiber = machine->fibers[machine->current];
  fiber.state = state;
  fiber.orders = orders;
  switch_context(fiber.context, machine->scheduler);
}

void resume(unsigned thread, const Index& size) {
  machine->current = thread;
  position.thread = {thread % size.x, thread / size.x % size.y, thread / (size.x * size.y)};
  switch_context(machine->scheduler, machine->fibers[thread].context);
}

// Runs a warp until all of its lanes wait for the block or have finished.
void run_warp(unsigned first, const Index& size) {
  for (;;) {
    for (unsigned turn = 0; turn < 32; ++turn) {
      unsigned thread = first + (reverse_order ? 31 - turn : turn);
      if (machine->fibers[thread].state == State::ready) resume(thread, size);
      if (machine->failed) return;
    }
    unsigned waiting = 0;
    for (unsigned lane = 0; lane < 32; ++lane) waiting += machine->fibers[first + lane].state == State::at_warp_barrier;
    if (waiting == 0) return;
    if (waiting < 32) {
      complain("a warp operation that not all lanes of the warp reach");
      machine->failed = true;
      return;
    }
    for (unsigned lane = 0; lane < 32; ++lane) {
      if (machine->fibers[first + lane].orders != machine->fibers[first].orders) {
        complain("lanes of a warp that wait at different operations");
        machine->failed = true;
        return;
      }
      machine->fibers[first + lane].state = State::ready;
    }
    if (machine->fibers[first].orders) order_warp(first / 32);
  }
}

void run_block(unsigned threads, const Index& size) {
  for (unsigned thread = 0; thread < threads; ++thread) {
    prepare(machine->fibers[thread].context, machine->stacks + thread * stack_bytes - thread * 320 % spread_bytes,
            fiber_main);
    machine->fibers[thread].state = State::ready;
    machine->fibers[thread].operations = 0;
    machine->fibers[thread].says = false;
    machine->fibers[thread].commits = 0;
    machine->fibers[thread].copies.clear();
  }
  for (;;) {
    for (unsigned first = 0; first < threads && !machine->failed; first += 32)
      run_warp(reverse_order ? threads - 32 - first : first, size);
    if (machine->failed) return;
    bool any = false;
    machine->any = false;
    for (unsigned thread = 0; thread < threads; ++thread) {
      Fiber& fiber = machine->fibers[thread];
      if (fiber.state != State::at_block_barrier) continue;
      fiber.state = State::ready;  // all that live are here: the barrier opens
      machine->any |= fiber.says;
      fiber.says = false;
      any = true;
    }
    if (!any) return;
    order_block();
  }
}

std::vector<const Registration*>& registrations() {
  static std::vector<const Registration*> all;
  return all;
}

}  // namespace

thread_local Position position;
bool reverse_order = false;

void Registration::add() { registrations().push_back(this); }

const Registration* find(const char* name, int is_bf16, int is_checked) {
  for (const Registration* kernel : registrations())
    if (kernel->is_bf16 == is_bf16 && kernel->is_checked == is_checked && strcmp(kernel->name, name) == 0) return kernel;
  return nullptr;
}

std::string never_checked(int is_bf16) {
  std::string names;
  for (const Registration* kernel : registrations())
    if (kernel->is_checked && kernel->is_bf16 == is_bf16 && !kernel->has_run && strncmp(kernel->name, "planted_", 8) != 0)
      names += std::string(names.empty() ? "" : " ") + kernel->name;
  return names;
}

void forget_runs() {
  for (const Registration* kernel : registrations()) kernel->has_run = false;
}

void block_barrier() { wait(State::at_block_barrier, true); }
void warp_barrier() { wait(State::at_warp_barrier, true); }
// Waits until all lanes are at their exchange.
static void meet() { wait(State::at_warp_barrier, false); }
bool block_any(bool value) {
  machine->fibers[machine->current].says = value;
  block_barrier();
  return machine->any;
}
unsigned current_thread() { return machine ? machine->current : 0; }
void fail(const char* what) {
  complain(what);
  machine->failed = true;
}
unsigned char* dynamic_shared_memory() { return machine->shared_start; }

uint32_t exchange(uint32_t value, unsigned lane) {
  unsigned own = position.thread.x & 31u;
  Fiber& fiber = machine->fibers[machine->current];
  Exchange& slots = machine->exchanges[machine->current / 32];
  unsigned set = fiber.operations++ & 1u;
  slots.words[set][own][0] = value;
  meet();
  return slots.words[set][lane & 31u][0];
}

void copy_async(void* target, const void* source, bool exists) {
  if (((uintptr_t)target | (uintptr_t)source) % 16 != 0) complain("an asynchronous copy of 16 bytes that are not aligned");
  Fiber& fiber = machine->fibers[machine->current];
  if (exists) check_access(source, 16, Access::read, machine->current);
  check_access(target, 16, Access::copy_on_its_way, machine->current);
  fiber.copies.push_back(Copy{target, exists ? source : nullptr, fiber.commits});
}
void commit_copies() { ++machine->fibers[machine->current].commits; }
void wait_for_copies(unsigned left) {
  Fiber& fiber = machine->fibers[machine->current];
  size_t kept = 0;
  for (const Copy& copy : fiber.copies) {
    if (copy.group + left < fiber.commits) {
      check_access(copy.target, 16, Access::copy_arrived, machine->current);
      if (copy.source) {
        memcpy(copy.target, copy.source, 16);
      } else {
        memset(copy.target, 0, 16);
      }
    } else {
      fiber.copies[kept++] = copy;
    }
  }
  fiber.copies.resize(kept);
}

// PTX ISA, "ldmatrix": lane i gives the address of row i % 8 of matrix i / 8.
void load_matrices(unsigned (&words)[4], const void* row, bool transposed) {
  if ((uintptr_t)row % 16 != 0) complain("ldmatrix from a row that is not aligned to 16 bytes");
  check_access(row, 16, Access::read, machine->current);
  unsigned own = position.thread.x & 31u;
  Fiber& fiber = machine->fibers[machine->current];
  Exchange& slots = machine->exchanges[machine->current / 32];
  unsigned set = fiber.operations++ & 1u;
  memcpy(slots.words[set][own], &row, sizeof row);
  meet();
  for (unsigned matrix = 0; matrix < 4; ++matrix) {
    unsigned short halves[2];
    for (unsigned i = 0; i < 2; ++i) {
      unsigned r = transposed ? own % 4 * 2 + i : own / 4, c = transposed ? own / 4 : own % 4 * 2 + i;
      const unsigned short* from;
      memcpy(&from, slots.words[set][matrix * 8 + r], sizeof from);
      halves[i] = from[c];
    }
    words[matrix] = (unsigned)halves[0] | (unsigned)halves[1] << 16;
  }
}

// D = A · B + C of one warp. Layout of the fragments: PTX ISA, "Matrix fragments for mma.m16n8k16 with .bf16".
void mma_m16n8k16_bf16(float (&acc)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  unsigned own = position.thread.x & 31u;
  Fiber& fiber = machine->fibers[machine->current];
  Exchange& slots = machine->exchanges[machine->current / 32];
  unsigned set = fiber.operations++ & 1u;
  for (int i = 0; i < 4; ++i) slots.words[set][own][i] = a[i];
  for (int i = 0; i < 2; ++i) slots.words[set][own][4 + i] = b[i];
  meet();
  auto number = [&](unsigned lane, unsigned word, unsigned half) {
    unsigned bits = slots.words[set][lane][word];
    return __uint_as_float(half ? bits & 0xffff0000u : bits << 16);
  };
  for (unsigned i = 0; i < 4; ++i) {
    unsigned row = own / 4 + (i >> 1) * 8, column = own % 4 * 2 + (i & 1);
    float sum = 0.0f;
    for (unsigned k = 0; k < 16; ++k) {
      unsigned holder = k % 8 / 2, high = k / 8, half = k & 1;
      sum += number(row % 8 * 4 + holder, high * 2 + row / 8, half) * number(column * 4 + holder, 4 + high, half);
    }
    acc[i] += sum;
  }
}

bool run(const Registration& kernel, Index grid, Index block, unsigned shared_bytes, void** arguments) {
  unsigned threads = block.x * block.y * block.z;
  if (threads == 0 || threads % 32 != 0 || (int)threads > kernel.threads || block.y != 1 || block.z != 1) {
    complain("a block of another size than the kernel is made for");
    return false;
  }
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535) {
    complain("a grid beyond the limits of a device");
    return false;
  }
  static thread_local Machine own;
  machine = &own;
  if (!own.stacks) {
    own.stacks = (char*)mmap(nullptr, most_threads * stack_bytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (own.stacks == MAP_FAILED) abort();
  }
  constexpr size_t guard = 64;
  own.kernel = &kernel;
  kernel.has_run = true;
  own.arguments = arguments;
  own.failed = false;
  own.shared.resize(shared_bytes + guard + 16);
  own.shared_start = (unsigned char*)(((uintptr_t)own.shared.data() + 15) & ~(uintptr_t)15);
  position.block_size = block;
  position.grid_size = grid;
  if (kernel.is_checked) begin_checks((const unsigned char*)own.stacks, most_threads * stack_bytes);
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (unsigned x = 0; x < grid.x; ++x) {
        position.block = {x, y, z};
        if (reverse_order) position.block = {grid.x - 1 - x, grid.y - 1 - y, grid.z - 1 - z};
        memset(own.shared_start, 0xff, shared_bytes);  // NaN: what is read before it is written shows
        memset(own.shared_start + shared_bytes, 0xa5, guard);
        if (kernel.is_checked) {
          uint32_t number = (position.block.z * grid.y + position.block.y) * grid.x + position.block.x;
          begin_block_checks(number, own.shared_start, shared_bytes);
        }
        run_block(threads, block);
        for (size_t i = 0; i < guard; ++i) {
          if (own.shared_start[shared_bytes + i] != 0xa5) {
            complain("a write beyond the shared memory of the launch");
            own.failed = true;
            break;
          }
        }
        if (own.failed) {
          end_checks();
          return false;
        }
      }
    }
  }
  end_checks();
  return true;
}

}  // namespace emulation
