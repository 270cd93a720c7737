// The entry points of libcuda, libnvidia-ml and libnvrtc that the backend uses, over one emulated device.
//
// Work on a stream happens at once, in the order of calls, unless the device is told to be late
// (`cuda_emulation_defer`): then it waits until something waits for it. While a stream is captured its work goes to a
// graph, which a launch puts on a stream.
#ifdef __linux__
#include <malloc.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "access_checks.h"
#include "emulated_device.h"
#include "emulation.h"
#include "include/CUDAEmulation.h"

using namespace emulation;

namespace {

constexpr size_t guard_bytes = 256;
constexpr unsigned char guard_byte = 0xa5;

struct Function {
  const Registration* kernel;
  int shared_limit;
};
struct Module {
  int is_bf16;
  std::vector<std::unique_ptr<Function>> functions;
};
struct Program {
  std::string source, log, image;
};
struct Graph {
  std::vector<std::function<int()>> nodes;
};
// A stream: what was asked for and is not done yet, and the graph that is being captured.
struct Stream {
  std::deque<std::function<int()>> waiting;
  uint64_t done = 0;
  std::unique_ptr<Graph> capture;
  bool is_capture_broken = false;
};
// An event: what its stream has to have done. Empty until recorded.
struct Event {
  Stream* stream = nullptr;
  uint64_t position = 0;
};

std::recursive_mutex lock;
std::map<uint64_t, size_t> allocations;
std::map<void*, cuda_emulation_kind> objects;
std::set<Stream*> streams;
std::map<void*, size_t> pinned;
bool is_late = false;
bool is_idle = false;  // work is counted and not done
int utilization = -1;
int64_t graph_launches = 0, captures = 0, compilations = 0;
int64_t allocated_bytes = 0, memory_limit = 1ll << 30, allocation_calls = 0, launches = 0, fault_countdown = 0, refusal_countdown = 0;
int sticky_fault = 0, primary_context = 0;
int64_t context_count = 0;
int shared_memory = 227 << 10;  // most that a block can have
thread_local bool has_context = false;
std::string complaint;

int checked(int result) { return sticky_fault ? sticky_fault : has_context ? result : 201; }

// Complains when something wrote behind an allocation.
void check_guard(uint64_t address, size_t bytes) {
  const unsigned char* guard = (const unsigned char*)address + bytes;
  for (size_t i = 0; i < guard_bytes; ++i) {
    if (guard[i] != guard_byte) {
      complain(("a write behind an allocation of " + std::to_string(bytes) + " bytes").c_str());
      return;
    }
  }
}

// Whether the range lies within one allocation.
bool is_allocated(uint64_t address, size_t bytes) {
  auto next = allocations.upper_bound(address);
  if (next == allocations.begin()) return false;
  --next;
  return address + bytes <= next->first + next->second;
}

int require(uint64_t address, size_t bytes) {
  if (is_allocated(address, bytes)) return checked(0);
  complain("a copy or fill outside any allocation");
  return 1;
}

void* made(void* object, cuda_emulation_kind kind) {
  objects[object] = kind;
  return object;
}

int forget(void* object) { return objects.erase(object) ? 0 : 400; }

// Does what waits on a stream, up to a position.
int advance(Stream* stream, uint64_t position) {
  int result = 0;
  while (stream->done < position && !stream->waiting.empty()) {
    std::function<int()> work = std::move(stream->waiting.front());
    stream->waiting.pop_front();
    ++stream->done;
    if (int fault = work()) result = fault;
  }
  return result;
}

int finish(Stream* stream) { return advance(stream, ~0ull); }

// Whether `bytes` from `address` on are pinned host memory.
bool is_pinned(const void* address, size_t bytes) {
  auto next = pinned.upper_bound((void*)address);
  if (next == pinned.begin()) return false;
  --next;
  return (const char*)address + bytes <= (const char*)next->first + next->second;
}

// What must not be called while a stream is captured: it breaks the capture (CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED).
int refuse_capture(Stream* stream) {
  if (!stream->capture) return 0;
  stream->is_capture_broken = true;
  return 900;
}

}  // namespace

namespace emulation {
int enqueue(void* handle, std::function<int()> work) {
  std::lock_guard<std::recursive_mutex> held(lock);
  Stream* stream = (Stream*)handle;
  if (!streams.count(stream)) return 400;
  if (is_idle) return 0;
  if (stream->capture) {
    stream->capture->nodes.push_back(std::move(work));
    return 0;
  }
  if (is_late) {
    stream->waiting.push_back(std::move(work));
    return 0;
  }
  finish(stream);
  ++stream->done;
  return work();
}

void complain(const char* what) {
  if (complaint.empty()) complaint = what;
}
void* register_object(void* object) {
  std::lock_guard<std::recursive_mutex> held(lock);
  return made(object, CUDA_EMULATION_PRODUCTS);
}
bool unregister_object(void* object) {
  std::lock_guard<std::recursive_mutex> held(lock);
  return forget(object) == 0;
}
bool check_range(const void* address, size_t bytes) {
  std::lock_guard<std::recursive_mutex> held(lock);
  return is_allocated((uint64_t)address, bytes);
}
}  // namespace emulation

#define LOCKED std::lock_guard<std::recursive_mutex> held(lock)

static int cuInit_(unsigned) { return 0; }
static int cuDriverGetVersion_(int* version) { return *version = 13000, 0; }
static int cuDeviceGetCount_(int* count) { return *count = 1, 0; }
static int cuDeviceGet_(int* device, int index) { return *device = index, index == 0 ? 0 : 101; }
static int cuDeviceGetName_(char* name, int length, int) { return snprintf(name, (size_t)length, "Emulated GPU"), 0; }
static int cuDeviceTotalMem_(size_t* bytes, int) { return *bytes = (size_t)memory_limit, 0; }
static int cuDeviceGetPCIBusId_(char* id, int length, int) { return snprintf(id, (size_t)length, "0000:00:00.0"), 0; }
static int cuDeviceGetAttribute_(int* value, int attribute, int) {
  switch (attribute) {
    case 16: *value = 4; return 0;        // multiprocessors
    case 75: *value = 9; return 0;        // compute capability
    case 76: *value = 0; return 0;
    case 97: *value = shared_memory; return 0;  // shared memory per block, opted in
    default: return 1;
  }
}
static int cuDevicePrimaryCtxRetain_(void** context, int) { LOCKED; return ++context_count, *context = &primary_context, 0; }
static int cuDevicePrimaryCtxRelease_(int) { LOCKED; return context_count > 0 ? --context_count, 0 : 201; }
static int cuCtxSetCurrent_(void* context) { return has_context = context != nullptr, checked(0); }
static int cuGetErrorName_(int code, const char** text) {
  *text = code == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : code == 719 ? "CUDA_ERROR_LAUNCH_FAILED" : "CUDA_ERROR_UNKNOWN";
  return 0;
}
static int cuGetErrorString_(int, const char** text) { return *text = "emulated", 0; }

static int cuMemAlloc_(uint64_t* address, size_t bytes) {
  LOCKED;
  ++allocation_calls;
  if (int fault = checked(0)) return fault;
  if (bytes == 0) return 1;
  if (allocated_bytes + (int64_t)bytes > memory_limit) return 2;
  void* memory = nullptr;
  if (posix_memalign(&memory, 256, bytes + guard_bytes) != 0) return 2;
  memset(memory, 0xff, bytes);  // NaN in every element type
  memset((char*)memory + bytes, guard_byte, guard_bytes);
  *address = (uint64_t)memory;
  allocations[*address] = bytes;
  watch_allocation(*address, bytes);
  allocated_bytes += (int64_t)bytes;
  return 0;
}
static int cuMemFree_(uint64_t address) {
  LOCKED;
  auto found = allocations.find(address);
  if (found == allocations.end()) {
    complain("freeing what is not an allocation");
    return 1;
  }
  for (Stream* stream : streams) finish(stream);  // as the driver does: nothing may still use the memory
  check_guard(address, found->second);
  allocated_bytes -= (int64_t)found->second;
  allocations.erase(found);
  forget_allocation(address);
  free((void*)address);
  return checked(0);
}
static int cuMemGetInfo_(size_t* available, size_t* total) {
  LOCKED;
  *total = (size_t)memory_limit;
  *available = (size_t)(memory_limit - allocated_bytes);
  return checked(0);
}
static int cuMemHostAlloc_(void** pointer, size_t bytes, unsigned) {
  LOCKED;
  if (posix_memalign(pointer, 4096, bytes) != 0) return 2;
  memset(*pointer, 0xff, bytes);
  made(*pointer, CUDA_EMULATION_PINNED);
  pinned[*pointer] = bytes;
  return checked(0);
}
static int cuMemFreeHost_(void* pointer) {
  LOCKED;
  int result = forget(pointer);
  if (result == 0) {
    pinned.erase(pointer);
    free(pointer);
  }
  return result;
}
// From pinned memory when its turn comes, from other memory at once: the driver takes a copy of its own.
static int cuMemcpyHtoDAsync_(uint64_t target, const void* source, size_t bytes, void* stream) {
  LOCKED;
  if (int result = require(target, bytes)) return result;
  if (is_pinned(source, bytes))
    return enqueue(stream, [=] { return mark_written(target, bytes), memcpy((void*)target, source, bytes), 0; });
  if (streams.count((Stream*)stream) && ((Stream*)stream)->capture)
    complain("a copy from memory that is not pinned, while a stream is captured");
  std::string copy((const char*)source, bytes);
  return enqueue(stream, [=] { return mark_written(target, bytes), memcpy((void*)target, copy.data(), bytes), 0; });
}
static int cuMemcpyDtoHAsync_(void* target, uint64_t source, size_t bytes, void* stream) {
  LOCKED;
  if (int result = require(source, bytes)) return result;
  if (is_idle) return memset(target, 0, bytes), 0;
  return enqueue(stream, [=] { return memcpy(target, (const void*)source, bytes), 0; });
}
static int cuMemcpyDtoDAsync_(uint64_t target, uint64_t source, size_t bytes, void* stream) {
  LOCKED;
  int result = require(target, bytes);
  if (result == 0) result = require(source, bytes);
  if (result != 0) return result;
  return enqueue(stream, [=] {
    mark_written(target, bytes);
    return memmove((void*)target, (const void*)source, bytes), 0;
  });
}
static int cuMemsetD32Async_(uint64_t target, unsigned value, size_t count, void* stream) {
  LOCKED;
  if (int result = require(target, count * 4)) return result;
  return enqueue(stream, [=] {
    mark_written(target, count * 4);
    for (size_t i = 0; i < count; ++i) ((unsigned*)target)[i] = value;
    return 0;
  });
}
static int cuMemsetD16Async_(uint64_t target, unsigned short value, size_t count, void* stream) {
  LOCKED;
  if (int result = require(target, count * 2)) return result;
  return enqueue(stream, [=] {
    mark_written(target, count * 2);
    for (size_t i = 0; i < count; ++i) ((unsigned short*)target)[i] = value;
    return 0;
  });
}

static int cuStreamCreate_(void** stream, unsigned) {
  LOCKED;
  Stream* own = new Stream;
  streams.insert(own);
  return *stream = made(own, CUDA_EMULATION_STREAMS), checked(0);
}
static int cuStreamDestroy_(void* stream) {
  LOCKED;
  int result = forget(stream);
  if (result != 0) return result;
  finish((Stream*)stream);
  streams.erase((Stream*)stream);
  return delete (Stream*)stream, 0;
}
static int cuStreamSynchronize_(void* stream) {
  LOCKED;
  if (!streams.count((Stream*)stream)) return 400;
  if (int refused = refuse_capture((Stream*)stream)) return refused;
  int result = finish((Stream*)stream);
  return checked(result);
}
static int cuEventCreate_(void** event, unsigned) { LOCKED; return *event = made(new Event, CUDA_EMULATION_EVENTS), checked(0); }
static int cuEventDestroy_(void* event) {
  LOCKED;
  int result = forget(event);
  if (result == 0) delete (Event*)event;
  return result;
}
static int cuEventRecord_(void* event, void* stream) {
  LOCKED;
  Stream* own = (Stream*)stream;
  if (!objects.count(event) || !streams.count(own)) return 400;
  *(Event*)event = Event{own, own->done + own->waiting.size()};
  return checked(0);
}
static int cuEventSynchronize_(void* event) {
  LOCKED;
  if (!objects.count(event)) return 400;
  Event& own = *(Event*)event;
  int result = own.stream && streams.count(own.stream) ? advance(own.stream, own.position) : 0;
  return checked(result);
}

static int cuStreamBeginCapture_(void* stream, int mode) {
  LOCKED;
  Stream* own = (Stream*)stream;
  if (!streams.count(own) || mode < 0 || mode > 2) return 1;
  if (own->capture) return 900;
  own->capture = std::make_unique<Graph>();
  own->is_capture_broken = false;
  return checked(0);
}
static int cuStreamEndCapture_(void* stream, void** graph) {
  LOCKED;
  Stream* own = (Stream*)stream;
  *graph = nullptr;
  if (!streams.count(own) || !own->capture) return 1;
  std::unique_ptr<Graph> captured = std::move(own->capture);
  if (own->is_capture_broken) return 901;  // CUDA_ERROR_STREAM_CAPTURE_INVALIDATED
  ++captures;
  return *graph = made(captured.release(), CUDA_EMULATION_GRAPHS), checked(0);
}
static int cuGraphInstantiate_(void** executable, void* graph, unsigned long long) {
  LOCKED;
  if (!objects.count(graph)) return 400;
  if (refusal_countdown > 0 && --refusal_countdown == 0) return 2;
  return *executable = made(new Graph(*(Graph*)graph), CUDA_EMULATION_GRAPHS), checked(0);
}
static int cuGraphDestroy_(void* graph) {
  LOCKED;
  int result = forget(graph);
  if (result == 0) delete (Graph*)graph;
  return result;
}
static int cuGraphLaunch_(void* executable, void* stream) {
  LOCKED;
  if (!objects.count(executable)) return 400;
  if (int fault = checked(0)) return fault;
  ++graph_launches;
  for (const std::function<int()>& node : ((Graph*)executable)->nodes)
    if (int result = enqueue(stream, node)) return result;
  return 0;
}

static int cuModuleLoadData_(void** module, const void* image) {
  LOCKED;
  if (refusal_countdown > 0 && --refusal_countdown == 0) return 2;
  const char* text = (const char*)image;
  if (strncmp(text, "EMULATED ", 9) != 0) return 200;
  return *module = made(new Module{text[9] == '1', {}}, CUDA_EMULATION_MODULES), checked(0);
}
static int cuModuleUnload_(void* module) {
  LOCKED;
  int result = forget(module);
  if (result == 0) delete (Module*)module;
  return result;
}
static int cuModuleGetFunction_(void** function, void* module, const char* name) {
  LOCKED;
  if (!objects.count(module)) return 400;
  Module* own = (Module*)module;
  const Registration* kernel = find(name, own->is_bf16, checks_accesses);
  if (!kernel) return 500;
  own->functions.emplace_back(new Function{kernel, 48 << 10});  // lives as long as its module
  return *function = own->functions.back().get(), 0;
}
static int cuFuncSetAttribute_(void* function, int attribute, int value) {
  if (attribute != 8 || value > shared_memory) return 1;
  return ((Function*)function)->shared_limit = value, checked(0);
}
static int cuFuncGetParamInfo_(void* function, size_t index, size_t* offset, size_t* size) {
  const Registration* kernel = ((Function*)function)->kernel;
  if (index >= kernel->sizes.size()) return 1;
  size_t place = 0;
  for (size_t i = 0; i < index; ++i) place += kernel->sizes[i];  // without alignment: only sizes are used
  *offset = place;
  *size = kernel->sizes[index];
  return 0;
}
static int cuLaunchKernel_(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                           unsigned shared, void* stream, void** arguments, void**) {
  if (int fault = checked(0)) return fault;
  {
    LOCKED;
    ++launches;
    if (fault_countdown > 0 && --fault_countdown == 0) return sticky_fault = 719;
  }
  Function* launched = (Function*)function;
  if ((int)shared > launched->shared_limit) {
    complain("more shared memory than the kernel was allowed");
    return 1;
  }
  const Registration* kernel = launched->kernel;
  // The driver takes the arguments' values at the call.
  std::vector<std::string> values;
  for (size_t i = 0; i < kernel->sizes.size(); ++i) values.emplace_back((const char*)arguments[i], kernel->sizes[i]);
  return enqueue(stream, [=]() mutable {
    if (sticky_fault) return sticky_fault;
    std::vector<std::vector<uint64_t>> words;  // aligned as arguments are
    std::vector<void*> places;
    for (const std::string& value : values) {
      words.emplace_back((value.size() + 7) / 8);
      memcpy(words.back().data(), value.data(), value.size());
    }
    for (std::vector<uint64_t>& word : words) places.push_back(word.data());
    if (run(*kernel, {gx, gy, gz}, {bx, by, bz}, shared, places.data())) return 0;
    complaint += std::string(" (kernel ") + kernel->name + ")";
    return sticky_fault = 719;
  });
}

// NVML: one device, found by its bus. A negative utilisation is one that cannot be asked for.
static int nvmlInit_(void) { return 0; }
static int nvmlDeviceGetHandleByPciBusId_(const char* id, void** device) {
  static int only = 0;
  return strcmp(id, "0000:00:00.0") == 0 ? (*device = &only, 0) : 6;
}
static int nvmlDeviceGetUtilizationRates_(void*, unsigned* rates) {
  if (utilization < 0) return 3;
  return rates[0] = (unsigned)utilization, rates[1] = 7, 0;
}
static int nvmlDeviceGetMemoryInfo_(void*, unsigned long long* values) {
  LOCKED;
  values[0] = (unsigned long long)memory_limit;
  values[1] = (unsigned long long)(memory_limit - allocated_bytes);
  return values[2] = (unsigned long long)allocated_bytes, 0;
}

static int nvrtcVersion_(int* major, int* minor) { return *major = 13, *minor = 0, 0; }
static int nvrtcGetNumSupportedArchs_(int* count) { return *count = 2, 0; }
static int nvrtcGetSupportedArchs_(int* archs) { return archs[0] = 80, archs[1] = 90, 0; }
static const char* nvrtcGetErrorString_(int code) { return code == 6 ? "NVRTC_ERROR_COMPILATION" : "NVRTC_ERROR"; }
static int nvrtcCreateProgram_(void** program, const char* source, const char*, int, const char* const*,
                               const char* const*) {
  LOCKED;
  return *program = made(new Program{source, "", ""}, CUDA_EMULATION_PROGRAMS), 0;
}
static int nvrtcDestroyProgram_(void** program) {
  LOCKED;
  int result = forget(*program);
  if (result == 0) delete (Program*)*program;
  *program = nullptr;
  return result;
}
static int nvrtcCompileProgram_(void* program, int count, const char* const* options) {
  Program* own = (Program*)program;
  ++compilations;
  const char* storage = nullptr;
  for (int i = 0; i < count; ++i)
    if (strncmp(options[i], "-DENGRAM_BF16=", 14) == 0) storage = options[i] + 14;
  if (!storage || own->source.find("KERNEL(") == std::string::npos) {
    own->log = "no storage type, or no kernel in the text";
    return 6;
  }
  own->image = std::string("EMULATED ") + storage + std::string(1, '\0');
  return 0;
}
static int nvrtcGetCUBINSize_(void* program, size_t* size) { return *size = ((Program*)program)->image.size(), 0; }
static int nvrtcGetCUBIN_(void* program, char* image) {
  const std::string& own = ((Program*)program)->image;
  memcpy(image, own.data(), own.size());
  return 0;
}
static int nvrtcGetProgramLogSize_(void* program, size_t* size) { return *size = ((Program*)program)->log.size() + 1, 0; }
static int nvrtcGetProgramLog_(void* program, char* log) { return strcpy(log, ((Program*)program)->log.c_str()), 0; }

void* cuda_emulation_symbol(const char* name) {
  static const std::map<std::string, void*> symbols = {
#define SYMBOL(name, function) {name, (void*)&function}
      SYMBOL("cuInit", cuInit_), SYMBOL("cuDriverGetVersion", cuDriverGetVersion_),
      SYMBOL("cuDeviceGetCount", cuDeviceGetCount_), SYMBOL("cuDeviceGet", cuDeviceGet_),
      SYMBOL("cuDeviceGetName", cuDeviceGetName_), SYMBOL("cuDeviceTotalMem_v2", cuDeviceTotalMem_),
      SYMBOL("cuDeviceGetPCIBusId", cuDeviceGetPCIBusId_), SYMBOL("cuDeviceGetAttribute", cuDeviceGetAttribute_),
      SYMBOL("cuDevicePrimaryCtxRetain", cuDevicePrimaryCtxRetain_),
      SYMBOL("cuDevicePrimaryCtxRelease_v2", cuDevicePrimaryCtxRelease_), SYMBOL("cuCtxSetCurrent", cuCtxSetCurrent_),
      SYMBOL("cuGetErrorName", cuGetErrorName_), SYMBOL("cuGetErrorString", cuGetErrorString_),
      SYMBOL("cuMemAlloc_v2", cuMemAlloc_), SYMBOL("cuMemFree_v2", cuMemFree_),
      SYMBOL("cuMemGetInfo_v2", cuMemGetInfo_), SYMBOL("cuMemHostAlloc", cuMemHostAlloc_),
      SYMBOL("cuMemFreeHost", cuMemFreeHost_), SYMBOL("cuMemcpyHtoDAsync_v2", cuMemcpyHtoDAsync_),
      SYMBOL("cuMemcpyDtoHAsync_v2", cuMemcpyDtoHAsync_), SYMBOL("cuMemcpyDtoDAsync_v2", cuMemcpyDtoDAsync_),
      SYMBOL("cuMemsetD32Async", cuMemsetD32Async_), SYMBOL("cuMemsetD16Async", cuMemsetD16Async_),
      SYMBOL("cuStreamCreate", cuStreamCreate_), SYMBOL("cuStreamDestroy_v2", cuStreamDestroy_),
      SYMBOL("cuStreamSynchronize", cuStreamSynchronize_),
      SYMBOL("cuStreamBeginCapture_v2", cuStreamBeginCapture_), SYMBOL("cuStreamEndCapture", cuStreamEndCapture_),
      SYMBOL("cuGraphInstantiateWithFlags", cuGraphInstantiate_), SYMBOL("cuGraphDestroy", cuGraphDestroy_),
      SYMBOL("cuGraphExecDestroy", cuGraphDestroy_), SYMBOL("cuGraphLaunch", cuGraphLaunch_),
      SYMBOL("nvmlInit_v2", nvmlInit_), SYMBOL("nvmlDeviceGetHandleByPciBusId_v2", nvmlDeviceGetHandleByPciBusId_),
      SYMBOL("nvmlDeviceGetUtilizationRates", nvmlDeviceGetUtilizationRates_),
      SYMBOL("nvmlDeviceGetMemoryInfo", nvmlDeviceGetMemoryInfo_),
      SYMBOL("cuEventCreate", cuEventCreate_), SYMBOL("cuEventDestroy_v2", cuEventDestroy_),
      SYMBOL("cuEventRecord", cuEventRecord_), SYMBOL("cuEventSynchronize", cuEventSynchronize_),
      SYMBOL("cuModuleLoadData", cuModuleLoadData_), SYMBOL("cuModuleUnload", cuModuleUnload_),
      SYMBOL("cuModuleGetFunction", cuModuleGetFunction_), SYMBOL("cuFuncSetAttribute", cuFuncSetAttribute_),
      SYMBOL("cuFuncGetParamInfo", cuFuncGetParamInfo_), SYMBOL("cuLaunchKernel", cuLaunchKernel_),
      SYMBOL("nvrtcVersion", nvrtcVersion_), SYMBOL("nvrtcGetNumSupportedArchs", nvrtcGetNumSupportedArchs_),
      SYMBOL("nvrtcGetSupportedArchs", nvrtcGetSupportedArchs_), SYMBOL("nvrtcGetErrorString", nvrtcGetErrorString_),
      SYMBOL("nvrtcCreateProgram", nvrtcCreateProgram_), SYMBOL("nvrtcDestroyProgram", nvrtcDestroyProgram_),
      SYMBOL("nvrtcCompileProgram", nvrtcCompileProgram_), SYMBOL("nvrtcGetCUBINSize", nvrtcGetCUBINSize_),
      SYMBOL("nvrtcGetCUBIN", nvrtcGetCUBIN_), SYMBOL("nvrtcGetPTXSize", nvrtcGetCUBINSize_),
      SYMBOL("nvrtcGetPTX", nvrtcGetCUBIN_), SYMBOL("nvrtcGetProgramLogSize", nvrtcGetProgramLogSize_),
      SYMBOL("nvrtcGetProgramLog", nvrtcGetProgramLog_),
#undef SYMBOL
  };
  auto found = symbols.find(name);
  return found != symbols.end() ? found->second : emulated_cublas_symbol(name);
}

void cuda_emulation_set_memory(int64_t bytes) { memory_limit = bytes; }
void cuda_emulation_set_shared_memory(int32_t bytes) { shared_memory = bytes; }
void cuda_emulation_fail_launch(int64_t n) { fault_countdown = n; }
void cuda_emulation_refuse_memory(int64_t n) { refusal_countdown = n; }
void cuda_emulation_decline_products(int32_t declines) { decline_products = declines != 0; }
void cuda_emulation_reset(void) {
  memory_limit = 1ll << 30;
  shared_memory = 227 << 10;
  fault_countdown = 0;
  refusal_countdown = 0;
  sticky_fault = 0;
  decline_products = false;
  reverse_order = false;
  checks_accesses = false;
  forget_runs();
  is_late = false;
  is_idle = false;
  utilization = -1;
  for (Stream* stream : streams) finish(stream);
  complaint.clear();
}
void cuda_emulation_defer(int32_t late) {
  LOCKED;
  is_late = late != 0;
}
void cuda_emulation_check_accesses(int32_t checks) { LOCKED; checks_accesses = checks != 0; }
int64_t cuda_emulation_checked_accesses(void) { return checked_accesses(); }
const char* cuda_emulation_never_checked(int32_t is_bf16) {
  LOCKED;
  static std::string names;
  return (names = never_checked(is_bf16)).c_str();
}
const char* cuda_emulation_run_planted(const char* name) {
  LOCKED;
  const Registration* kernel = find(name, 0, 1);
  if (!kernel) return "no such kernel";
  static std::string found;
  std::string before = std::exchange(complaint, "");
  bool checked = std::exchange(checks_accesses, true), has = std::exchange(has_context, true);
  uint64_t memory = 0;
  constexpr size_t bytes = 4096;
  if (cuMemAlloc_(&memory, bytes) != 0) return "no memory";
  mark_written(memory, bytes / 2);
  void* arguments[] = {&memory};
  run(*kernel, {2, 1, 1}, {64, 1, 1}, 1024, arguments);
  cuMemFree_(memory);
  checks_accesses = checked, has_context = has;
  found = std::exchange(complaint, before);
  return found.c_str();
}
void cuda_emulation_idle(int32_t idle) {
  LOCKED;
  is_idle = idle != 0;
}
void cuda_emulation_set_utilization(int32_t percent) { utilization = percent; }
int64_t cuda_emulation_compilations(void) { return compilations; }
int64_t cuda_emulation_captures(void) { return captures; }
int64_t cuda_emulation_graph_launches(void) { return graph_launches; }
void cuda_emulation_reverse_order(int32_t reversed) { reverse_order = reversed != 0; }
int64_t cuda_emulation_allocations(void) { LOCKED; return (int64_t)allocations.size(); }
int64_t cuda_emulation_allocated_bytes(void) { LOCKED; return allocated_bytes; }
int64_t cuda_emulation_other_objects(void) { LOCKED; return (int64_t)objects.size() + context_count; }
int64_t cuda_emulation_alive(cuda_emulation_kind kind) {
  LOCKED;
  if (kind == CUDA_EMULATION_CONTEXTS) return context_count;
  int64_t count = 0;
  for (auto& entry : objects) count += entry.second == kind;
  return count;
}
int64_t cuda_emulation_heap_bytes(void) {
#ifdef __GLIBC__
  struct mallinfo2 state = mallinfo2();
  return (int64_t)(state.uordblks + state.hblkhd);
#else
  return 0;
#endif
}
int64_t cuda_emulation_allocation_calls(void) { return allocation_calls; }
int64_t cuda_emulation_launches(void) { return launches; }
int64_t cuda_emulation_products(void) { return product_count; }
const char* cuda_emulation_complaint(void) {
  LOCKED;
  for (auto& entry : allocations) check_guard(entry.first, entry.second);
  return complaint.c_str();
}
