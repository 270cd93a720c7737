import RandomStreams
import TestSupport
import Testing

@testable import LanguageModel

/// The allocator's bookkeeping, against a device that only counts.
@Suite(.bounded) struct BlockPoolTests {
  @Test func sizes() {
    #expect(BlockPool.blockSize(0) == 512)
    #expect(BlockPool.blockSize(513) == 1024)
    for bytes in [600, 5000, 70_001, 1 << 20, (1 << 30) + 1] {
      let size = BlockPool.blockSize(bytes)
      #expect(size >= bytes && size % 512 == 0)
      #expect(size <= bytes + max(512, bytes / 4))
      #expect(BlockPool.blockSize(size) == size)
    }
  }

  @Test func aBlockIsUsedAgain() {
    var pool = BlockPool(budget: nil)
    #expect(pool.take(1000) == .request(1024))
    pool.adopt(7, size: 1024)
    pool.give(7)
    #expect(pool.kept == 1024 && pool.used == 0)
    #expect(pool.take(900) == .reuse(7))
    #expect(pool.take(900) == .request(1024))
  }

  @Test func keptBlocksGoBeforeTheBudgetRefuses() {
    var pool = BlockPool(budget: 10_240)
    #expect(pool.take(4096) == .request(4096))
    pool.adopt(1, size: 4096)
    pool.give(1)
    #expect(pool.take(8192) == .release([1], thenRequest: 8192))
    pool.adopt(2, size: 8192)
    #expect(pool.take(4096) == .refuse)
    #expect(pool.used == 8192 && pool.kept == 0 && pool.peak == 8192)
    #expect(pool.take(Int.max / 2) == .refuse)
  }

  /// Blocks of a recording stay with it, whether their tensors live or not.
  @Test func recordings() {
    var pool = BlockPool(budget: 4096)
    #expect(pool.take(512) == .request(512))
    pool.adopt(1, size: 512)
    pool.give(1)
    pool.beginRecording()
    #expect(pool.take(512) == .reuse(1))
    #expect(pool.take(1024) == .request(1024))
    pool.adopt(2, size: 1024)
    pool.give(1)
    #expect(pool.take(512) == .reuse(1), "within a recording blocks are used again")
    pool.give(1)
    #expect(pool.take(4096) == .refuse, "nothing may be given back to the device now")
    let blocks = pool.endRecording()
    #expect(blocks == [1, 2])
    #expect(pool.used == 1536 && pool.kept == 0)
    #expect(pool.take(512) == .request(512), "block 1 is the recording's")
    pool.adopt(3, size: 512)
    pool.give(2)  // its tensor is gone, the recording is not
    #expect(pool.used == 2048)
    pool.endUse(blocks)
    #expect(pool.used == 512 && pool.kept == 1536)
    #expect(pool.take(1000) == .reuse(2))
  }

  /// Any order of taking and giving: no block is given out twice, the budget holds, the counts agree with the device's.
  @Test func anyOrder() {
    var stream = RandomStream(seed: 3, purpose: "pool")
    for _ in 0..<20 {
      let budget = 200_000
      var pool = BlockPool(budget: budget)
      var device: [DevicePointer: Int] = [:]
      var inUse: Set<DevicePointer> = []
      var next: DevicePointer = 4096
      func create(_ size: Int) -> DevicePointer {
        next += 1
        device[next] = size
        return next
      }
      for _ in 0..<400 {
        if !inUse.isEmpty, stream.integer(below: 2) == 0 {
          let address = inUse.sorted()[stream.integer(below: inUse.count)]
          inUse.remove(address)
          pool.give(address)
          continue
        }
        let bytes = stream.integer(below: 20_000)
        var address: DevicePointer?
        switch pool.take(bytes) {
        case .reuse(let block): address = block
        case .refuse: #expect(pool.used + BlockPool.blockSize(bytes) > budget)
        case .request(let size):
          address = create(size)
          pool.adopt(next, size: size)
        case .release(let blocks, let size):
          for block in blocks {
            #expect(!inUse.contains(block))
            #expect(device.removeValue(forKey: block) != nil)
          }
          address = create(size)
          pool.adopt(next, size: size)
        }
        guard let address else { continue }
        #expect(inUse.insert(address).inserted, "a block was given out twice")
        #expect(device[address] ?? 0 >= bytes)
        #expect(pool.used + pool.kept == device.values.reduce(0, +))
        #expect(pool.used + pool.kept <= budget)
      }
    }
  }
}
