/// The kernels by name, with the file of kernels/ that holds each.
enum CUDAKernel: String, CaseIterable, Sendable {
  case gelu, geluBackward = "gelu_backward", gatedSiLU = "gated_silu", gatedSiLUBackward = "gated_silu_backward", add
  case attentionDelta = "attention_delta"
  case attention16 = "attention_16", attention64 = "attention_64", attention128 = "attention_128"
  case attentionKeys16 = "attention_keys_16", attentionKeys64 = "attention_keys_64"
  case attentionKeys128 = "attention_keys_128"
  case attentionQueries16 = "attention_queries_16", attentionQueries64 = "attention_queries_64"
  case attentionQueries128 = "attention_queries_128"
  case storeSequences = "store_sequences", attentionStep = "attention_step"
  case crossEntropy = "cross_entropy", topK = "top_k"
  case normalize, normalizeBackward = "normalize_backward", normalizeParameters = "normalize_parameters"
  case sumOfSquares = "sum_of_squares", finishNorm = "finish_norm", adamW = "adamw"
  case columnSums = "column_sums", product
  case rotate
  case gatherRows = "gather_rows", scatterRows = "scatter_rows", embed, embedBackward = "embed_backward", convert

  var file: String {
    switch self {
    case .gelu, .geluBackward, .gatedSiLU, .gatedSiLUBackward, .add: "activation.cu"
    case .attentionDelta, .attention16, .attention64, .attention128, .attentionKeys16, .attentionKeys64,
      .attentionKeys128, .attentionQueries16, .attentionQueries64, .attentionQueries128:
      "attention.cu"
    case .storeSequences, .attentionStep: "generation.cu"
    case .crossEntropy, .topK: "loss.cu"
    case .normalize, .normalizeBackward, .normalizeParameters: "normalization.cu"
    case .sumOfSquares, .finishNorm, .adamW: "optimizer.cu"
    case .columnSums, .product: "products.cu"
    case .rotate: "rotary.cu"
    case .gatherRows, .scatterRows, .embed, .embedBackward, .convert: "rows.cu"
    }
  }
}

/// One argument of a kernel; its bytes must be those of the kernel's parameter.
enum KernelArgument {
  case pointer(DevicePointer?)
  case int(Int)
  case long(Int)
  case float(Float)
  /// A structure of 32-bit integers, passed by value.
  case integers([Int32])

  var size: Int {
    switch self {
    case .pointer, .long: 8
    case .int, .float: 4
    case .integers(let values): 4 * values.count
    }
  }

  /// Writes the argument to 8-byte words.
  func append(to words: inout [UInt64]) {
    switch self {
    case .pointer(let address): words.append(address ?? 0)
    case .int(let value): words.append(UInt64(UInt32(bitPattern: Int32(value))))
    case .long(let value): words.append(UInt64(bitPattern: Int64(value)))
    case .float(let value): words.append(UInt64(value.bitPattern))
    case .integers(let values):
      for index in stride(from: 0, to: values.count, by: 2) {
        let high = index + 1 < values.count ? UInt64(UInt32(bitPattern: values[index + 1])) << 32 : 0
        words.append(UInt64(UInt32(bitPattern: values[index])) | high)
      }
    }
  }
}
