// What the emulated libraries share.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <functional>

// Address of an emulated cuBLASLt function; null when there is none.
void* emulated_cublas_symbol(const char* name);
extern bool decline_products;
extern int64_t product_count;

namespace emulation {
// Keeps count of an object until it is taken off again; false: it was not there.
void* register_object(void* object);
bool unregister_object(void* object);
// Puts work on a stream: it happens at once, when it is waited for, or whenever a graph is launched. The result is its
// status as far as it is known now.
int enqueue(void* stream, std::function<int()> work);
// Whether the range lies within one device allocation.
bool check_range(const void* address, size_t bytes);
}  // namespace emulation
