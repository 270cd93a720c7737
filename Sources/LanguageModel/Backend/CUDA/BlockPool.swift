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
        return .reuse(address)
      }
      size = BlockPool.blockSize(size + 1)
    }
    guard let budget else { return .request(wanted) }
    guard used + wanted <= budget else { return .refuse }
    return used + kept + wanted <= budget ? .request(wanted) : .release(drain(), thenRequest: wanted)
  }

  /// Counts a block of `size` bytes that the device gave.
  mutating func adopt(_ address: DevicePointer, size: Int) {
    sizes[address] = size
    use(size)
  }

  /// Takes a block back for reuse.
  mutating func give(_ address: DevicePointer) {
    guard let size = sizes[address] else { return }
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

  private mutating func use(_ size: Int) {
    used += size
    peak = max(peak, used)
  }
}
