import Synchronization

/// Remembers the ids of words.
///
/// Only speed depends on it, never the result.
struct WordCache {
  /// Longer words are not remembered.
  private static let maximumWord = 96
  /// The cache starts anew beyond this many words, so its memory is bounded (about 8 MB).
  private static let maximumWords = 1 << 16

  private struct Slot {
    var hash: UInt64 = 0
    var wordStart: UInt32 = 0
    var idStart: UInt32 = 0
    var wordCount: UInt16 = 0
    var idCount: UInt16 = 0
  }

  private var slots: [Slot] = Array(repeating: Slot(), count: 1 << 12)
  private var count = 0
  private var words: [UInt8] = []
  private var ids: [Int32] = []
  private var scratch: [Int32] = []

  /// Appends the ids of `word`, computed by `compute` where they are not known yet.
  @inline(__always)
  mutating func append(
    _ word: UnsafeBufferPointer<UInt8>, to output: inout [Int32],
    compute: (UnsafeBufferPointer<UInt8>, inout [Int32]) -> Void
  ) {
    guard let start = word.baseAddress, word.count > 0 else { return }
    guard word.count <= Self.maximumWord else {
      scratch.removeAll(keepingCapacity: true)
      compute(word, &scratch)
      output += scratch
      return
    }
    let hash = Self.hash(start, word.count)
    let mask = slots.count - 1
    var position = Int(truncatingIfNeeded: hash) & mask
    while slots[position].wordCount > 0 {
      let slot = slots[position]
      if slot.hash == hash, Int(slot.wordCount) == word.count, isEqual(slot, start) {
        let first = Int(slot.idStart)
        output.append(contentsOf: ids[first..<(first + Int(slot.idCount))])
        return
      }
      position = (position + 1) & mask
    }
    scratch.removeAll(keepingCapacity: true)
    compute(word, &scratch)
    output += scratch
    insert(word, hash, position)
  }

  private func isEqual(_ slot: Slot, _ word: UnsafePointer<UInt8>) -> Bool {
    words.withUnsafeBufferPointer { words in
      let start = Int(slot.wordStart)
      for index in 0..<Int(slot.wordCount) where words[start + index] != word[index] { return false }
      return true
    }
  }

  private mutating func insert(_ word: UnsafeBufferPointer<UInt8>, _ hash: UInt64, _ position: Int) {
    if count >= Self.maximumWords {
      for index in slots.indices { slots[index] = Slot() }
      words.removeAll(keepingCapacity: true)
      ids.removeAll(keepingCapacity: true)
      count = 0
      return
    }
    slots[position] = Slot(
      hash: hash, wordStart: UInt32(words.count), idStart: UInt32(ids.count), wordCount: UInt16(word.count),
      idCount: UInt16(scratch.count))
    words += word
    ids += scratch
    count += 1
    if count * 2 > slots.count { grow() }
  }

  private mutating func grow() {
    var larger = [Slot](repeating: Slot(), count: slots.count * 2)
    let mask = larger.count - 1
    for slot in slots where slot.wordCount > 0 {
      var position = Int(truncatingIfNeeded: slot.hash) & mask
      while larger[position].wordCount > 0 { position = (position + 1) & mask }
      larger[position] = slot
    }
    slots = larger
  }

  /// Eight bytes at a time, multiply and fold.
  @inline(__always)
  private static func hash(_ word: UnsafePointer<UInt8>, _ count: Int) -> UInt64 {
    var hash = UInt64(truncatingIfNeeded: count) &* 0x9E37_79B9_7F4A_7C15
    let raw = UnsafeRawPointer(word)
    var index = 0
    while index + 8 <= count {
      hash = mix(hash ^ raw.loadUnaligned(fromByteOffset: index, as: UInt64.self))
      index += 8
    }
    var tail: UInt64 = 0
    while index < count {
      tail = tail &<< 8 | UInt64(word[index])
      index += 1
    }
    return mix(hash ^ tail)
  }

  @inline(__always)
  private static func mix(_ value: UInt64) -> UInt64 {
    let product = value.multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
    return product.high ^ product.low
  }
}

/// Hands a cache to each encoding thread; caches come back warm.
final class WordCachePool: Sendable {
  private let free = Mutex<[WordCache]>([])

  func take() -> WordCache { free.withLock { $0.popLast() } ?? WordCache() }
  func put(_ cache: consuming WordCache) {
    let cache = cache
    free.withLock { if $0.count < 16 { $0.append(cache) } }
  }
}
