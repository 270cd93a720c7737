extension ReferencePoint {
  /// Why the hypervolume of these observations is 0 whatever they are, as a sentence; nil when one of them counts.
  ///
  /// A reference point that nobody reaches (in another unit, with the wrong sign) makes every hypervolume 0 and every search
  /// blind, without an error anywhere.
  ///
  /// - Parameters:
  ///   - values: completed observations by objective name; those with a value missing or not finite are left out.
  ///   - reference: reference point in the objectives' own units.
  public static func unreachedNote(
    values: [[String: Double]], objectives: [Objective], reference: [String: Double]
  ) -> String? {
    let usable = values.filter { entry in objectives.allSatisfy { entry[$0.name]?.isFinite ?? false } }
    guard !usable.isEmpty, objectives.allSatisfy({ reference[$0.name] != nil }) else { return nil }
    func gain(_ entry: [String: Double], _ objective: Objective) -> Double {
      ((entry[objective.name] ?? 0) - (reference[objective.name] ?? 0)) * objective.direction.sign
    }
    guard !usable.contains(where: { entry in objectives.allSatisfy { gain(entry, $0) > 0 } }) else { return nil }
    var parts: [String] = []
    for objective in objectives where !usable.contains(where: { gain($0, objective) > 0 }) {
      guard let point = reference[objective.name],
        let best = usable.max(by: { gain($0, objective) < gain($1, objective) })?[objective.name]
      else { continue }
      var text = "\(objective.name) (reference \(point), best \(best))"
      if objective.isFraction, point > 1, best <= 1 {
        text += "; \(objective.name) is a fraction, write \(point / 100)"
      }
      parts.append(text)
    }
    let end = "; the hypervolume is 0 until one is"
    guard !parts.isEmpty else { return "no result is better than the reference point in every objective at once" + end }
    return "no result is better than the reference point in \(parts.joined(separator: ", "))" + end
  }
}
