import BayesianOptimization
import Foundation
import Study
import TestSupport
import Testing

@testable import Coordinator

@Suite("Numbers of a damaged study", .bounded)
struct DamagedHistoryTests {
  /// A study as it stands in a database that somebody has edited.
  private struct Damaged: StudyReader {
    var record: StudyRecord
    var history: [StudyEvent] = []
    func load() throws -> StudyRecord { record }
    func events(after number: Int, limit: Int) throws -> [StudyEvent] { history }
    func reports(trial: Int) throws -> [IntermediateReport] { [] }
    func warmStart(trial: Int) throws -> Data? { nil }
  }

  private func trial(pending: [Int]) -> Trial {
    Trial(
      number: 0, kind: .search, configuration: .memory(layers: [0], count: 1, rank: 8), configurationKey: "k", seed: 1,
      provenance: Provenance(source: "nehvi", proposalIndex: 0, eventNumber: 1, pending: pending))
  }

  private func study(_ trial: Trial, _ history: [StudyEvent] = []) -> Damaged {
    let definition = StudyDefinition(
      name: "s", identifier: "i", seed: 1, objectives: [Objective(name: "l", direction: .minimize)])
    return Damaged(
      record: StudyRecord(definition: definition, header: StudyHeader(budget: 3), trials: [trial]), history: history)
  }

  @Test("a proposal that names trials which are not there is an error, not a trap", arguments: [99_999, Int.max, -1])
  func pending(_ number: Int) {
    let error = #expect(throws: StudyError.self) { try ProposalReplay(trial: 0, in: study(trial(pending: [number]))) }
    #expect(error?.code == .corrupt && error?.description.contains("\(number)") == true)
    let event = StudyEvent(number: 1, time: 0, kind: .trialEnded(trial: number, state: .failed))
    #expect(throws: StudyError.self) { try ProposalReplay(trial: 0, in: study(trial(pending: []), [event])) }
    #expect(throws: Never.self) { try ProposalReplay(trial: 0, in: study(trial(pending: [0]))) }
  }

  @Test(
    "any need of memory has a text", arguments: [Int64.max, .max - 1, 1 << 62, 10 << 30, 5 << 20, 0, -1] as [Int64])
  func memory(_ bytes: Int64) {
    var trial = trial(pending: [])
    trial.needsMoreThanBytes = bytes
    let text = trial.memoryWait
    #expect(text?.contains(bytes >= 10 << 30 ? " GiB" : " MiB") == true)
    if bytes == .max { #expect(text?.contains("8589934592 GiB") == true) }
  }
}
