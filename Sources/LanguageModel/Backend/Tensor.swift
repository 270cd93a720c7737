/// What a tensor's elements are; the backend decides how they are stored.
package enum ElementKind: String, Sendable {
  /// Hidden states and their gradients: the backend's own floating-point type.
  case activation
  /// Keys and values that generation keeps: read again in every step, so that a backend may store them in fewer bits.
  case cache
  /// Parameters, gradients, optimizer moments, statistics and losses: always 32-bit floating point.
  case parameter
  /// Token ids, positions, row numbers: 32-bit integers.
  case index
}

/// A handle to a dense row-major matrix that lives in a backend's memory.
///
/// Models never see the memory: values go in and out through `Backend.upload`, `write` and `download` only. A tensor
/// keeps its memory until its last reference goes; the backend then keeps that memory for the next tensor of about
/// the same size, so that taking and dropping tensors in every step is cheap.
package class Tensor {
  package let rows: Int
  package let columns: Int
  package let kind: ElementKind

  /// For backends: a handle of the given shape.
  init(rows: Int, columns: Int, kind: ElementKind) {
    self.rows = rows
    self.columns = columns
    self.kind = kind
  }

  /// rows x columns.
  package final var count: Int { rows * columns }
}

/// The weights of one linear layer or embedding table, out x in, in whatever form the backend computes with.
///
/// A frozen matrix may be packed, narrowed to bf16, or left in the mapped checkpoint. A trainable one has a 32-bit
/// `parameter` [out, in] that the optimizer updates; `Backend.refresh` then renews what the backend derived from it.
package class WeightMatrix {
  /// Number of outputs: rows of W in y = xWᵀ.
  package let outputs: Int
  /// Number of inputs: columns of W.
  package let inputs: Int
  /// The master copy [out, in] of a trainable matrix; nil when frozen.
  package let parameter: Tensor?

  /// For backends: a handle of the given shape.
  init(outputs: Int, inputs: Int, parameter: Tensor?) {
    self.outputs = outputs
    self.inputs = inputs
    self.parameter = parameter
  }
}

/// How a weight matrix lies in its source.
package enum WeightLayout: Sendable {
  /// [out, in], PyTorch's `Linear`: y = xWᵀ.
  case outputsByInputs
  /// [in, out], GPT-2's `Conv1D`: y = xW.
  case inputsByOutputs
}

/// Element types of weights in checkpoints.
package enum WeightElementType: String, Sendable {
  case float32, float16, bfloat16

  /// Bytes of one element.
  package var size: Int { self == .float32 ? 4 : 2 }
}

/// A weight as it lies in a checkpoint: row-major, little-endian, perhaps in a mapped file.
package protocol WeightSource: Sendable {
  var elementType: WeightElementType { get }
  var shape: [Int] { get }
  /// Calls `body` with the elements' bytes (not necessarily aligned). They stay valid as long as the source lives, so
  /// a backend that keeps the source may read them later.
  func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result
  /// Whether the bytes lie in a mapped file: keeping the source then costs no memory of its own. Default: false.
  var isMapped: Bool { get }
  /// Lets the system have the pages of these bytes back (offsets into the source's bytes); they are read from the file
  /// again when wanted. Default: nothing happens.
  func discardPages(_ range: Range<Int>)
}

extension WeightSource {
  package var isMapped: Bool { false }
  package func discardPages(_ range: Range<Int>) {}
}

/// Sequences that lie end to end in the rows of a tensor, without padding.
package struct PackedSequences {
  /// Row where each sequence begins, and the total at the end: count + 1 numbers.
  package let offsets: [Int]
  /// The same numbers in the backend's memory (1 x count + 1, index).
  package let deviceOffsets: Tensor

  /// Number of sequences.
  package var count: Int { offsets.count - 1 }
  /// Rows of the packed tensor.
  package var tokens: Int { offsets[offsets.count - 1] }
  /// Length of the longest sequence.
  package var longest: Int {
    var result = 0
    for index in 0..<count { result = max(result, offsets[index + 1] - offsets[index]) }
    return result
  }

  /// Packs sequences of the given lengths in their order.
  package init(lengths: [Int], backend: any Backend) throws {
    var offsets = [0]
    offsets.reserveCapacity(lengths.count + 1)
    for length in lengths { offsets.append(offsets[offsets.count - 1] + length) }
    self.offsets = offsets
    deviceOffsets = try backend.upload(indices: offsets.map(Int32.init))
  }
}

/// The sequences of a key and value cache that the rows of one step continue.
package struct CachedRows {
  /// Slot of each row.
  package let slots: [Int]
  /// Tokens that each slot holds already.
  package let lengths: [Int]
  /// The same numbers in the backend's memory: 1 x 2 count index, slots and then lengths.
  package let device: Tensor

  /// Rows whose numbers are in the backend's memory already.
  package init(slots: [Int], lengths: [Int], device: Tensor) {
    self.slots = slots
    self.lengths = lengths
    self.device = device
  }

  package init(slots: [Int], lengths: [Int], backend: any Backend) throws {
    let numbers = (slots + lengths).map { Int32($0) }
    self.init(slots: slots, lengths: lengths, device: try backend.upload(indices: numbers))
  }
}

/// Sizes of multi-head attention.
///
/// A row of `qkv` is queries | keys | values, each head after head: (heads + 2 keyValueHeads) x headSize numbers.
package struct AttentionShape: Sendable, Hashable {
  package let heads: Int
  /// Equal to `heads` for multi-head attention; a divisor of it for grouped-query attention.
  package let keyValueHeads: Int
  package let headSize: Int
  /// Factor of the scores, usually headSize^-1/2.
  package let scale: Float

  package init(heads: Int, keyValueHeads: Int, headSize: Int, scale: Float? = nil) {
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    self.headSize = headSize
    self.scale = scale ?? 1 / Float(headSize).squareRoot()
  }

  /// Columns of the attention's output: heads x headSize.
  package var queryColumns: Int { heads * headSize }
  /// Columns of keys (or values): keyValueHeads x headSize.
  package var keyColumns: Int { keyValueHeads * headSize }
  /// Columns of `qkv`.
  package var columns: Int { queryColumns + 2 * keyColumns }
}

/// Element-wise non-linearities.
package enum ActivationFunction: String, Sendable {
  /// x Φ(x) by the error function ("gelu").
  case gelu
  /// The tanh approximation ("gelu_new", "gelu_pytorch_tanh").
  case geluTanh
}

/// Normalisations over a row.
package enum Normalization: Sendable, Equatable {
  /// (x − mean) / sqrt(variance + ε) · weight + bias.
  case layerNorm(epsilon: Float)
  /// x / sqrt(mean(x²) + ε) · weight.
  case rmsNorm(epsilon: Float)
}

/// One step of AdamW (Loshchilov & Hutter 2019, decoupled weight decay) as PyTorch computes it.
package struct AdamWStep: Sendable, Equatable {
  package var learningRate: Float
  package var beta1: Float = 0.9
  package var beta2: Float = 0.999
  package var epsilon: Float = 1e-8
  package var weightDecay: Float
  /// Number of this step, from 1 (bias correction).
  package var step: Int

  package init(
    learningRate: Float, weightDecay: Float, step: Int, beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8
  ) {
    self.learningRate = learningRate
    self.weightDecay = weightDecay
    self.step = step
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
  }
}
