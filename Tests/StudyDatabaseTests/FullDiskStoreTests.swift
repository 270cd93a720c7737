import BayesianOptimization
import Foundation
import Study
import StudyTesting
import TestSupport
import Testing

@testable import StudyDatabase

/// R12 on a real small file system; needs root, so on demand: `ENGRAM_FAULTS=full`.
@Suite("Full disk: the store", .enabled(if: FaultForm.isOnDemand && getuid() == 0), .bounded)
struct FullDiskStoreTests {
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

  @Test("R12: whole steps are refused, and go on when there is room")
  func aFullDiskRefusesWholeStepsAndGoesOnWhenThereIsRoom() async {
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

  /// One step of the scripted study: what it is computed from, and the step.
  private typealias Step = @Sendable (StudyState) throws -> Transition

  /// A study from its creation to its last result: proposals with warm starts, leases, reports, results, a failure.
  private static let script: [Step] = {
    var steps: [Step] = [
      { $0.create(base: (.memory(layers: [], count: 0, rank: 8), "null"), time: 0) },
      { $0.open(budget: 6, time: 0) },
    ]
    for number in 1...6 {
      let worker = WorkerIdentity(name: "w\(number % 2)", incarnation: "1")
      steps += [
        {
          try $0.enqueue(
            .search, configuration: .memory(layers: [number], count: 1, rank: 8), key: "\(number)",
            provenance: Provenance(source: "sobol", eventNumber: $0.header.lastEvent),
            warmStart: Data(count: 6_000), time: 0)
        },
        { try $0.lease(trial: number, to: worker, leaseSeconds: 60, time: 0) },
        { try $0.start(AttemptToken(number), time: 0) },
        { state in
          let reports = (0..<20).map {
            IntermediateReport(token: AttemptToken(number), trial: number, step: $0, values: ["loss": 1, "rougeL": 0])
          }
          return Transition(events: [], header: state.header, reports: reports)
        },
        { state in
          if number == 3 {
            let failure = FailureRecord(failureClass: .diverged, message: "m")
            return try state.fail(AttemptToken(number), failure, time: 0).transition
          }
          let result = TrialResult(objectives: ["loss": 1 / Double(number), "rougeL": 0.5])
          return try state.complete(AttemptToken(number), result: result, time: 0).transition
        },
      ]
    }
    return steps
  }()

  /// Runs the script with room for `pages` pages; room is made when a step has failed.
  ///
  /// Returns how many times the disk was full.
  private static func play(pages: Int, in mount: URL, _ run: FaultRun) throws -> Int {
    let folder = StudyFolder(mount.appendingPathComponent("study-\(pages)"))
    defer { try? FileManager.default.removeItem(at: folder.url) }
    let ballast = mount.appendingPathComponent("ballast")
    try fill(ballast, leaving: pages * 4_096)
    var refusals = 0
    func refused(_ error: any Error, _ what: String) throws {
      let code = (error as? StudyError)?.code
      run.check(
        code == .diskFull || code == .inputOutput || code == .permission, "\(pages) pages, \(what): \(error)")
      run.check(refusals == 0, "\(pages) pages, \(what): refused although there is room")
      refusals += 1
      if refusals == 1 { try FileManager.default.removeItem(at: ballast) }
    }
    func open() throws -> SQLiteStudyStore {
      try SQLiteStudyStore(folder, beginning: (StudyStoreContract.definition, 6))
    }
    var opened: SQLiteStudyStore?
    do {
      opened = try open()
    } catch {
      try refused(error, "opening")
      opened = try open()
    }
    guard let store = opened else { return refusals }
    var state = StudyState(record: try store.load())
    for (index, make) in script.enumerated() {
      let step = try make(state)
      do {
        try store.commit(step)
      } catch {
        try refused(error, "step \(index)")
        // Either all of it is there or nothing; what is not is taken once more.
        let last = try store.lastEventNumber()
        let isStored = !step.events.isEmpty && last == step.header.lastEvent
        run.check(isStored || last == state.header.lastEvent, "\(pages) pages: half of step \(index)")
        if !isStored { try store.commit(step) }
      }
      state.apply(step)
    }
    run.check(try store.load().trials == Array(state.trials), "\(pages) pages: the stored trials differ")
    run.check(try HistoryChecker().check(store) == [], "\(pages) pages: the history is not consistent")
    try store.close()
    if refusals == 0 { try FileManager.default.removeItem(at: ballast) }
    return refusals
  }

  /// From no room at all, a page more each time, until the whole study finds room: every write that needs a page is
  /// once the one that fails.
  @Test("R12: every write of a study is once the one that finds no room")
  func everyWriteOfAStudyIsOnceTheOneThatFindsNoRoom() async {
    let outcome = await FaultRun.perform("R12") { run in
      let mount = try TemporaryFolder()
      try Self.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", mount.url.path])
      defer { try? Self.run(["umount", "-l", mount.url.path]) }
      var pages = 0
      while pages < 2_000 {
        let refusals = try Self.play(pages: pages, in: mount.url, run)
        if refusals == 0 { break }
        run.fire("disk full", refusals)
        pages += 1
      }
      run.check(pages > 50, "the study needed only \(pages) pages")
      run.check(pages < 2_000, "the study never found room")
      run.outcome.count = pages
      run.outcome.what = "a scripted study with room for 0, 1, 2 … \(pages) pages: full at every write in turn"
    }
    #expect(outcome.problems == [])
  }
}
