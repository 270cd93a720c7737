import BayesianOptimization
import Foundation

extension StudyConfiguration {
  /// What the space needs to know about the base.
  package struct BaseShape: Sendable, Equatable {
    /// Number of layers, L.
    package var layers: Int
    /// Shapes of the matrices of one layer that carry memory.
    package var matrices: [MemorySpace.MatrixShape]

    package init(layers: Int, matrices: [MemorySpace.MatrixShape]) {
      self.layers = layers
      self.matrices = matrices
    }
  }

  /// The search space over a base of the given shape; nil where no base is involved.
  ///
  /// - Throws: `ConfigurationError` when file and base disagree or a rank does not fit the matrices,
  ///   `SearchSpaceError` when nothing valid is left.
  package func makeSpace(base: BaseShape?, file: String) throws -> SearchSpace {
    try space.makeSpace(base: base, file: file)
  }

  /// Sections that say something other than their defaults, and that the evaluator never reads.
  package func sectionsWithoutEffect() throws -> [String] {
    guard evaluator.kind != .memory else { return [] }
    let plain = try StudyConfiguration(yaml: "study: {}", file: "plain")
    return [
      ("base", base == plain.base), ("data", data == plain.data), ("memory", memory == plain.memory),
      ("training", training == plain.training), ("instructionTuning", instructionTuning == plain.instructionTuning),
      ("evaluation", evaluation == plain.evaluation),
    ].filter { !$0.1 }.map(\.0)
  }

  /// The search space over the base, with the lines of `file` in errors.
  package func makeSpace(base: BaseShape?, file: URL) throws -> SearchSpace {
    do {
      return try space.makeSpace(base: base, file: file.relativePath)
    } catch let error as ConfigurationError {
      throw ConfigurationError.about(error.key, in: file, error.message, remedy: error.remedy)
    }
  }
}

extension StudyConfiguration.SpaceSection {
  func makeSpace(base: StudyConfiguration.BaseShape?, file: String) throws -> SearchSpace {
    if let factors { return try SearchSpace(factors: factors) }
    if let base, let layers, layers != base.layers {
      throw ConfigurationError(
        file: file, key: "space.layers", message: "\(layers) layers, but the base has \(base.layers)",
        remedy: "Write \(base.layers), or leave the key out")
    }
    guard let layers = base?.layers ?? layers else {
      throw ConfigurationError(
        file: file, key: "space.layers", message: "the number of layers is not given", remedy: "Write layers: 32")
    }
    if let bad = fixedLayers?.first(where: { $0 < 0 || $0 >= layers }) {
      throw ConfigurationError(
        file: file, key: "space.fixed.layers", message: "layer \(bad) does not exist in a base of \(layers) layers",
        remedy: "Layers are numbered from 0 to \(layers - 1)")
    }
    if let fixedLayers, Set(fixedLayers).count < fixedLayers.count {
      throw ConfigurationError(
        file: file, key: "space.fixed.layers", message: "a layer stands twice", remedy: "Name every layer once")
    }
    let smallest = base?.matrices.map { min($0.input, $0.output) }.min()
    if let smallest, let rank = ranks.last, rank > smallest {
      throw ConfigurationError(
        file: file, key: "space.ranks", message: "rank \(rank) is larger than the base's matrices (\(smallest))",
        remedy: "Use ranks up to \(smallest / 2)")
    }
    return try SearchSpace(
      memory: MemorySpace(
        layers: layers, count: minimumCount...maximumCount, ranks: ranks,
        placement: placement, fixedLayers: fixedLayers,
        dedupeByEffectiveRank: dedupeByEffectiveRank, matrices: base?.matrices ?? [],
        maxTrainable: maxTrainable, maxEffectiveRank: maxEffectiveRank))
  }
}
