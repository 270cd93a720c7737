import Foundation

extension CausalLanguageModel {
  /// Writes a checkpoint in which the adapters are part of the weights: W + Σ s·B·A.
  ///
  /// Weights that no adapter touches are copied bit by bit; the others are rounded to their stored type.
  public func writeMerged(_ adapters: [Adapter], to directory: URL) throws {
    guard let checkpoint else {
      throw ModelFileError(.unsupported, "this model has no checkpoint to merge into; save it first")
    }
    var changes: [String: [(AdapterModule, AdapterValues)]] = [:]
    for adapter in adapters {
      for (module, values) in zip(adapter.modules, try adapter.values()) {
        changes[module.layer.name + ".weight", default: []].append((module, values))
      }
    }
    let layout = decoder.shape.weightLayout
    try checkpoint.writeMerged(to: directory) { view in
      guard let parts = changes[view.name] else { return nil }
      var weight = try view.float32Values()
      for (module, values) in parts { module.add(values, to: &weight, layout: layout) }
      return weight
    }
  }
}

extension AdapterModule {
  /// W += s·B·A, W in the checkpoint's layout.
  func add(_ values: AdapterValues, to weight: inout [Float], layout: WeightLayout) {
    let (rows, columns) = layout == .outputsByInputs ? (layer.outputs, layer.inputs) : (layer.inputs, layer.outputs)
    var row = [Float](repeating: 0, count: columns)
    for i in 0..<rows {
      for j in 0..<columns { row[j] = 0 }
      for k in 0..<rank {
        switch layout {
        case .outputsByInputs:
          let factor = values.b[i * rank + k]
          for j in 0..<columns { row[j] += factor * values.a[k * columns + j] }
        case .inputsByOutputs:
          let factor = values.a[k * rows + i]
          for j in 0..<columns { row[j] += factor * values.b[j * rank + k] }
        }
      }
      for j in 0..<columns { weight[i * columns + j] += scale * row[j] }
    }
  }
}
