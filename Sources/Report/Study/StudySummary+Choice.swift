import BayesianOptimization
import Study

extension StudySummary {
  /// How a winner is chosen from the front.
  package enum Choice: Hashable, Sendable {
    /// The best ROUGE-L; only where that is an objective.
    case quality
    /// The lowest loss; only where that is an objective.
    case loss
    /// The largest minimum of the objectives, each scaled to 0…1 over the front.
    case knee
    /// The best value of one objective.
    case objective(String)

    /// As people write it: quality, loss, knee or an objective's name.
    package init(_ text: String) {
      self =
        switch text {
        case "quality": .quality
        case "loss": .loss
        case "knee": .knee
        default: .objective(text)
        }
    }

    package var name: String {
      switch self {
      case .quality: "quality"
      case .loss: "loss"
      case .knee: "knee"
      case .objective(let name): name
      }
    }

    /// The objective that decides alone; nil for the knee.
    fileprivate var objective: String? {
      switch self {
      case .quality: "rougeL"
      case .loss: "loss"
      case .knee: nil
      case .objective(let name): name
      }
    }

    /// What is taken where nobody says how: quality where ROUGE-L is measured, the only objective, else the knee.
    package static func standard(_ objectives: [Objective]) -> Choice {
      if objectives.contains(where: { $0.name == "rougeL" }) { return .quality }
      if objectives.count == 1, let only = objectives.first { return .objective(only.name) }
      return .knee
    }

    /// Why this choice cannot be made among these objectives, with what can; nil when it can.
    package func problem(_ objectives: [Objective]) -> String? {
      guard let objective, !objectives.contains(where: { $0.name == objective }) else { return nil }
      let names = objectives.map(\.name).joined(separator: ", ")
      let what =
        self == .quality ? "quality is the best rougeL, which is no objective here" : "'\(name)' is no objective here"
      return "\(what). Choose knee, or one of the objectives: \(names)"
    }

    /// What the choice means, for people.
    package func explanation(_ objectives: [Objective]) -> String {
      guard let objective, let found = objectives.first(where: { $0.name == objective }) else {
        return "knee: no objective is far from its best, each scaled to 0…1 over the front"
      }
      let best = found.direction == .minimize ? "lowest" : "highest"
      return "\(name): the \(best) \(StudySummary.title(objective)) of the front"
    }
  }

  /// The trial to take along; nil while nothing is completed and where the choice has a ``Choice/problem(_:)``.
  package func chosen(_ choice: Choice? = nil) -> Trial? {
    let choice = choice ?? .standard(objectives)
    guard !front.isEmpty else { return nil }
    if let name = choice.objective { return objectives.firstIndex { $0.name == name }.flatMap { best(by: $0) } }
    let rows = front.map(maximized)
    let low = objectives.indices.map { column in rows.map { $0[column] }.min() ?? 0 }
    let high = objectives.indices.map { column in rows.map { $0[column] }.max() ?? 1 }
    func score(_ row: [Double]) -> Double {
      // In halves: a range may be longer than the largest number.
      row.indices.map { column in
        let length = high[column] / 2 - low[column] / 2
        return length > 0 ? (row[column] / 2 - low[column] / 2) / length : 1
      }.min() ?? 0
    }
    return zip(front, rows).max { score($0.1) < score($1.1) }?.0
  }

  private func maximized(_ trial: Trial) -> [Double] {
    objectives.map { (trial.result?.objectives[$0.name] ?? -.infinity) * $0.direction.sign }
  }

  private func best(by index: Int) -> Trial? {
    let order = [index] + objectives.indices.filter { $0 != index }
    return front.min { left, right in
      let (a, b) = (maximized(left), maximized(right))
      for column in order where a[column] != b[column] { return a[column] > b[column] }
      let (small, large) = (left.trainableParameters, right.trainableParameters)
      return small == large ? left.configurationKey < right.configurationKey : small < large
    }
  }
}
