extension Adapter {
  /// The adapter as a PEFT directory can hold it; `PEFTAdapter.write` writes it.
  ///
  /// - Parameters:
  ///   - baseModel: name or path of the base, for PEFT's configuration.
  ///   - provenance: free strings for the sidecar.
  public func peft(baseModel: String?, provenance: [String: String] = [:]) throws -> PEFTAdapter {
    let modules = zip(self.modules, try values()).map { module, values in
      PEFTAdapter.Module(
        name: module.layer.name, alpha: Double(module.scale) * Double(module.rank), rank: module.rank,
        inputs: module.layer.inputs, outputs: module.layer.outputs, a: values.a, b: values.b,
        blocks: module.blockRanks)
    }
    return PEFTAdapter(baseModel: baseModel, modules: modules, provenance: provenance)
  }
}

extension CausalLanguageModel {
  /// An adapter of this model from a PEFT directory's content.
  ///
  /// Throws `AdapterError` (`mismatch`) where a module is not one of the model's linear layers or has other sizes.
  public func makeAdapter(_ peft: PEFTAdapter) throws -> Adapter {
    let layers = Dictionary(linearLayers.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    var modules: [AdapterModule] = []
    var values: [AdapterValues] = []
    for module in peft.modules {
      guard let layer = layers[module.name] else {
        throw AdapterError(.mismatch, "'\(module.name)' is not a linear layer of this model")
      }
      guard layer.inputs == module.inputs, layer.outputs == module.outputs,
        module.a.count == module.rank * module.inputs, module.b.count == module.outputs * module.rank,
        module.blocks.reduce(0, +) == module.rank
      else {
        throw AdapterError(
          .mismatch,
          "'\(module.name)' of the adapter is \(module.inputs) → \(module.outputs), rank \(module.rank); the model's "
            + "layer is \(layer.inputs) → \(layer.outputs)")
      }
      modules.append(AdapterModule(layer: layer, blockRanks: module.blocks, scale: Float(peft.scale(of: module))))
      values.append(AdapterValues(a: module.a, b: module.b))
    }
    return try Adapter(modules, values: values, backend: backend)
  }
}
