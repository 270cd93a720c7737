import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Aligned blocks that are kept for reuse: a training step takes and drops the same sizes every time, and fresh pages
/// from the system would cost more than many operations.
///
/// Sizes are rounded up to eight classes per power of two, so that "about the same size" finds a kept block.
final class CPUMemory: Sendable {
  /// Alignment of every block: a cache line and an AVX-512 vector.
  static let alignment = 64

  private struct State: ~Copyable {
    var used = 0
    var peak = 0
    var kept = 0
    var free: [Int: [UInt]] = [:]
  }

  private let state = Mutex(State())
  private let limit: Int?
  /// What can be promised at all: the limit, else the machine's memory.
  private let ceiling: Int

  init(limit: Int?) {
    self.limit = limit
    let physical = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
    ceiling = min(limit ?? Int.max, physical > 0 ? physical : Int.max)
  }

  deinit { releaseKept() }

  var status: BackendMemory { state.withLock { BackendMemory(used: $0.used, peak: $0.peak, limit: limit) } }

  /// The size class of `bytes`.
  static func roundUp(_ bytes: Int) -> Int {
    guard bytes > 512 else { return max(64, (bytes + 63) & ~63) }
    let step = 1 << (Int.bitWidth - 1 - (bytes - 1).leadingZeroBitCount - 3)
    return (bytes + step - 1) & ~(step - 1)
  }

  /// A block of at least `bytes`, with undefined contents.
  func allocate(bytes: Int) throws(BackendError) -> UnsafeMutableRawPointer {
    guard bytes <= Int.max / 4 else { throw .outOfMemory(bytes, memory: status) }
    let size = CPUMemory.roundUp(bytes)
    let address: UInt? = state.withLock { state in
      guard state.used + size <= ceiling else { return nil }
      var found = state.free[size]?.popLast()
      if found != nil {
        state.kept -= size
      } else {
        if state.used + state.kept + size > ceiling { CPUMemory.release(&state) }
        found = CPUMemory.request(size)
        if found == nil {
          CPUMemory.release(&state)
          found = CPUMemory.request(size)
        }
      }
      guard let found else { return nil }
      state.used += size
      state.peak = max(state.peak, state.used)
      return found
    }
    guard let address, let pointer = UnsafeMutableRawPointer(bitPattern: address) else {
      throw .outOfMemory(bytes, memory: status)
    }
    return pointer
  }

  /// Takes a block back for reuse; `bytes` as asked for.
  func recycle(_ pointer: UnsafeMutableRawPointer, bytes: Int) {
    let size = CPUMemory.roundUp(bytes)
    let address = UInt(bitPattern: pointer)
    state.withLock { state in
      state.used -= size
      state.kept += size
      state.free[size, default: []].append(address)
    }
  }

  /// Gives all kept blocks to the system.
  func releaseKept() { state.withLock { CPUMemory.release(&$0) } }

  private static func request(_ size: Int) -> UInt? {
    var pointer: UnsafeMutableRawPointer?
    return posix_memalign(&pointer, alignment, size) == 0 ? pointer.map { UInt(bitPattern: $0) } : nil
  }

  private static func release(_ state: inout State) {
    for blocks in state.free.values {
      for address in blocks { free(UnsafeMutableRawPointer(bitPattern: address)) }
    }
    state.free = [:]
    state.kept = 0
  }
}

/// A block that returns to its memory when the last reference goes.
final class CPUBuffer: @unchecked Sendable {
  // Sendable: constants; the contents are guarded by the backend's one-thread-at-a-time contract.
  let pointer: UnsafeMutableRawPointer
  private let bytes: Int
  private let memory: CPUMemory

  init(bytes: Int, memory: CPUMemory) throws(BackendError) {
    pointer = try memory.allocate(bytes: bytes)
    self.bytes = bytes
    self.memory = memory
  }

  deinit { memory.recycle(pointer, bytes: bytes) }
}

final class CPUTensor: Tensor, @unchecked Sendable {
  // Sendable: as for `Tensor`.
  let pointer: UnsafeMutableRawPointer
  private let buffer: CPUBuffer?
  private let owner: CPUTensor?

  init(rows: Int, columns: Int, kind: ElementKind, memory: CPUMemory) throws(BackendError) {
    let (count, overflow) = rows.multipliedReportingOverflow(by: columns)
    guard !overflow, count >= 0, count <= Int.max / 16 else { throw .outOfMemory(Int.max, memory: memory.status) }
    let buffer = try CPUBuffer(bytes: count * 4, memory: memory)
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
