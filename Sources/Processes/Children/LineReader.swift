import Glibc

/// Reads lines from a descriptor until its end, then closes it.
package enum LineReader {
  package static func read(_ descriptor: Int32, limit: Int, _ body: ([UInt8]) -> Void) {
    var pending: [UInt8] = []
    let size = 64 * 1024
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
    defer {
      buffer.deallocate()
      Glibc.close(descriptor)
    }
    while true {
      let count = Glibc.read(descriptor, buffer.baseAddress, size)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { break }
      for line in buffer[..<count].split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
        if line.offset > 0 {
          body(pending)
          pending.removeAll(keepingCapacity: true)
        }
        let room = limit - pending.count
        pending.append(contentsOf: line.element.prefix(max(0, room)))
      }
    }
    if !pending.isEmpty { body(pending) }
  }
}
