import Glibc
import RandomStreams

/// Draws from candidates with descending logits.
enum TokenSampler {
  /// The rank (index into `logits`) of the drawn candidate.
  ///
  /// - Parameters:
  ///   - logits: of the candidates, descending.
  ///   - topP: candidates beyond this probability mass are left out (the one that crosses it stays).
  ///   - uniform: a uniform number in (0, 1).
  static func draw(_ logits: [Float], temperature: Double, topP: Double?, uniform: Double) -> Int {
    guard let largest = logits.first else { return 0 }
    let weights = logits.map { exp((Double($0) - Double(largest)) / temperature) }
    var kept = weights.count
    if let topP {
      let total = weights.reduce(0, +)
      var mass = 0.0
      for (index, weight) in weights.enumerated() {
        mass += weight
        if mass >= topP * total {
          kept = index + 1
          break
        }
      }
    }
    var remaining = uniform * weights[..<kept].reduce(0, +)
    for index in 0..<kept {
      remaining -= weights[index]
      if remaining < 0 { return index }
    }
    return kept - 1
  }
}
