/// The merge rules of a BPE vocabulary.
///
/// Sennrich et al. 2016, arXiv:1508.07909: of all adjacent pairs the one learned first is merged first, the leftmost
/// first among equals.
struct BytePairModel: Sendable {
  /// Open-addressing table: pair of ids → rank of its merge and resulting id.
  ///
  /// Two words a slot: key, rank << 32 | id.
  private let slots: [UInt64]
  private let mask: Int
  private static let empty = UInt64.max

  struct Merge {
    let left: Int32
    let right: Int32
    let result: Int32
  }

  /// Merges in order of rank.
  init(_ merges: [Merge]) {
    var capacity = 16
    while capacity < merges.count * 2 { capacity *= 2 }
    var slots = [UInt64](repeating: Self.empty, count: capacity * 2)
    let mask = capacity - 1
    for (rank, merge) in merges.enumerated() {
      let key = Self.key(merge.left, merge.right)
      var slot = Self.hash(key) & mask
      while slots[2 * slot] != Self.empty, slots[2 * slot] != key { slot = (slot + 1) & mask }
      // As in the reference, a repeated pair takes its last rank.
      slots[2 * slot] = key
      slots[2 * slot + 1] = UInt64(rank) << 32 | UInt64(UInt32(bitPattern: merge.result))
    }
    self.slots = slots
    self.mask = mask
  }

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  private static func hash(_ key: UInt64) -> Int {
    Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 29)
  }

  /// rank << 32 | id of merging a pair, or `UInt64.max` where there is no such merge.
  @inline(__always)
  private func lookup(_ table: UnsafePointer<UInt64>, _ left: Int32, _ right: Int32) -> UInt64 {
    let key = Self.key(left, right)
    var slot = Self.hash(key) & mask
    while true {
      let found = table[2 * slot]
      if found == key { return table[2 * slot + 1] }
      if found == Self.empty { return Self.empty }
      slot = (slot + 1) & mask
    }
  }

  /// Words up to this many symbols are merged by scanning, longer ones with a heap: O(n log n).
  private static let scanLimit = 48

  /// Merges `symbols` in place as far as the rules go.
  func merge(_ symbols: inout [Int32]) {
    let count = symbols.count
    let left = withUnsafeTemporaryAllocation(of: UInt64.self, capacity: max(count, 1)) { pairs in
      symbols.withUnsafeMutableBufferPointer { symbols in
        symbols.baseAddress.map { merge($0, count, pairs.baseAddress) } ?? 0
      }
    }
    symbols.removeLast(count - left)
  }

  /// Merges `count` symbols in place and returns how many are left; `pairs` has room for as many.
  func merge(_ symbols: UnsafeMutablePointer<Int32>, _ count: Int, _ pairs: UnsafeMutablePointer<UInt64>?) -> Int {
    guard count > 1 else { return count }
    return slots.withUnsafeBufferPointer { table in
      guard let table = table.baseAddress else { return count }
      guard count <= Self.scanLimit, let pairs else { return mergeByHeap(symbols, count, table) }
      return mergeByScan(symbols, count, pairs, table)
    }
  }

  private func mergeByScan(
    _ symbols: UnsafeMutablePointer<Int32>, _ length: Int, _ pairs: UnsafeMutablePointer<UInt64>,
    _ table: UnsafePointer<UInt64>
  ) -> Int {
    var count = length
    for index in 0..<(count - 1) { pairs[index] = lookup(table, symbols[index], symbols[index + 1]) }
    while count > 1 {
      var best = Self.empty
      var position = 0
      for index in 0..<(count - 1) where pairs[index] < best {
        best = pairs[index]
        position = index
      }
      if best == Self.empty { break }
      symbols[position] = Int32(bitPattern: UInt32(truncatingIfNeeded: best))
      count -= 1
      var index = position + 1
      while index < count {
        symbols[index] = symbols[index + 1]
        pairs[index - 1] = pairs[index]
        index += 1
      }
      if position > 0 { pairs[position - 1] = lookup(table, symbols[position - 1], symbols[position]) }
      if position + 1 < count { pairs[position] = lookup(table, symbols[position], symbols[position + 1]) }
    }
    return count
  }

  /// A candidate merge: ordered by rank, then position.
  private struct Candidate {
    let rank: UInt32
    let position: Int32
    let result: Int32

    func precedes(_ other: Candidate) -> Bool { (rank, position) < (other.rank, other.position) }
  }

  private func mergeByHeap(
    _ symbols: UnsafeMutablePointer<Int32>, _ count: Int, _ table: UnsafePointer<UInt64>
  ) -> Int {
    var next = (0..<Int32(count)).map { $0 + 1 }
    var previous = (0..<Int32(count)).map { $0 - 1 }
    var heap = BinaryHeap<Candidate> { $0.precedes($1) }
    // A symbol that was merged into its left neighbour.
    let gone: Int32 = -1
    func push(_ position: Int, _ following: Int) {
      let found = lookup(table, symbols[position], symbols[following])
      guard found != Self.empty else { return }
      heap.push(
        Candidate(
          rank: UInt32(found >> 32), position: Int32(position),
          result: Int32(bitPattern: UInt32(truncatingIfNeeded: found))))
    }
    for index in 0..<(count - 1) { push(index, index + 1) }
    while let top = heap.pop() {
      let position = Int(top.position)
      let following = Int(next[position])
      guard symbols[position] != gone, following < count else { continue }
      // As in the reference: an entry counts as long as its place still merges into the same token.
      let found = lookup(table, symbols[position], symbols[following])
      guard found != Self.empty, Int32(bitPattern: UInt32(truncatingIfNeeded: found)) == top.result else { continue }
      symbols[position] = top.result
      symbols[following] = gone
      let after = Int(next[following])
      next[position] = Int32(after)
      if after < count { previous[after] = Int32(position) }
      if previous[position] >= 0 { push(Int(previous[position]), position) }
      if after < count { push(position, after) }
    }
    var kept = 0
    for index in 0..<count where symbols[index] != gone {
      symbols[kept] = symbols[index]
      kept += 1
    }
    return kept
  }
}

/// A binary heap whose first element precedes all others.
struct BinaryHeap<Element> {
  private var items: [Element] = []
  private let precedes: (Element, Element) -> Bool

  init(_ precedes: @escaping (Element, Element) -> Bool) { self.precedes = precedes }

  var first: Element? { items.first }

  mutating func push(_ element: Element) {
    items.append(element)
    var child = items.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard precedes(items[child], items[parent]) else { return }
      items.swapAt(child, parent)
      child = parent
    }
  }

  mutating func pop() -> Element? {
    guard let first = items.first else { return nil }
    let last = items.removeLast()
    guard !items.isEmpty else { return first }
    items[0] = last
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < items.count else { return first }
      if child + 1 < items.count, precedes(items[child + 1], items[child]) { child += 1 }
      guard precedes(items[child], items[parent]) else { return first }
      items.swapAt(child, parent)
      parent = child
    }
  }
}
