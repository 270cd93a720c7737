// Checks of memory accesses, as compute-sanitizer's memcheck, racecheck and initcheck make them on a device: accesses that
// are not aligned or outside every allocation, reads of what nobody has written, and conflicting accesses of two threads
// that no barrier orders.
//
// The compiler calls __sanitizer_cov_load… and …store… before every access of the instrumented kernels
// (CUDAEmulationChecked). Two accesses of one place conflict when one of them writes. They are ordered by program order in a
// thread, by __syncthreads in a block, by __syncwarp in a warp, and by nothing between blocks of a launch; shuffles and
// matrix instructions order no memory. Every two bytes have a cell that holds the last write and enough of the reads since
// then to find any race with the next write. Because threads run one after another, an epoch per barrier tells order.
#include "access_checks.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "emulation.h"

#ifdef __linux__
#include <link.h>
#endif

namespace emulation {
namespace {

struct Moment {
  uint32_t block, block_epoch, warp_epoch, thread;
};

struct Cell {
  uint32_t session;  // the launch (global memory) or run of a block (shared) that the rest is about
  bool is_initialized, is_written, is_read, is_pending;
  bool many_lanes, many_warps, many_blocks;  // who has read, beyond `read`
  Moment write, read;
};

constexpr size_t unit = 2;  // bytes of a cell; no kernel accesses single bytes

// Cells of an allocation, made when they are first needed: most of it may never be touched.
struct Shadow {
  size_t bytes;
  Cell* cells;
  bool is_fresh;  // whether everything written since it was made has been seen
  size_t cell_bytes() const { return (bytes / unit + 1) * sizeof(Cell); }
};
std::map<uint64_t, Shadow> shadows;  // under the device's lock, which a launch holds

// Static shared variables are thread-local ones of the emulation.
struct Range {
  const unsigned char* start = nullptr;
  size_t bytes = 0;
  bool contains(const void* address) const { return (size_t)((const unsigned char*)address - start) < bytes; }
};

struct Checks {
  bool is_running = false;
  uint32_t launch = 0, block = 0, block_run = 0, block_epoch = 0;
  std::vector<uint32_t> warp_epochs = std::vector<uint32_t>(32);
  Range stacks, shared, fixed;
  std::vector<Cell> shared_cells, fixed_cells;
  uint64_t last_start = 1;  // of the allocation that was accessed last
  Shadow* last = nullptr;
};
thread_local Checks checks;
uint32_t launches = 0;
int64_t accesses = 0;

Range thread_local_range() {
  Range range;
#ifdef __linux__
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* result) {
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          if (info->dlpi_phdr[i].p_type != PT_TLS || !info->dlpi_tls_data) continue;
          Range found{(const unsigned char*)info->dlpi_tls_data, info->dlpi_phdr[i].p_memsz};
          if (found.contains(&position)) *(Range*)result = found;
        }
        return 0;
      },
      &range);
#endif
  return range;
}

Shadow* shadow_at(uint64_t address) {
  if (checks.last && address - checks.last_start < checks.last->bytes) return checks.last;
  auto next = shadows.upper_bound(address);
  if (next == shadows.begin()) return nullptr;
  --next;
  if (address - next->first >= next->second.bytes) return nullptr;
  checks.last_start = next->first;
  return checks.last = &next->second;
}

Cell* cells_of(Shadow& shadow) {
  if (!shadow.cells) {
    void* memory = mmap(nullptr, shadow.cell_bytes(), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
      complain("no memory for the cells of an allocation");
      return nullptr;
    }
    shadow.cells = (Cell*)memory;
  }
  return shadow.cells;
}

std::string describe(const Moment& moment) {
  return "thread " + std::to_string(moment.thread) + " of block " + std::to_string(moment.block);
}

// What is wrong with an access of this cell; null: nothing. Notes it.
const char* check_cell(Cell& cell, bool is_shared, bool knows_writes, Access access, const Moment& now, Moment& other) {
  uint32_t session = is_shared ? checks.block_run : checks.launch;
  if (cell.session != session) {
    cell.session = session;
    cell.is_written = cell.is_read = cell.is_pending = false;
    if (is_shared) cell.is_initialized = false;
  }
  const char* wrong = nullptr;
  if (access == Access::copy_arrived) {
    cell.is_pending = false;
  } else if (cell.is_pending) {
    other = cell.write;
    return "an access of what an asynchronous copy is on its way to";
  }
  bool writes = access != Access::read;
  if (!writes && knows_writes && !cell.is_initialized) return "a read of what nobody has written";
  auto is_ordered = [&](const Moment& before) {
    if (before.block != now.block) return false;
    return before.thread == now.thread || before.block_epoch < now.block_epoch ||
           (before.thread / 32 == now.thread / 32 && before.warp_epoch < now.warp_epoch);
  };
  if (cell.is_written && !is_ordered(cell.write)) {
    other = cell.write;
    wrong = writes ? "two writes that nothing orders" : "a read and a write before it that nothing orders";
  }
  if (writes) {
    if (cell.is_read && !wrong) {
      bool same_epoch = cell.read.block == now.block && cell.read.block_epoch == now.block_epoch;
      bool same_warp = cell.read.thread / 32 == now.thread / 32;
      if (cell.many_blocks || !(same_epoch ? is_ordered(cell.read) : cell.read.block == now.block) ||
          (same_epoch && cell.many_warps) ||
          (same_epoch && same_warp && cell.many_lanes && cell.read.warp_epoch == now.warp_epoch)) {
        other = cell.read;
        wrong = "a write and a read before it that nothing orders";
      }
    }
    cell.write = now;
    cell.is_written = cell.is_initialized = true;
    cell.is_read = false;
    cell.is_pending = access == Access::copy_on_its_way;
    return wrong;
  }
  if (!cell.is_read) {
    cell.is_read = true;
    cell.many_lanes = cell.many_warps = cell.many_blocks = false;
    cell.read = now;
  } else if (cell.read.block != now.block) {
    cell.many_blocks = true;
    cell.many_lanes = cell.many_warps = false;
    cell.read = now;
  } else if (cell.read.block_epoch < now.block_epoch) {
    cell.many_lanes = cell.many_warps = false;
    cell.read = now;
  } else if (cell.read.thread / 32 != now.thread / 32) {
    cell.many_warps = true;
  } else if (cell.read.warp_epoch < now.warp_epoch) {
    cell.many_lanes = false;
    cell.read = now;
  } else if (cell.read.thread != now.thread) {
    cell.many_lanes = true;
  }
  return wrong;
}

}  // namespace

bool checks_accesses = false;
int64_t checked_accesses() { return accesses; }

void watch_allocation(uint64_t address, size_t bytes) { shadows[address] = Shadow{bytes, nullptr, checks_accesses}; }

void forget_allocation(uint64_t address) {
  auto found = shadows.find(address);
  if (found == shadows.end()) return;
  if (found->second.cells) munmap(found->second.cells, found->second.cell_bytes());
  shadows.erase(found);
}

// Cells of a range that are known from the beginning on; none while accesses are not checked.
static std::pair<Cell*, size_t> known_cells(uint64_t address, size_t bytes) {
  checks.last = nullptr;
  Shadow* shadow = checks_accesses && bytes > 0 ? shadow_at(address) : nullptr;
  Cell* cells = shadow && shadow->is_fresh ? cells_of(*shadow) : nullptr;
  checks.last = nullptr;
  if (!cells) return {nullptr, 0};
  size_t offset = address - checks.last_start;
  return {cells + offset / unit, (std::min(bytes, shadow->bytes - offset) + unit - 1) / unit};
}

void mark_written(uint64_t address, size_t bytes) {
  auto [cells, count] = known_cells(address, bytes);
  for (size_t i = 0; i < count; ++i) cells[i].is_initialized = true;
}

bool was_written(uint64_t address, size_t bytes) {
  auto [cells, count] = known_cells(address, bytes);
  for (size_t i = 0; i < count; ++i)
    if (!cells[i].is_initialized) return false;
  return true;
}

void begin_checks(const unsigned char* stacks, size_t stack_bytes) {
  checks.is_running = true;
  checks.launch = ++launches;
  checks.last = nullptr;
  checks.stacks = Range{stacks, stack_bytes};
  if (!checks.fixed.start) {
    checks.fixed = thread_local_range();
    checks.fixed_cells.resize(checks.fixed.bytes / unit + 1);
  }
}

void begin_block_checks(uint32_t block, unsigned char* shared, size_t shared_bytes) {
  checks.block = block;
  ++checks.block_run;
  checks.block_epoch = 0;
  checks.warp_epochs.assign(32, 0);
  checks.shared = Range{shared, shared_bytes};
  if (checks.shared_cells.size() < shared_bytes / unit + 1) checks.shared_cells.resize(shared_bytes / unit + 1);
}

void end_checks() { checks.is_running = false; }

void order_block() { ++checks.block_epoch; }
void order_warp(unsigned warp) { ++checks.warp_epochs[warp]; }

void check_access(const void* address, size_t bytes, Access access, unsigned thread) {
  if (!checks.is_running || checks.stacks.contains(address)) return;
  Range places{(const unsigned char*)&position, sizeof position};
  if (places.contains(address)) return;
  ++accesses;
  Cell* cells = nullptr;
  size_t offset = 0, size = 0;
  bool is_shared = true, knows_writes = true;
  const char* where = "nothing";
  if (checks.shared.contains(address)) {
    offset = (size_t)((const unsigned char*)address - checks.shared.start);
    cells = checks.shared_cells.data(), size = checks.shared.bytes, where = "shared memory";
  } else if (checks.fixed.contains(address)) {
    offset = (size_t)((const unsigned char*)address - checks.fixed.start);
    cells = checks.fixed_cells.data(), size = checks.fixed.bytes, where = "a static shared variable";
  } else if (Shadow* shadow = shadow_at((uint64_t)address)) {
    offset = (uint64_t)address - checks.last_start;
    cells = cells_of(*shadow), size = shadow->bytes, is_shared = false, knows_writes = shadow->is_fresh;
    where = "an allocation";
  }
  Moment now{checks.block, checks.block_epoch, checks.warp_epochs[thread / 32], thread}, other{};
  const char* wrong = nullptr;
  bool is_race = false;
  if (!cells) {
    wrong = "an access outside every allocation";
  } else if ((uint64_t)address % bytes != 0) {
    wrong = "an access that is not aligned";
  } else if (offset + bytes > size) {
    wrong = "an access beyond the end";
  } else {
    for (size_t i = offset / unit; i < (offset + bytes + unit - 1) / unit && !wrong; ++i) {
      wrong = check_cell(cells[i], is_shared, knows_writes, access, now, other);
      is_race = wrong && strstr(wrong, "order");
    }
  }
  if (!wrong) return;
  std::string text = std::string(wrong) + ": " + std::to_string(bytes) + " bytes at " + std::to_string(offset) + " of " +
                     where + " (" + std::to_string(size) + " bytes) by " + describe(now);
  if (is_race) text += ", the other by " + describe(other);
  fail(text.c_str());
}

void check_whole(const void* address) {
  if (checks.is_running && (uint64_t)address % 16 != 0) fail("an access that is not aligned: 16 bytes");
}

}  // namespace emulation

// The compiler's calls (clang, -fsanitize-coverage=trace-loads,trace-stores).
#define CALLS(bytes)                                                                                                   \
  extern "C" void __sanitizer_cov_load##bytes(const void* address) {                                                   \
    emulation::check_access(address, bytes, emulation::Access::read, emulation::current_thread());                     \
  }                                                                                                                    \
  extern "C" void __sanitizer_cov_store##bytes(const void* address) {                                                  \
    emulation::check_access(address, bytes, emulation::Access::write, emulation::current_thread());                    \
  }
CALLS(1)
CALLS(2)
CALLS(4)
CALLS(8)
CALLS(16)
