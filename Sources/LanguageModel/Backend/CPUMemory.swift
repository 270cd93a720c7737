import Glibc
import Synchronization

/// Aligned blocks out of one reserved stretch of address space, whose pages stay for reuse: a training step takes and
/// drops the same sizes every time, and fresh pages from the system would cost more than many operations.
///
/// Blocks that live for one operation or one pass take the lowest address that fits, blocks that live as long as the
/// model (packed weights) the highest; neighbours that are free become one. What is touched at the low end therefore
/// never grows much beyond the largest use at one time, whatever the sizes of the batches.
final class CPUMemory: Sendable {
  /// Alignment of every block: a cache line and an AVX-512 vector.
  static let alignment = 64

  /// Free bytes [start, end), relative to the base.
  private struct Hole {
    var start: Int
    var end: Int
  }

  private struct State: ~Copyable {
    var used = 0
    var peak = 0
    /// In ascending order, none touching another.
    var holes: [Hole]
    /// Beyond these relative addresses nothing was ever handed out: [low, high) is untouched.
    var low = 0
    var high: Int
  }

  private let state: Mutex<State>
  private let limit: Int?
  /// The machine's memory in bytes; 0 where it is not known.
  let machineBytes: Int
  /// What can be promised at all: the limit, else the machine's memory.
  private let ceiling: Int
  private let base: UInt
  private let reserved: Int

  init(limit: Int?) {
    self.limit = limit
    let physical = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
    machineBytes = max(0, physical)
    let promised = min(limit ?? Int.max, physical > 0 ? physical : Int.max, Int.max / 8)
    // Addresses cost nothing; twice as many as memory leave room between blocks.
    var size = max(2 * promised, 64 << 20) & ~(CPUMemory.hugePage - 1)
    var start = CPUMemory.reserve(size)
    while start == 0, size > 64 << 20 {
      size = (size / 2) & ~(CPUMemory.hugePage - 1)
      start = CPUMemory.reserve(size)
    }
    if start == 0 { size = 0 }
    ceiling = promised
    base = start
    reserved = size
    state = Mutex(State(holes: size == 0 ? [] : [Hole(start: 0, end: size)], high: size))
  }

  deinit {
    if reserved > 0 { munmap(UnsafeMutableRawPointer(bitPattern: base), reserved) }
  }

  var status: BackendMemory { state.withLock { BackendMemory(used: $0.used, peak: $0.peak, limit: limit) } }

  /// What a block of `bytes` takes.
  static func roundUp(_ bytes: Int) -> Int { max(alignment, (bytes + alignment - 1) & ~(alignment - 1)) }

  /// A block of at least `bytes`, with undefined contents; `lasting`: it is kept about as long as the model.
  func allocate(bytes: Int, lasting: Bool = false) throws(BackendError) -> UnsafeMutableRawPointer {
    guard bytes <= Int.max / 4 else { throw .outOfMemory(bytes, memory: status) }
    let size = CPUMemory.roundUp(bytes)
    let offset: Int? = state.withLock { state in
      guard state.used + size <= ceiling else { return nil }
      guard let offset = lasting ? CPUMemory.takeLast(size, &state) : CPUMemory.takeFirst(size, &state) else {
        return nil
      }
      if lasting {
        state.high = min(state.high, offset)
      } else {
        state.low = max(state.low, offset + size)
      }
      // Pages that free blocks still hold count as well: give them back before the machine has to refuse.
      if state.low + reserved - state.high > ceiling { trim(&state) }
      state.used += size
      state.peak = max(state.peak, state.used)
      return offset
    }
    guard let offset, let pointer = UnsafeMutableRawPointer(bitPattern: base + UInt(offset)) else {
      throw .outOfMemory(bytes, memory: status)
    }
    return pointer
  }

  /// Takes a block back for reuse; `bytes` as asked for.
  func recycle(_ pointer: UnsafeMutableRawPointer, bytes: Int) {
    let size = CPUMemory.roundUp(bytes)
    let start = Int(UInt(bitPattern: pointer) - base)
    state.withLock { state in
      state.used -= size
      var index = state.holes.partitioningIndex { $0.start > start }
      if index > 0, state.holes[index - 1].end == start {
        index -= 1
        state.holes[index].end = start + size
      } else {
        state.holes.insert(Hole(start: start, end: start + size), at: index)
      }
      if index + 1 < state.holes.count, state.holes[index + 1].start == start + size {
        state.holes[index].end = state.holes[index + 1].end
        state.holes.remove(at: index + 1)
      }
    }
  }

  /// Gives the pages of all free blocks to the system.
  func releaseKept() { state.withLock { trim(&$0) } }

  private static func takeFirst(_ size: Int, _ state: inout State) -> Int? {
    guard let index = state.holes.firstIndex(where: { $0.end - $0.start >= size }) else { return nil }
    let start = state.holes[index].start
    state.holes[index].start += size
    if state.holes[index].start == state.holes[index].end { state.holes.remove(at: index) }
    return start
  }

  private static func takeLast(_ size: Int, _ state: inout State) -> Int? {
    guard let index = state.holes.lastIndex(where: { $0.end - $0.start >= size }) else { return nil }
    state.holes[index].end -= size
    let start = state.holes[index].end
    if state.holes[index].start == start { state.holes.remove(at: index) }
    return start
  }

  private func trim(_ state: inout State) {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    for hole in state.holes {
      for (start, end) in [(hole.start, min(hole.end, state.low)), (max(hole.start, state.high), hole.end)] {
        let first = (start + page - 1) / page * page
        let last = end / page * page
        if last > first {
          madvise(UnsafeMutableRawPointer(bitPattern: base + UInt(first)), last - first, MADV_DONTNEED)
        }
      }
    }
    if let last = state.holes.first(where: { $0.start < state.low && $0.end >= state.low }) { state.low = last.start }
  }

  private static let hugePage = 2 << 20

  /// Address space without memory behind it, aligned to huge pages; 0 when refused.
  private static func reserve(_ size: Int) -> UInt {
    let flags = MAP_PRIVATE | MAP_ANON | MAP_NORESERVE
    guard let start = mmap(nil, size, PROT_READ | PROT_WRITE, flags, -1, 0), start != MAP_FAILED else { return 0 }
    madvise(start, size, MADV_HUGEPAGE)
    return UInt(bitPattern: start)
  }
}

extension Array {
  /// First index whose element satisfies `predicate`, which holds for no element before it and all behind it.
  fileprivate func partitioningIndex(_ predicate: (Element) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if predicate(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}

/// A block that returns to its memory when the last reference goes.
final class CPUBuffer {
  let pointer: UnsafeMutableRawPointer
  private let bytes: Int
  private let memory: CPUMemory

  init(bytes: Int, memory: CPUMemory, lasting: Bool = false) throws(BackendError) {
    pointer = try memory.allocate(bytes: bytes, lasting: lasting)
    self.bytes = bytes
    self.memory = memory
  }

  deinit { memory.recycle(pointer, bytes: bytes) }
}

final class CPUTensor: Tensor {
  let pointer: UnsafeMutableRawPointer
  private let buffer: CPUBuffer?
  private let owner: CPUTensor?

  init(rows: Int, columns: Int, kind: ElementKind, elementBytes: Int = 4, memory: CPUMemory) throws(BackendError) {
    let (count, overflow) = rows.multipliedReportingOverflow(by: columns)
    guard !overflow, count >= 0, count <= Int.max / 16 else { throw .outOfMemory(Int.max, memory: memory.status) }
    let buffer = try CPUBuffer(bytes: count * elementBytes, memory: memory)
    self.buffer = buffer
    pointer = buffer.pointer
    owner = nil
    super.init(rows: rows, columns: columns, kind: kind)
  }

  init(viewing tensor: CPUTensor, offset: Int, rows: Int, columns: Int) {
    pointer = tensor.pointer + offset * 4
    buffer = nil
    owner = tensor
    super.init(rows: rows, columns: columns, kind: tensor.kind)
  }
}
