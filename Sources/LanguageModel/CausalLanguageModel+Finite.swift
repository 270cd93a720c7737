/// Where numbers that are infinite or none come from.
extension CausalLanguageModel {
  /// Throws where the base itself holds numbers that are not finite, which no setting of ours can mend.
  func requireFiniteBase() throws {
    guard let checkpoint, !isBaseKnownFinite else { return }
    if let element = checkpoint.firstNonFinite() { throw Checkpoint.notFinite(element, checkpoint.directory) }
    // Looking through the weights of a large base takes seconds: once is enough.
    isBaseKnownFinite = true
  }

  /// What to say after "the logits are not finite": whether an adapter is to blame or the arithmetic.
  func overflowAdvice(_ adapters: [Adapter]) -> String {
    let names = adapters.lazy.compactMap { $0.firstNonFinite() }
    if let element = names.first { return "the adapter's \(element)" }
    return adapters.isEmpty
      ? "the base's weights are finite, but its numbers overflow"
      : "base and adapter are finite, but their numbers overflow: the adapter's values or its scale are too large"
  }

  /// Runs `body`; an error that says that numbers are not finite blames the base where that is the cause.
  func blaming<Result>(_ adapters: [Adapter], _ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let error as GenerationError where error.code == .notFinite {
      try requireFiniteBase()
      throw GenerationError(.notFinite, "\(error.message); \(overflowAdvice(adapters))")
    } catch let error as TrainingError where error.code == .diverged {
      try requireFiniteBase()
      throw error
    }
  }
}

extension Adapter {
  /// The first value that is infinite or not a number, or nil.
  func firstNonFinite() -> NonFiniteElement? {
    // An adapter whose memory cannot be read has no value to name; the caller's own error stays.
    guard let values = try? values() else { return nil }
    for (module, pair) in zip(modules, values) {
      for (matrix, numbers) in [("lora_A", pair.a), ("lora_B", pair.b)] {
        if let index = numbers.firstIndex(where: { !$0.isFinite }) {
          return NonFiniteElement(tensor: "\(module.layer.name).\(matrix)", index: index, value: numbers[index])
        }
      }
    }
    return nil
  }
}
