/// The device's memory as the backend uses it: a `BlockPool` whose decisions are carried out on a device.
final class CUDAMemory {
  let context: CUDAContext
  private var pool: BlockPool
  /// What may be used at all.
  private let budget: Int

  /// `limit`: most bytes to use; nil = what is free on the device now, less what CUDA itself will want.
  init(context: CUDAContext, limit: Int?) throws(CUDAError) {
    self.context = context
    let available = try context.freeMemory()
    budget = min(limit ?? Int.max, available - Self.reserve(available))
    pool = BlockPool(budget: budget)
  }

  deinit { releaseKept() }

  /// Bytes left to CUDA: the code of kernels (cuBLASLt's come when they are first wanted), their stacks, and graphs.
  static func reserve(_ available: Int) -> Int { min(512 << 20, available / 16) }

  var status: BackendMemory { BackendMemory(used: pool.used, peak: pool.peak, limit: budget) }

  /// A block of at least `bytes`.
  ///
  /// Throws `BackendError` (`outOfMemory`) or `CUDAError`.
  func allocate(_ bytes: Int) throws -> DevicePointer {
    let size: Int
    switch pool.take(bytes) {
    case .reuse(let address): return address
    case .refuse: throw BackendError.outOfMemory(bytes, memory: status)
    case .request(let wanted): size = wanted
    case .release(let kept, let wanted):
      free(kept)
      size = wanted
    }
    var address = try context.allocate(size)
    if address == nil, !pool.isRecording {
      // Others use the device too, or its memory is in pieces: give back what is kept and ask once more.
      releaseKept()
      address = try context.allocate(size)
    }
    guard let address else { throw BackendError.outOfMemory(bytes, memory: status) }
    pool.adopt(address, size: size)
    return address
  }

  /// Takes a block back.
  func recycle(_ address: DevicePointer) { pool.give(address) }

  /// What is allocated from now on belongs to a recording.
  func beginRecording() { pool.beginRecording() }
  func endRecording() -> Set<DevicePointer> { pool.endRecording() }
  func endUse(_ blocks: Set<DevicePointer>) { pool.endUse(blocks) }

  /// Gives all kept blocks to the device.
  func releaseKept() { free(pool.drain()) }

  /// What is queued may still use the blocks: the device finishes first.
  private func free(_ blocks: [DevicePointer]) {
    guard !blocks.isEmpty else { return }
    try? context.synchronize()
    for address in blocks { context.free(address) }
  }
}

/// A block of device memory that returns to its pool when the last reference goes.
final class CUDABuffer {
  let address: DevicePointer
  let bytes: Int
  private let memory: CUDAMemory
  /// Counts the times that something wrote into the block, so that what was derived from it knows its age.
  var version = 0
  /// The bf16 copy of a block of parameters, and the version that it was made from.
  var narrowed: (copy: CUDABuffer, version: Int)?

  init(bytes: Int, memory: CUDAMemory) throws {
    address = try memory.allocate(bytes)
    self.bytes = bytes
    self.memory = memory
  }

  deinit { memory.recycle(address) }
}
