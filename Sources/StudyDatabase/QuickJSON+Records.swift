import BayesianOptimization
import Study

/// The records of which a study has thousands, read quickly; nil where the text is not what this module writes.
extension QuickJSON {
  /// A configuration with layers, count and rank.
  static func configuration(_ text: String) -> BayesianOptimization.Configuration? {
    guard case .object(let entries)? = parse(text), entries.count == 3 else { return nil }
    var layers: [Int]?
    var count: Int?
    var rank: Int?
    for entry in entries {
      let value = entry.value
      switch entry.key {
      case "layers": layers = value.list(\.integer)
      case "count": count = value.integer
      case "rank": rank = value.integer
      default: return nil
      }
    }
    // Short lists of zeros and ones may be switches: the decoder decides.
    guard let layers, let count, let rank, count >= 0, rank >= 0, layers.allSatisfy({ $0 >= 0 }) else { return nil }
    guard zip(layers, layers.dropFirst()).allSatisfy({ $0 < $1 }) else { return nil }
    return .memory(layers: layers, count: count, rank: rank)
  }

  static func result(_ text: String) -> TrialResult? {
    guard case .object(let entries)? = parse(text) else { return nil }
    var result = TrialResult(objectives: [:])
    var hasObjectives = false
    for entry in entries {
      let value = entry.value
      switch entry.key {
      case "objectives":
        guard let numbers = value.numbers else { return nil }
        result.objectives = numbers
        hasObjectives = true
      case "standardErrors":
        guard let numbers = value.numbers else { return nil }
        result.standardErrors = numbers
      case "metrics":
        guard let numbers = value.numbers else { return nil }
        result.metrics = numbers
      default: return nil
      }
    }
    return hasObjectives ? result : nil
  }

  static func provenance(_ text: String) -> Provenance? {
    guard case .object(let entries)? = parse(text) else { return nil }
    var result = Provenance(source: "", eventNumber: -1)
    var known = 0
    for entry in entries {
      let value = entry.value
      switch entry.key {
      case "source": if let text = value.text { (result.source, known) = (text, known + 1) }
      case "fallbacks": if let list = value.list(\.text) { (result.fallbacks, known) = (list, known + 1) }
      case "eventNumber": if let number = value.integer { (result.eventNumber, known) = (number, known + 1) }
      case "pending": if let list = value.list(\.integer) { (result.pending, known) = (list, known + 1) }
      case "pendingSet":
        guard let text = value.text, let list = NumberSetText.numbers(text) else { return nil }
        (result.pending, known) = (list, known + 1)
      case "hasWarmStart": if let flag = value.flag { (result.hasWarmStart, known) = (flag, known + 1) }
      case "diagnostics": if let numbers = value.numbers { (result.diagnostics, known) = (numbers, known + 1) }
      case "proposalIndex":
        guard let number = value.integer else { return nil }
        result.proposalIndex = number
      case "warmStartFrom":
        guard let number = value.integer else { return nil }
        result.warmStartFrom = number
      case "acquisition":
        guard let number = value.double else { return nil }
        result.acquisition = number
      default: return nil
      }
    }
    return known == 6 ? result : nil
  }
}
