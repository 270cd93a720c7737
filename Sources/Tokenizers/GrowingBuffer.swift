/// A growing run of plain values without reference counts or copy on write, for loops that run once per word.
///
/// Copies share the memory; whoever owns the buffer calls `free()` once.
struct GrowingBuffer<Element: BitwiseCopyable> {
  private(set) var base: UnsafeMutablePointer<Element>
  private(set) var capacity: Int
  var count = 0

  init(capacity: Int) {
    self.capacity = max(capacity, 1)
    base = .allocate(capacity: self.capacity)
  }

  func free() { base.deallocate() }

  var elements: UnsafeBufferPointer<Element> { UnsafeBufferPointer(start: base, count: count) }

  /// Makes room for `extra` more values.
  @inline(__always)
  mutating func reserve(_ extra: Int) {
    if count + extra > capacity { grow(count + extra) }
  }

  @inline(never)
  private mutating func grow(_ needed: Int) {
    let larger = max(needed, capacity * 2)
    let memory = UnsafeMutablePointer<Element>.allocate(capacity: larger)
    memory.update(from: base, count: count)
    base.deallocate()
    base = memory
    capacity = larger
  }

  @inline(__always)
  mutating func append(_ element: Element) {
    reserve(1)
    base[count] = element
    count += 1
  }

  @inline(__always)
  mutating func append(_ source: UnsafePointer<Element>, _ length: Int) {
    reserve(length)
    (base + count).update(from: source, count: length)
    count += length
  }

  mutating func append(contentsOf source: [Element]) {
    source.withUnsafeBufferPointer { if let base = $0.baseAddress { append(base, $0.count) } }
  }

  mutating func replace(by source: [Element]) {
    count = 0
    append(contentsOf: source)
  }
}
