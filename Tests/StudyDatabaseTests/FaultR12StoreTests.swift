import BayesianOptimization
import Foundation
import Study
import TestSupport
import Testing

@testable import StudyDatabase

/// R12 on a real small file system; needs root, so on demand: `ENGRAM_FAULTS=full`.
@Suite(.enabled(if: FaultForm.isOnDemand && getuid() == 0))
struct FaultR12Store {
  private static func run(_ arguments: [String]) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = arguments
    try process.start()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "\(arguments)")
  }

  /// Writes to `file` until the disk is full, then gives `room` bytes back.
  private static func fill(_ file: URL, leaving room: Int) throws {
    try Data().write(to: file)
    let handle = try FileHandle(forWritingTo: file)
    defer { try? handle.close() }
    var size = 0
    for block in [1 << 20, 4_096] {
      while (try? handle.write(contentsOf: Data(count: block))) != nil { size += block }
      try handle.seek(toOffset: UInt64(size))
    }
    try handle.truncate(atOffset: UInt64(max(0, size - room)))
  }

  @Test func aFullDiskRefusesWholeStepsAndGoesOnWhenThereIsRoom() async {
    let outcome = await FaultRun.perform("R12", Self.refuse)
    #expect(outcome.problems == [])
  }

  private static func refuse(_ run: FaultRun) throws {
    let mount = try TemporaryFolder()
    try Self.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", mount.url.path])
    defer { try? Self.run(["umount", "-l", mount.url.path]) }
    let folder = StudyFolder(mount.url.appendingPathComponent("study"))
    let store = try SQLiteStudyStore(folder, beginning: (StudyStoreContract.definition, 1_000_000))
    var state = StudyState(record: try store.load())
    var refused = 0
    for round in 0..<40 {
      // What is left is filled up to a different byte each time, so that different writes are the ones that fail.
      let ballast = mount.url.appendingPathComponent("ballast")
      try Self.fill(ballast, leaving: (round % 20) * 4_096)
      for index in 0..<12 {
        if index == 8 { try FileManager.default.removeItem(at: ballast) }
        let number = state.trials.count
        let step = try state.enqueue(
          .search, configuration: .memory(layers: [number], count: 1, rank: 8), key: "\(number)",
          provenance: Provenance(source: "sobol", eventNumber: 0), warmStart: Data(count: 500), time: 0)
        do {
          try store.commit(step)
          state.apply(step)
        } catch let error as StudyError {
          run.check(index < 8, "refused although there is room")
          run.check(error.code == .diskFull || error.code == .inputOutput, "\(error.code)")
          refused += 1
          let last = try store.lastEventNumber()
          run.check(last == state.header.lastEvent || last == step.header.lastEvent, "half a step")
          if last == step.header.lastEvent { state.apply(step) }
        }
      }
    }
    run.check(refused > 10, "only \(refused) commits were refused")
    run.check(state.trials.count >= 40 * 4, "only \(state.trials.count) were stored")
    run.check(try store.load().trials == Array(state.trials), "the stored trials differ")
    run.check(try HistoryChecker().check(store) == [], "the history is not consistent")
    run.fire("commit refused", refused)
    run.outcome.count = 40
    run.outcome.what = "the store alone on a full file system, 40 rounds, \(state.trials.count) trials stored"
  }
}
