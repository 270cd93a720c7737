import Dispatch
import Foundation
import Glibc

/// Copies large arrays from (mapped) host memory to the device through two pinned buffers in turns: while one is on its
/// way, the other is filled.
final class WeightStaging {
  private struct Buffer {
    let memory: UnsafeMutableRawPointer
    let event: CUDADriver.Handle?
    var isUnderway = false
  }

  private let context: CUDAContext
  /// Bytes of one pinned buffer.
  let chunk: Int
  private var buffers: [Buffer] = []
  private var next = 0

  init(context: CUDAContext, chunk: Int = 32 << 20) {
    self.context = context
    self.chunk = chunk
  }

  deinit {
    guard (try? context.enter()) != nil else { return }
    for buffer in buffers {
      _ = context.driver.waitForEvent(buffer.event)
      _ = context.driver.destroyEvent(buffer.event)
      _ = context.driver.freePinned(buffer.memory)
    }
  }

  /// Copies a source in order, in pieces that begin at multiples of `chunk` bytes; the source may go when this returns.
  ///
  /// - Parameter arrived: called for every piece once it is queued on the stream, with its offset and size in bytes.
  func send(
    _ source: UnsafeRawBufferPointer, to target: (_ offset: Int) -> DevicePointer,
    arrived: (_ offset: Int, _ count: Int) throws -> Void = { _, _ in }
  ) throws {
    guard let base = source.baseAddress else { return }
    try prepare()
    for offset in stride(from: 0, to: source.count, by: chunk) {
      let count = min(chunk, source.count - offset)
      if buffers[next].isUnderway {
        try context.driver.check(context.driver.waitForEvent(buffers[next].event), "cuEventSynchronize")
      }
      WeightStaging.copy(base + offset, to: buffers[next].memory, count)
      try context.copyToDevice(target(offset), buffers[next].memory, count)
      try context.driver.check(context.driver.recordEvent(buffers[next].event, context.stream), "cuEventRecord")
      buffers[next].isUnderway = true
      try arrived(offset, count)
      next = 1 - next
    }
  }

  private func prepare() throws {
    try context.enter()
    while buffers.count < 2 {
      var memory: UnsafeMutableRawPointer?
      try context.driver.check(context.driver.allocatePinned(&memory, chunk, 0), "cuMemHostAlloc(\(chunk))")
      guard let memory else { throw CUDAError(.device, call: "cuMemHostAlloc(\(chunk))", "no memory came back") }
      var event: CUDADriver.Handle?
      let status = context.driver.createEvent(&event, CUDADriver.Constant.eventWithoutTiming)
      if status != 0 { _ = context.driver.freePinned(memory) }
      try context.driver.check(status, "cuEventCreate")
      buffers.append(Buffer(memory: memory, event: event))
    }
  }

  /// Copies with several threads where it pays: one thread alone is slower than the link.
  private static func copy(_ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, _ count: Int) {
    let piece = 2 << 20
    guard count > 2 * piece else { return target.copyMemory(from: source, byteCount: count) }
    // Sendable: each piece is written by one thread, and this function waits for all of them.
    nonisolated(unsafe) let (from, to) = (source, target)
    DispatchQueue.concurrentPerform(iterations: (count + piece - 1) / piece) { index in
      let first = index * piece
      (to + first).copyMemory(from: from + first, byteCount: min(piece, count - first))
    }
  }
}
