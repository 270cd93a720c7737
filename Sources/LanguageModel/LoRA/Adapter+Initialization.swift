import RandomStreams

extension Adapter {
  /// A fresh adapter, which changes nothing yet: A uniform in ±1/√in (Kaiming with a = √5), B zero.
  ///
  /// Every block draws from a stream of its own (`lora/init/<module>`, block number), so that a block's numbers do not
  /// depend on which others exist.
  package convenience init(_ modules: [AdapterModule], seed: UInt64, backend: any Backend) throws {
    let values = modules.map { module in
      let bound = 1 / Double(module.layer.inputs).squareRoot()
      var a: [Float] = []
      a.reserveCapacity(module.rank * module.layer.inputs)
      for (block, rank) in module.blockRanks.enumerated() {
        var stream = RandomStream(seed: seed, purpose: "lora/init/\(module.layer.name)", index: UInt64(block))
        for _ in 0..<(rank * module.layer.inputs) { a.append(Float((2 * stream.uniform() - 1) * bound)) }
      }
      return AdapterValues(a: a, b: [Float](repeating: 0, count: module.rank * module.layer.outputs))
    }
    try self.init(modules, values: values, backend: backend)
  }
}
