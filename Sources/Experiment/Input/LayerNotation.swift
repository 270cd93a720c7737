import BayesianOptimization

/// How configurations write their layers: as indices, or as one switch per layer where the input does so.
package struct LayerNotation {
  private let layers: Int?

  /// Looks for an observation whose layers cannot be indices.
  package init(_ file: ObservationFile, space: SearchSpace) {
    guard let count = space.memory?.layers else {
      layers = nil
      return
    }
    let usesSwitches = file.lines.contains { line in
      guard let values = line.layers else { return false }
      return values.count == count && Set(values).count < values.count
    }
    layers = usesSwitches ? count : nil
  }

  /// A configuration in the chosen notation.
  package struct Written: Encodable {
    package var configuration: Configuration
    package var switches: [Int]?

    private enum CodingKeys: String, CodingKey { case layers, count, rank }

    package func encode(to encoder: any Encoder) throws {
      guard let switches else { return try configuration.encode(to: encoder) }
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(switches, forKey: .layers)
      try container.encode(configuration.count, forKey: .count)
      try container.encode(configuration.rank, forKey: .rank)
    }
  }

  package func write(_ configuration: Configuration) -> Written {
    guard let layers, let active = configuration.layers else { return Written(configuration: configuration) }
    return Written(
      configuration: configuration, switches: (0..<layers).map { active.contains($0) ? 1 : 0 })
  }
}
