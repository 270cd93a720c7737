import BayesianOptimization
import Foundation
import Study
import TestSupport
import Testing

@testable import Report

@Suite("Summaries: winner, base, columns", .bounded)
struct StudySummaryTests {
  private struct Row {
    var values: [Double]
    var errors: [Double]?
    var metrics: [String: Double]?
  }

  private func objective(_ name: String, _ direction: Objective.Direction) -> Objective {
    Objective(name: name, direction: direction)
  }

  private func summary(
    _ objectives: [Objective], _ rows: [Row], base: Row? = nil, reference: [String: Double]? = nil
  ) -> StudySummary {
    func result(_ row: Row) -> TrialResult {
      func named(_ values: [Double]) -> [String: Double] {
        Dictionary(uniqueKeysWithValues: zip(objectives.map(\.name), values))
      }
      return TrialResult(
        objectives: named(row.values), standardErrors: row.errors.map(named), metrics: row.metrics)
    }
    var trials: [Trial] = []
    for (index, row) in ((base.map { [$0] } ?? []) + rows).enumerated() {
      let isBase = base != nil && index == 0
      var trial = Trial(
        number: index, kind: isBase ? .base : .search,
        configuration: .factors(["depth": .integer(index), "kind": .text("a=\u{1B}b")]), configurationKey: "k\(index)",
        seed: 1,
        provenance: Provenance(source: isBase ? "anchor" : index % 2 == 0 ? "ei" : "initial", eventNumber: 0))
      trial.state = .completed
      trial.endedEvent = index + 1
      trial.result = result(row)
      var attempt = Attempt(
        token: AttemptToken(index), trial: index, ordinal: 1, worker: WorkerIdentity(name: "w", incarnation: "1"),
        state: .succeeded, leaseSeconds: 60, leasedTime: 1_700_000_000)
      attempt.endedTime = 1_700_000_001.5
      trial.attempts = [attempt]
      trials.append(trial)
    }
    var header = StudyHeader(budget: 9)
    header.referencePoint = reference
    return StudySummary(
      StudyRecord(
        definition: StudyDefinition(name: "s", identifier: "i", seed: 1, objectives: objectives), header: header,
        trials: trials))
  }

  @Test("without ROUGE-L the knee is taken, not the last objective; one objective decides alone") func choice() {
    let two = [objective("error", .minimize), objective("time", .minimize)]
    let rows = [Row(values: [0.1, 9]), Row(values: [0.15, 2]), Row(values: [0.4, 1])]
    let study = summary(two, rows)
    #expect(StudySummary.Choice.standard(two) == .knee && study.chosen()?.number == 1)
    #expect(study.chosen(.objective("time"))?.number == 2 && study.chosen(.objective("error"))?.number == 0)
    #expect(study.chosen(.quality) == nil)
    #expect(
      StudySummary.Choice("quality").problem(two)?.contains("knee, or one of the objectives: error, time") == true)
    #expect(StudySummary.Choice("speed").problem(two)?.contains("speed") == true)
    #expect(StudySummary.Choice("time").problem(two) == nil && StudySummary.Choice("knee").problem(two) == nil)
    let paper = [objective("loss", .minimize), objective("rougeL", .maximize)]
    #expect(StudySummary.Choice.standard(paper) == .quality)
    #expect(StudySummary.Choice.quality.explanation(paper).contains("highest ROUGE-L of the front"))
    #expect(StudySummary.Choice.standard([objective("l", .minimize)]) == .objective("l"))
    // The knee of a range beyond the largest number.
    let huge = summary(
      two, [Row(values: [-1.7e308, 1.7e308]), Row(values: [0, 0]), Row(values: [1.7e308, -1.7e308])])
    #expect(huge.chosen()?.number == 1)
  }

  @Test("a search whose trials do not beat the base says so with the standard errors") func base() {
    let paper = [objective("loss", .minimize), objective("rougeL", .maximize)]
    let base = Row(values: [5.4176, 0.0571], errors: [0.12, 0.01])
    let worse = summary(paper, [Row(values: [5.4535, 0.0066], errors: [0.1253, 0.0024])], base: base)
    let note = worse.baseNote
    #expect(
      note?.hasPrefix(
        "No trial is better than the base without memory: loss 5.4176 ±0.1200 against at best 5.4535 ±0.1253") == true)
    #expect(note?.contains("ROUGE-L 5.71 ±1.00 % against at best 0.66 ±0.24 (trial 1)") == true)
    #expect(worse.warnings.count == 1)
    let better = summary(paper, [Row(values: [4, 0.0066], errors: [0.1, 0.1])], base: base)
    #expect(better.baseNote == nil)
    let noise = summary(paper, [Row(values: [5.41, 0.0066], errors: [0.1, 0.1])], base: base)
    #expect(noise.baseNote?.contains("by more than its standard error") == true)
    #expect(summary(paper, [Row(values: [5.41, 0.0066])], base: base).baseNote == nil)
    #expect(summary(paper, [Row(values: [9, 0])]).baseNote == nil)
  }

  @Test("a search none of whose trials dominates the base says so with its values") func dominance() {
    let paper = [objective("loss", .minimize), objective("rougeL", .maximize)]
    let base = Row(values: [2, 0.2])
    let traded = [Row(values: [1, 0.1]), Row(values: [3, 0.3])]
    #expect(
      summary(paper, traded, base: base).warnings == [
        "No trial dominates the base without memory (loss 2.0000, ROUGE-L 20.00 %): every trial that is better in one "
          + "objective is worse in another"
      ])
    #expect(summary(paper, traded + [Row(values: [1.9, 0.2])], base: base).warnings.isEmpty)
    #expect(summary(paper, traded).warnings.isEmpty)
    let equal = summary(paper, [Row(values: [2, 0.2])], base: base).warnings
    #expect(equal.count == 1 && equal.first?.hasPrefix("No trial is better than the base") == true)
  }

  @Test("table, plot and state have one front: no base, equal trials together") func oneFront() throws {
    let paper = [objective("loss", .minimize), objective("rougeL", .maximize)]
    let rows = [[2, 0.2], [1, 0.1], [2, 0.2], [1.5, 0.05], [3, 0.3]].map { Row(values: $0) }
    let study = summary(paper, rows, base: Row(values: [0, 1]))
    #expect(study.front.map(\.number) == [2, 1, 3, 5])
    #expect(StudyState(record: study.record).front == [1, 2, 3, 5])
    let plot = try #require(study.paretoPlot())
    #expect(plot.points.filter(\.isOnFront).map(\.number) == [1, 2, 3, 5])
    #expect(study.frontTable().rows.map { $0[0] } == ["2", "1", "3", "5"])
  }

  @Test("a reference point that nobody reaches is said") func reference() {
    let paper = [objective("loss", .minimize), objective("rougeL", .maximize)]
    let rows = [Row(values: [1, 0.4])]
    #expect(summary(paper, rows, reference: ["loss": 2, "rougeL": 22]).referenceNote?.contains("write 0.22") == true)
    #expect(summary(paper, rows, reference: ["loss": 2, "rougeL": 0.2]).warnings.isEmpty)
  }

  @Test("CSV has a column per factor, metric and time, and no name twice") func records() throws {
    let study = summary(
      [objective("l", .minimize), objective("seed", .maximize)],
      [
        Row(
          values: [1e300, 2], errors: [0.5, 0],
          metrics: ["depth": 3, "rouge1": 0.25, "trainableParameters": 1e19, "l": 7])
      ])
    let lines = study.records(study.record.trials).csv.split(separator: "\n").map(String.init)
    let titles = lines[0].split(separator: ",").map(String.init)
    #expect(Set(titles).count == titles.count, "\(titles)")
    let cells = lines[1].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    #expect(cells.count == titles.count)
    let row = Dictionary(uniqueKeysWithValues: zip(titles, cells))
    #expect(row["depth"] == "0" && row["kind"] == "search" && row["factor.kind"] == "a=\\u{1b}b")
    #expect(row["metric.depth"] == "3" && row["rouge1"] == "0.25" && row["trainableParameters"] == "1e+19")
    #expect(row["l"] == "1e+300" && row["lStandardError"] == "0.5")
    #expect(row["started"] == "2023-11-14T22:13:20.000Z" && row["ended"] == "2023-11-14T22:13:21.500Z")
  }

  @Test("factors have columns of their own in tables, and extreme metrics are short") func table() {
    let study = summary([objective("l", .minimize)], [Row(values: [3.2e-7], metrics: ["trainableParameters": -1e19])])
    let text = study.trialTable(study.record.trials).text
    let title = text.split(separator: "\n").first.map(String.init) ?? ""
    #expect(title.contains("depth") && title.contains("kind") && !title.contains("layers"))
    #expect(text.contains("3.2e-07") && text.contains("-1e+19") && !text.contains("0.0000"))
  }

  @Test("which sources are a model's") func sources() {
    #expect(ProposalSource.allCases.filter(\.isModel).map(\.rawValue) == ["nehvi", "ei", "nsga2"])
  }
}
