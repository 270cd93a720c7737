import TestSupport
import Testing

@testable import BayesianOptimization

@Suite("Standard errors, some of them unknown", .bounded)
struct StandardErrorTests {
  private let objectives = [Objective(name: "l", direction: .minimize), Objective(name: "q", direction: .maximize)]
  private let factors = [
    Factor(name: "x", domain: .integer(0...50)), Factor(name: "z", domain: .integer(0...9)),
  ]

  private func observation(_ x: Int, _ value: Double, _ errors: [String: Double]?) -> Observation {
    Observation(
      configuration: .factors(["x": .integer(x), "z": .integer(x * 7 % 10)]), objectives: ["l": value, "q": -value],
      standardErrors: errors)
  }

  private func data(_ observations: [Observation], use: Bool = true) throws -> TrainingData {
    TrainingData(
      space: try SearchSpace(factors: factors), objectives: objectives, observations: observations,
      useStandardErrors: use)
  }

  @Test("a gap is filled with the median of the known errors and said") func gap() throws {
    let data = try data([
      observation(1, 1, ["l": 0.1, "q": 1]), observation(2, 2, nil), observation(3, 3, ["l": 0.3]),
      observation(4, 4, ["l": 0.2, "q": -1]),
    ])
    #expect(data.errorColumn(0) == [0.1, 0.2, 0.3, 0.2])
    #expect(data.errorColumn(1) == [1, 1, 1, 1])
    let notes = data.errorNotes(objectives)
    #expect(notes.count == 2)
    #expect(notes[0].contains("1 of 4 observations is not known") && notes[0].contains("0.2"))
    #expect(notes[1].contains("3 of 4"))
  }

  @Test("nothing is used or said without errors, or when they are switched off") func none() throws {
    let bare = try data([observation(1, 1, nil), observation(2, 2, [:])])
    #expect(bare.errorColumn(0) == nil && bare.errorNotes(objectives).isEmpty)
    let off = try data([observation(1, 1, ["l": 1, "q": 1])], use: false)
    #expect(off.errorColumn(0) == nil && off.errorNotes(objectives).isEmpty)
    // What is no error counts as unknown; an error of 0 is one.
    #expect(StandardErrorColumn([.nan, -1, .infinity, nil]) == nil)
    #expect(StandardErrorColumn([0, nil])?.values == [0, 0])
  }

  @Test("one result without its error leaves the others' in force") func believed() throws {
    let single = [objectives[0]]
    func history(_ last: [String: Double]?) -> [Observation] {
      var rows = (0..<12).map { index in
        let x = index * 4
        let value = Double((x - 30) * (x - 30)) / 400
        // The best value of all is known to be worth nothing.
        return index == 2 ? observation(x, -20, ["l": 100]) : observation(x, value, ["l": 0.01])
      }
      rows.append(observation(50, 1, last))
      return rows
    }
    let suggestion = Suggestion(
      space: try SearchSpace(factors: factors), objectives: single,
      settings: SamplerSettings(initial: 0, reference: .inferred, useStandardErrors: true, evaluations: 200, starts: 3))
    let place = [Configuration.factors(["x": .integer(8), "z": .integer(6)])]
    for last in [["l": 0.01], nil] {
      let mean = try #require(
        try suggestion.posterior(observations: history(last), at: place).first?.mean["l"])
      #expect(mean > -5, "\(String(describing: last)): \(mean)")
    }
    #expect(suggestion.notes(history(["l": 0.01])).isEmpty)
    #expect(suggestion.notes(history(nil)).count == 1)
    let proposal = try #require(suggestion.next(observations: history(nil)).first)
    #expect(proposal.fallbacks.contains { $0.contains("1 of 13") })
  }
}
