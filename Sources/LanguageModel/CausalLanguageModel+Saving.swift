import Foundation

extension CausalLanguageModel {
  /// Writes the weights as they are now as a Hugging Face directory (`config.json`, `model.safetensors`).
  ///
  /// For models that were made `trainable`; a frozen one is its checkpoint. Tokenizer files are the caller's.
  public func save(to directory: URL, storedType: TensorType = .float32) throws {
    guard let arena = decoder.weights.arena else {
      throw ModelFileError(.unsupported, "only a trainable model is saved; a frozen one is unchanged on disk")
    }
    let reader = ArenaReader(arena: arena, shape: decoder.shape, backend: backend)
    try Checkpoint.write(to: directory, configuration: configuration, storedType: storedType) {
      try reader.values(of: $0)
    }
  }
}

/// Reads checkpoint parameters out of an arena, where some are fused and all linear weights are [out, in].
private struct ArenaReader {
  let arena: ParameterArena
  let shape: DecoderShape
  let backend: any Backend

  func values(of parameter: ModelConfiguration.Parameter) throws -> [Float] {
    // The type embedding was folded into the positions.
    if parameter.name == shape.tokenTypeName {
      return [Float](repeating: 0, count: parameter.shape.reduce(1, *))
    }
    for entry in arena.entries {
      let parts = entry.name.split(separator: "|").map(String.init)
      guard let index = parts.firstIndex(of: parameter.name) else { continue }
      let all = try backend.download(try arena.value(entry.name))
      let offset = try parts[..<index].reduce(0) { try $0 + count(of: $1) }
      let values = Array(all[offset..<(offset + parameter.shape.reduce(1, *))])
      let isTransposed = shape.weightLayout == .inputsByOutputs && parameter.name.hasPrefix(shape.blockPrefix)
      return isTransposed && parameter.shape.count == 2
        ? transposed(values, rows: parameter.shape[1], columns: parameter.shape[0]) : values
    }
    throw ModelFileError(.missing, "the model has no weight '\(parameter.name)'")
  }

  private func count(of name: String) throws -> Int {
    guard let parameter = shape.configuration.parameters.first(where: { $0.name == name }) else {
      throw ModelFileError(.missing, "the model has no weight '\(name)'")
    }
    return parameter.shape.reduce(1, *)
  }

  private func transposed(_ values: [Float], rows: Int, columns: Int) -> [Float] {
    var result = [Float](repeating: 0, count: values.count)
    for row in 0..<rows { for column in 0..<columns { result[column * rows + row] = values[row * columns + column] } }
    return result
  }
}
