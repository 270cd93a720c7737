import BayesianOptimization
import Foundation
import Foundations
import Study
import TestSupport
import Testing

@Suite("Archive", .ownThread, .bounded) struct StudyArchiveTests {
  /// A study with everything in it: awkward numbers, a failure, a conflict, reports, a warm start.
  private func study() throws -> StudyFixture {
    var study = try StudyFixture(budget: 9)
    for index in 1...3 { try study.enqueue(index) }
    let token = try study.leaseAndStart(1)
    let result = TrialResult(
      objectives: ["loss": 0.1 + 0.2, "rougeL": 1e-300],
      standardErrors: ["loss": Double.leastNonzeroMagnitude, "rougeL": 1.0 / 3],
      metrics: ["seconds": -0.0, "bytes": 9_007_199_254_740_992])
    try study.take(study.state.complete(token, result: result, time: 1_760_000_000.123_456).transition)
    _ = try study.complete(token, loss: 9)
    _ = try study.fail(study.leaseAndStart(2, worker: "größe/0"), .bug, message: "line\n\"quoted\" \u{1F642} \\ /")
    let running = try study.leaseAndStart(3)
    var step = Transition(events: [], header: study.state.header)
    step.reports = [
      IntermediateReport(token: running, trial: 3, step: 1, values: ["loss": 2.0 / 3, "rougeL": 0]),
      IntermediateReport(token: running, trial: 3, step: 2, values: ["loss": 0.5]),
    ]
    try study.take(step)
    try study.take(
      study.state.enqueue(
        .search, configuration: .memory(layers: [7], count: 2, rank: 16), key: "k7",
        provenance: Provenance(
          source: "nehvi", proposalIndex: study.state.header.nextProposal, fallbacks: ["jitter"], eventNumber: 9,
          pending: [3], hasWarmStart: true, acquisition: -12.5, diagnostics: ["rhat": 1.01]),
        warmStart: Data((0..<255).map { UInt8($0) }), time: 2))
    return study
  }

  @Test func everythingComesBackBitByBit() throws {
    let archive = try StudyArchive(study().store)
    let data = try archive.data()
    let again = try StudyArchive(data, name: "copy")
    #expect(again == archive)
    #expect(again.warmStarts.count == 1 && again.reports.count == 2)
    #expect(again.record.trials[1].result?.metrics?["seconds"]?.sign == .minus)
    // And from a store that was filled with it.
    let store = InMemoryStudyStore(definition: archive.record.definition, budget: archive.record.header.budget)
    try store.commit(again.transition)
    #expect(try StudyArchive(store).data() == data)
  }

  private func lines() throws -> [String] {
    String(decoding: try StudyArchive(study().store).data(), as: UTF8.self).split(separator: "\n").map(String.init)
  }

  /// The code with which an edited file is refused; the digest is made good again, so that what lies under it is found.
  private func refusal(_ lines: [String], sealed: Bool = true) -> StudyError? {
    var lines = lines
    if sealed {
      lines.removeLast()
      let body = lines.map { $0 + "\n" }.joined()
      let digest = SHA256.hex(of: Data(body.utf8))
      lines.append("{\"end\":{\"lines\":\(lines.count),\"sha256\":\"\(digest)\"}}")
    }
    do {
      _ = try StudyArchive(Data((lines.joined(separator: "\n") + "\n").utf8), name: "f")
      return nil
    } catch {
      return error
    }
  }

  @Test func whatWasDamagedCutOrEditedIsRefused() throws {
    let good = try lines()
    #expect(refusal(good) == nil && refusal(good, sealed: false) == nil)
    var edited = good
    edited[2] = edited[2].replacingOccurrences(of: "0.30000000000000004", with: "0.31000000000000004")
    #expect(edited != good)
    #expect(refusal(edited, sealed: false)?.code == .corrupt)
    #expect(refusal(Array(good.dropLast()), sealed: false)?.code == .corrupt)
    #expect(refusal(Array(good.dropLast(3)), sealed: false)?.code == .corrupt)
    #expect(refusal(good + [good[1]], sealed: false)?.code == .corrupt)
    // Every line twice, every line missing.
    for index in good.indices.dropLast() {
      #expect(refusal(Array(good[...index]) + Array(good[index...]))?.code == .corrupt, "line \(index) twice")
      if index > 0 {
        #expect(
          refusal(Array(good[..<index]) + Array(good[(index + 1)...]))?.code == .corrupt, "line \(index) missing")
      }
    }
    var stray = good
    stray[1] = stray[1].replacingOccurrences(of: "{\"trial\":{", with: "{\"trial\":{\"colour\":1,")
    #expect(refusal(stray)?.code == .corrupt)
    #expect(refusal(["", "x"])?.code == .wrongStudy)
    #expect(refusal(["{}"], sealed: false)?.code == .wrongStudy)
  }

  @Test func aNewerFormatIsRefusedAsSuch() throws {
    var newer = try lines()
    newer[0] = newer[0].replacingOccurrences(of: "\"version\":1", with: "\"version\":2")
    #expect(refusal(newer)?.code == .newerSchema)
  }
}
