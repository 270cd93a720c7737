import Synchronization

/// Working memory of one encoding: the ids so far, buffers, and the ids of words that were met before.
///
/// Only speed depends on what it remembers, never the result. It owns its memory until `free()`.
struct WordCache {
  /// Longer words are not remembered.
  static let maximumWord = 96
  /// The cache starts anew beyond this many words, so its memory is bounded (about 10 MB).
  private static let maximumWords = 1 << 16

  private struct Slot {
    var hash: UInt32 = 0
    var wordStart: UInt32 = 0
    var idStart: UInt32 = 0
    /// 0 in an empty slot.
    var wordCount: UInt16 = 0
    var idCount: UInt16 = 0
  }

  /// Ids of the text.
  var output = GrowingBuffer<Int32>(capacity: 256)
  /// Text after the normalizer.
  var normalized = GrowingBuffer<UInt8>(capacity: 256)
  /// Text whose spaces are marked.
  var marked = GrowingBuffer<UInt8>(capacity: 256)
  /// Ids of the word that is being computed, and the merges of its neighbours.
  var symbols = GrowingBuffer<Int32>(capacity: 128)
  var pairs = GrowingBuffer<UInt64>(capacity: 128)

  private var slots: UnsafeMutablePointer<Slot>
  private var mask: Int
  private var count = 0
  private var words = GrowingBuffer<UInt8>(capacity: 1 << 14)
  private var ids = GrowingBuffer<Int32>(capacity: 1 << 12)
  /// Hash and slot of the word that `append` did not know.
  private var missedHash: UInt32 = 0
  private var missedSlot = 0

  init() {
    let capacity = 1 << 12
    slots = .allocate(capacity: capacity)
    slots.initialize(repeating: Slot(), count: capacity)
    mask = capacity - 1
  }

  func free() {
    for buffer in [output, symbols, ids] { buffer.free() }
    for buffer in [normalized, marked, words] { buffer.free() }
    pairs.free()
    slots.deallocate()
  }

  /// Appends the ids of a known word to the output; false where it is not known (then call `remember`).
  ///
  /// The word has 1 to `maximumWord` bytes.
  @inline(__always)
  mutating func append(_ word: UnsafePointer<UInt8>, _ length: Int) -> Bool {
    let hash = Self.hash(word, length)
    var position = Int(hash) & mask
    while true {
      let slot = slots[position]
      if slot.wordCount == 0 { break }
      if slot.hash == hash, Int(slot.wordCount) == length,
        Self.isEqual(words.base + Int(slot.wordStart), word, length)
      {
        let start = ids.base + Int(slot.idStart)
        if slot.idCount == 1 { output.append(start[0]) } else { output.append(start, Int(slot.idCount)) }
        return true
      }
      position = (position + 1) & mask
    }
    (missedHash, missedSlot) = (hash, position)
    return false
  }

  /// Remembers `symbols` as the ids of the word that `append` has just not known.
  mutating func remember(_ word: UnsafePointer<UInt8>, _ length: Int) {
    if count >= Self.maximumWords {
      slots.update(repeating: Slot(), count: mask + 1)
      (words.count, ids.count, count) = (0, 0, 0)
      return
    }
    slots[missedSlot] = Slot(
      hash: missedHash, wordStart: UInt32(words.count), idStart: UInt32(ids.count), wordCount: UInt16(length),
      idCount: UInt16(symbols.count))
    words.append(word, length)
    ids.append(symbols.base, symbols.count)
    count += 1
    if count * 2 > mask { grow() }
  }

  private mutating func grow() {
    let capacity = 2 * (mask + 1)
    let larger = UnsafeMutablePointer<Slot>.allocate(capacity: capacity)
    larger.initialize(repeating: Slot(), count: capacity)
    for index in 0...mask where slots[index].wordCount > 0 {
      var position = Int(slots[index].hash) & (capacity - 1)
      while larger[position].wordCount > 0 { position = (position + 1) & (capacity - 1) }
      larger[position] = slots[index]
    }
    slots.deallocate()
    slots = larger
    mask = capacity - 1
  }

  /// Up to seven bytes as a number; equal for equal bytes.
  @inline(__always)
  private static func small(_ raw: UnsafeRawPointer, _ length: Int) -> UInt64 {
    if length >= 4 {
      let low = UInt64(raw.loadUnaligned(as: UInt32.self))
      return low | UInt64(raw.loadUnaligned(fromByteOffset: length - 4, as: UInt32.self)) << 32
    }
    let first = UInt64(raw.load(as: UInt8.self))
    let middle = UInt64(raw.load(fromByteOffset: length >> 1, as: UInt8.self))
    return first | middle << 8 | UInt64(raw.load(fromByteOffset: length - 1, as: UInt8.self)) << 16
  }

  @inline(__always)
  private static func isEqual(_ left: UnsafePointer<UInt8>, _ right: UnsafePointer<UInt8>, _ length: Int) -> Bool {
    let (left, right) = (UnsafeRawPointer(left), UnsafeRawPointer(right))
    if length < 8 { return small(left, length) == small(right, length) }
    var index = 0
    while index + 8 <= length {
      if left.loadUnaligned(fromByteOffset: index, as: UInt64.self)
        != right.loadUnaligned(fromByteOffset: index, as: UInt64.self)
      {
        return false
      }
      index += 8
    }
    return left.loadUnaligned(fromByteOffset: length - 8, as: UInt64.self)
      == right.loadUnaligned(fromByteOffset: length - 8, as: UInt64.self)
  }

  /// Eight bytes at a time, multiply and fold.
  @inline(__always)
  private static func hash(_ word: UnsafePointer<UInt8>, _ length: Int) -> UInt32 {
    var hash = UInt64(truncatingIfNeeded: length) &* 0x9E37_79B9_7F4A_7C15
    let raw = UnsafeRawPointer(word)
    guard length >= 8 else { return fold(hash ^ small(raw, length)) }
    var index = 0
    while index + 8 < length {
      hash = mix(hash ^ raw.loadUnaligned(fromByteOffset: index, as: UInt64.self))
      index += 8
    }
    return fold(hash ^ raw.loadUnaligned(fromByteOffset: length - 8, as: UInt64.self))
  }

  @inline(__always)
  private static func mix(_ value: UInt64) -> UInt64 {
    let product = value.multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
    return product.high ^ product.low
  }

  @inline(__always)
  private static func fold(_ value: UInt64) -> UInt32 {
    let mixed = mix(value)
    return UInt32(truncatingIfNeeded: mixed ^ mixed >> 32)
  }
}

/// Hands a cache to each encoding thread; caches come back warm.
final class WordCachePool: @unchecked Sendable {
  // Sendable: `free` changes under the lock; a cache's memory is reached only by whoever took it out.
  private let lock = Mutex<Void>(())
  private var free: [WordCache] = []

  deinit { for cache in free { cache.free() } }

  func take() -> WordCache {
    let warm = lock.withLock { _ in free.popLast() }
    return warm ?? WordCache()
  }

  func put(_ cache: WordCache) {
    // A very long text leaves large buffers behind; those are not kept.
    let isSmall =
      cache.output.capacity <= 1 << 20 && cache.normalized.capacity <= 1 << 22
      && cache.marked.capacity <= 1 << 22
    let isKept = lock.withLock { _ in
      guard isSmall, free.count < 16 else { return false }
      free.append(cache)
      return true
    }
    if !isKept { cache.free() }
  }
}
