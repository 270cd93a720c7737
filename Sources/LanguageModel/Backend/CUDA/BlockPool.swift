/// Decides where device memory comes from: kept blocks first, then the device, within a budget.
///
/// Pure bookkeeping; the caller does what a decision says.
///
/// Blocks are given and taken in the order of one stream, so that a block may be used again at once: whatever still runs
/// on it runs before what comes next.
struct BlockPool {
  /// What to do for a request.
  enum Decision: Equatable {
    /// Use this kept block.
    case reuse(DevicePointer)
    /// Ask the device for so many bytes, then call `adopt`.
    case request(Int)
    /// First give these kept blocks back to the device, then ask for so many bytes.
    case release([DevicePointer], thenRequest: Int)
    /// The budget does not allow it.
    case refuse
  }

  /// Bytes in blocks that are in use, and the most so far.
  private(set) var used = 0
  private(set) var peak = 0
  /// Bytes in blocks that are kept for reuse.
  private(set) var kept = 0
  /// Most bytes in use and kept; nil = no limit but the device's.
  let budget: Int?
  private var free: [Int: [DevicePointer]] = [:]
  private var sizes: [DevicePointer: Int] = [:]
  /// Blocks taken since a recording began; nil = nothing is recorded.
  private var touched: Set<DevicePointer>?
  /// Blocks that recordings refer to, and whether a tensor uses them too.
  private var recorded: [DevicePointer: Bool] = [:]

  init(budget: Int?) { self.budget = budget }

  /// Bytes of the block for a request of `bytes`: eight sizes per power of two, at least 512.
  static func blockSize(_ bytes: Int) -> Int {
    guard bytes > 512 else { return 512 }
    let step = max(512, 1 << (Int.bitWidth - 1 - (bytes - 1).leadingZeroBitCount - 3))
    return (bytes + step - 1) / step * step
  }

  /// Where `bytes` come from.
  ///
  /// `reuse` counts as in use from now on.
  mutating func take(_ bytes: Int) -> Decision {
    guard bytes >= 0, bytes <= Int.max / 4 else { return .refuse }
    var size = BlockPool.blockSize(bytes)
    let wanted = size
    // A kept block of this size, or up to two sizes larger.
    for _ in 0..<3 {
      if let address = free[size]?.popLast() {
        kept -= size
        use(size)
        touched?.insert(address)
        return .reuse(address)
      }
      size = BlockPool.blockSize(size + 1)
    }
    guard let budget else { return .request(wanted) }
    guard used + wanted <= budget else { return .refuse }
    guard used + kept + wanted > budget else { return .request(wanted) }
    // To free is to wait for the device, which nothing may do while its work is recorded.
    return isRecording ? .refuse : .release(drain(), thenRequest: wanted)
  }

  /// Counts a block of `size` bytes that the device gave.
  mutating func adopt(_ address: DevicePointer, size: Int) {
    sizes[address] = size
    use(size)
    touched?.insert(address)
  }

  /// Takes a block back for reuse.
  mutating func give(_ address: DevicePointer) {
    guard let size = sizes[address] else { return }
    guard recorded[address] == nil else {
      recorded[address] = false  // it stays with its recording
      return
    }
    used -= size
    kept += size
    free[size, default: []].append(address)
  }

  /// All kept blocks; they are no longer known here.
  mutating func drain() -> [DevicePointer] {
    let result = free.sorted { $0.key < $1.key }.flatMap(\.value)
    for address in result { sizes[address] = nil }
    free = [:]
    kept = 0
    return result
  }

  // MARK: Recordings

  var isRecording: Bool { touched != nil }

  /// What is taken from now on belongs to a recording of operations that will use it again and again.
  mutating func beginRecording() { touched = [] }

  /// Ends the recording; its blocks count as in use and are given to nobody else before `endUse`.
  ///
  /// - Returns: the blocks, to be given to `endUse` when the recording goes.
  mutating func endRecording() -> Set<DevicePointer> {
    let blocks = touched ?? []
    touched = nil
    for address in blocks { recorded[address] = true }
    for (size, addresses) in free {
      let idle = addresses.filter { blocks.contains($0) }
      guard !idle.isEmpty else { continue }
      free[size] = addresses.filter { !blocks.contains($0) }
      kept -= size * idle.count
      for address in idle {
        use(size)
        recorded[address] = false
      }
    }
    return blocks
  }

  /// The recording is gone: its blocks are free when their tensors are.
  mutating func endUse(_ blocks: Set<DevicePointer>) {
    for address in blocks.sorted() {
      guard let isInUse = recorded.removeValue(forKey: address), !isInUse else { continue }
      give(address)
    }
  }

  private mutating func use(_ size: Int) {
    used += size
    peak = max(peak, used)
  }
}
