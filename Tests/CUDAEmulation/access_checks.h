// What a checked launch's threads do with memory (access_checks.cpp). All functions do nothing while no checked launch runs
// on the calling thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace emulation {
// Whether kernels that are looked up from now on are the instrumented ones.
extern bool checks_accesses;
int64_t checked_accesses();

// A device allocation was made or freed. What is made while accesses are checked counts as unwritten at first.
void watch_allocation(uint64_t address, size_t bytes);
void forget_allocation(uint64_t address);
// A copy, fill or product wrote there.
void mark_written(uint64_t address, size_t bytes);
// Whether everything there has been written, as far as is known.
bool was_written(uint64_t address, size_t bytes);

// A checked launch begins, each of its blocks, and it ends.
void begin_checks(const unsigned char* stacks, size_t stack_bytes);
void begin_block_checks(uint32_t block, unsigned char* shared, size_t shared_bytes);
void end_checks();

// The block's barrier, or the warp's, has opened: what was done before it happens before what comes after.
void order_block();
void order_warp(unsigned warp);

enum class Access { read, write, copy_on_its_way, copy_arrived };
// Thread `thread` of the block accesses `bytes` at `address`.
void check_access(const void* address, size_t bytes, Access access, unsigned thread);
}  // namespace emulation
