/// One linear layer's matrix and bias, with their gradients while they train.
struct LinearWeights {
  /// Name in the parameter arena: the checkpoint's names of the parts, joined by "|".
  let name: String
  let matrix: WeightMatrix
  let biasName: String?
  let bias: Tensor?
  var gradients: (weight: Tensor, bias: Tensor?)? = nil
}

/// One norm's parameters, with their gradients while they train.
struct NormWeights {
  let name: String
  let weight: Tensor
  let biasName: String?
  let bias: Tensor?
  var gradients: (weight: Tensor, bias: Tensor?)? = nil
}

/// The weights of one layer.
struct LayerWeights {
  var attentionNorm: NormWeights
  var queryKeyValue: LinearWeights
  var attentionOutput: LinearWeights
  var feedForwardNorm: NormWeights
  var up: LinearWeights
  var down: LinearWeights
}

/// All weights of a decoder in a backend's memory.
struct DecoderWeights {
  var embedding: LinearWeights
  var positions: LinearWeights?
  var embeddingNorm: NormWeights?
  var layers: [LayerWeights]
  var finalNorm: NormWeights
  var headDense: LinearWeights?
  /// The same matrix as `embedding` when tied.
  var head: LinearWeights
  /// [maximumLength, headSize]; LLaMA only.
  var rotary: Tensor?
  /// Holds all of the above when the whole model trains; nil when frozen.
  var arena: ParameterArena?

  /// Takes memory for all gradients; the layers then fill them in backward.
  mutating func attachGradients() throws {
    guard let arena else { return }
    try arena.makeGradients()
    func gradients(_ weight: String, _ bias: String?) throws -> (weight: Tensor, bias: Tensor?)? {
      try arena.gradient(weight).map { ($0, try bias.flatMap(arena.gradient)) }
    }
    try update(
      linear: { $0.gradients = try gradients($0.name, $0.biasName) },
      norm: { $0.gradients = try gradients($0.name, $0.biasName) })
  }

  /// Gives the gradients' memory back.
  mutating func detachGradients() {
    arena?.dropGradients()
    update(linear: { $0.gradients = nil }, norm: { $0.gradients = nil })
  }

  private mutating func update(
    linear: (inout LinearWeights) throws -> Void, norm: (inout NormWeights) throws -> Void
  ) rethrows {
    try linear(&embedding)
    try positions.mutate(linear)
    try embeddingNorm.mutate(norm)
    for index in layers.indices {
      try norm(&layers[index].attentionNorm)
      try linear(&layers[index].queryKeyValue)
      try linear(&layers[index].attentionOutput)
      try norm(&layers[index].feedForwardNorm)
      try linear(&layers[index].up)
      try linear(&layers[index].down)
    }
    try norm(&finalNorm)
    try headDense.mutate(linear)
    try linear(&head)
  }

  /// The matrices to renew after an optimizer step.
  var trainableMatrices: [WeightMatrix] {
    var result = [embedding.matrix]
    if let positions { result.append(positions.matrix) }
    for layer in layers {
      result += [layer.queryKeyValue.matrix, layer.attentionOutput.matrix, layer.up.matrix, layer.down.matrix]
    }
    if let headDense { result.append(headDense.matrix) }
    if head.matrix !== embedding.matrix { result.append(head.matrix) }
    return result
  }
}

/// Builds `DecoderWeights` from named sources.
///
/// Frozen weights go to the backend one by one and may stay in the mapped file. With `trainable`, everything is first
/// declared to a parameter arena and read into it.
struct WeightLoader {
  let shape: DecoderShape
  let backend: any Backend
  /// The weight of a full checkpoint name.
  let source: (String) throws -> any WeightSource
  private var arena: ParameterArena?

  init(shape: DecoderShape, backend: any Backend, source: @escaping (String) throws -> any WeightSource) {
    self.shape = shape
    self.backend = backend
    self.source = source
  }

  /// Loads everything.
  mutating func load(trainable: Bool) throws -> DecoderWeights {
    if trainable { arena = try ParameterArena(declare(), backend: backend) }
    var layers: [LayerWeights] = []
    for layer in 0..<shape.layers { layers.append(try self.layer(layer)) }
    let embedding = try linear(weights: [shape.embeddingName], biases: nil, layout: .outputsByInputs)
    return DecoderWeights(
      embedding: embedding, positions: try positions(),
      embeddingNorm: try shape.embeddingNormName.map { try norm($0) }, layers: layers,
      finalNorm: try norm(shape.finalNormName),
      headDense: try shape.headDenseName.map {
        try linear(weights: [$0 + ".weight"], biases: [$0 + ".bias"], layout: .outputsByInputs)
      },
      head: try head(embedding),
      rotary: shape.family == .llama
        ? try backend.upload(
          shape.rotaryTable(), rows: shape.maximumLength, columns: shape.headSize, kind: .parameter) : nil,
      arena: arena)
  }

  private func layer(_ layer: Int) throws -> LayerWeights {
    let names = shape.normNames(layer)
    func linear(_ slot: LinearSlot) throws -> LinearWeights {
      let names = shape.linearLayers(layer).filter { $0.slot == slot }.map(\.name)
      return try self.linear(
        weights: names.map { $0 + ".weight" }, biases: shape.hasBiases ? names.map { $0 + ".bias" } : nil,
        layout: shape.weightLayout)
    }
    return LayerWeights(
      attentionNorm: try norm(names.attention), queryKeyValue: try linear(.queryKeyValue),
      attentionOutput: try linear(.attentionOutput), feedForwardNorm: try norm(names.feedForward),
      up: try linear(.up), down: try linear(.down))
  }

  private func head(_ embedding: LinearWeights) throws -> LinearWeights {
    let bias = try shape.headBiasName.map { try vector([$0]) }
    if shape.tiedHead {
      return LinearWeights(name: embedding.name, matrix: embedding.matrix, biasName: shape.headBiasName, bias: bias)
    }
    return LinearWeights(
      name: shape.headName, matrix: try matrix([shape.headName], layout: .outputsByInputs),
      biasName: shape.headBiasName, bias: bias)
  }

  private func linear(weights: [String], biases: [String]?, layout: WeightLayout) throws -> LinearWeights {
    LinearWeights(
      name: joined(weights), matrix: try matrix(weights, layout: layout), biasName: biases.map(joined),
      bias: try biases.map { try vector($0) })
  }

  private func norm(_ name: String) throws -> NormWeights {
    let bias = shape.hasBiases ? name + ".bias" : nil
    return NormWeights(
      name: name + ".weight", weight: try vector([name + ".weight"]), biasName: bias,
      bias: try bias.map { try vector([$0]) })
  }

  private func joined(_ names: [String]) -> String { names.joined(separator: "|") }

  private func matrix(_ names: [String], layout: WeightLayout) throws -> WeightMatrix {
    let sources = try names.map { try source($0) }
    return try backend.makeMatrix(sources, layout: layout, parameter: try arena?.value(joined(names)))
  }

  private func vector(_ names: [String]) throws -> Tensor {
    var values: [Float] = []
    for name in names { values += WeightReader.floats(try source(name)) }
    guard let arena else { return try backend.upload(values, rows: 1, columns: values.count, kind: .parameter) }
    let target = try arena.value(joined(names))
    try backend.write(values, to: target)
    return target
  }

  /// The position table; RoBERTa's token type row 0 is added to each of its rows, as every token is of type 0.
  private func positions() throws -> LinearWeights? {
    guard let name = shape.positionName else { return nil }
    guard let typeName = shape.tokenTypeName else {
      return try linear(weights: [name], biases: nil, layout: .outputsByInputs)
    }
    var table = WeightReader.floats(try source(name))
    let type = WeightReader.floats(try source(typeName))
    for index in table.indices { table[index] += type[index % shape.width] }
    let folded = ArrayWeight(table, shape: [table.count / shape.width, shape.width])
    return LinearWeights(
      name: name, matrix: try backend.makeMatrix([folded], layout: .outputsByInputs, parameter: try arena?.value(name)),
      biasName: nil, bias: nil)
  }

  /// Entries of the arena: matrices and embeddings decay; biases and norms do not.
  private func declare() -> [ParameterArena.Entry] {
    var result: [ParameterArena.Entry] = []
    func matrix(_ names: [String], _ rows: Int, _ columns: Int) {
      result.append(.init(name: names.joined(separator: "|"), rows: rows, columns: columns))
    }
    func vector(_ names: [String], _ count: Int) {
      result.append(.init(name: names.joined(separator: "|"), rows: 1, columns: count, decays: false))
    }
    func norm(_ name: String) {
      vector([name + ".weight"], shape.width)
      if shape.hasBiases { vector([name + ".bias"], shape.width) }
    }
    matrix([shape.embeddingName], shape.vocabulary, shape.width)
    if let name = shape.positionName { matrix([name], shape.positionRows, shape.width) }
    if let name = shape.embeddingNormName { norm(name) }
    for layer in 0..<shape.layers {
      let names = shape.normNames(layer)
      norm(names.attention)
      norm(names.feedForward)
      for slot in LinearSlot.allCases {
        let parts = shape.linearLayers(layer).filter { $0.slot == slot }.map(\.name)
        let size = shape.size(of: slot)
        matrix(parts.map { $0 + ".weight" }, size.outputs, size.inputs)
        if shape.hasBiases { vector(parts.map { $0 + ".bias" }, size.outputs) }
      }
    }
    norm(shape.finalNormName)
    if let name = shape.headDenseName {
      matrix([name + ".weight"], shape.width, shape.width)
      vector([name + ".bias"], shape.width)
    }
    if let name = shape.headBiasName { vector([name], shape.vocabulary) }
    if !shape.tiedHead { matrix([shape.headName], shape.vocabulary, shape.width) }
    return result
  }
}

extension Optional {
  /// Changes the value in place, where there is one.
  fileprivate mutating func mutate(_ body: (inout Wrapped) throws -> Void) rethrows {
    guard var value = self else { return }
    try body(&value)
    self = value
  }
}
