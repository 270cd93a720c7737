/// Keys and values of sequences that are being generated: one pair of tensors per layer, `slots` sequences of at most
/// `capacity` tokens each.
struct KeyValueCache {
  let capacity: Int
  let slots: Int
  /// [slots · K · capacity, S] per layer.
  let keys: [Tensor]
  let values: [Tensor]

  init(slots: Int, capacity: Int, shape: DecoderShape, backend: any Backend) throws {
    self.capacity = capacity
    self.slots = slots
    let make = { (_: Int) in
      try backend.makeTensor(
        rows: slots * shape.attention.keyValueHeads * capacity, columns: shape.attention.headSize, kind: .cache)
    }
    keys = try (0..<shape.layers).map(make)
    values = try (0..<shape.layers).map(make)
  }
}
