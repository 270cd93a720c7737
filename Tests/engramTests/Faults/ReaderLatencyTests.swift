import Foundation
import Foundations
import Study
import StudyDatabase
import Synchronization
import TestSupport
import Testing

/// R19, the other half: what fifty readers at a dashboard's pace do to the time in which a worker gets its trial.
///
/// Each reader keeps the study open and reads every two seconds what is new. Phases without and with readers alternate,
/// so that whatever else the machine does, and the growth of the study, fall on both alike; each pair gives a ratio of
/// two 99th percentiles. What is printed is each phase, and the mean ratio with its 95 % interval over the pairs.
///
/// In the full form the study hands out about thirty trials a second, far more than one whose trials train: at the most
/// that two cores can do, whatever else runs on them takes the coordinator's time, and locks would not be what is
/// measured.
///
/// Asserted in every form: no read fails, no ask is lost, and a reader that only ever read what was new holds exactly
/// the study. The full form also asserts that the mean ratio is below 1.1, if the interval is narrower than 10 % to
/// either side: on a machine that is busy otherwise the phases differ by more than that by themselves, and nothing
/// follows from them. The short form has one pair, from which no interval comes: it prints and judges nothing.
@Suite("Latency beside readers", .serialized, .bounded) struct ReaderLatencyTests {
  private struct Readers: Sendable {
    var areReading = false
    var areOver = false
    var reads = 0
    var trials = 0
    var seconds = 0.0
    var errors: [String] = []
    var ended = 0
  }

  private final class Board: Sendable {
    let state = Mutex(Readers())
    /// The study as the first reader sees it.
    let view = Mutex<StudyRecord?>(nil)
  }

  private static let period = 2.0
  private static let count = 50

  /// A reader: what is new, and the reports of a trial that is under way.
  private static func follow(_ folder: StudyFolder, _ board: Board, index: Int) throws {
    let observer = try StudyObserver(folder)
    var record = try observer.load()
    // They do not come all at once, nor do browsers.
    usleep(useconds_t(period * Double(index) / Double(count) * 1e6))
    while !board.state.withLock({ $0.areOver }) {
      if board.state.withLock({ $0.areReading }) {
        let start = ContinuousClock.now
        let changes = try observer.changes(since: record.header.lastEvent)
        if index == 0 { record.apply(changes) } else { record.header = changes.header }
        if let running = changes.trials.last(where: { $0.state == .running }) {
          _ = try observer.reports(trial: running.number)
        }
        let seconds = start.duration(to: .now).seconds
        board.state.withLock {
          $0.reads += 1
          $0.trials += changes.trials.count
          $0.seconds += seconds
        }
      }
      usleep(useconds_t(period * 1e6))
    }
    guard index == 0 else { return }
    record.apply(try observer.changes(since: record.header.lastEvent))
    board.view.withLock { $0 = record }
  }

  private static func start(_ folder: StudyFolder, _ board: Board) {
    for index in 0..<count {
      let thread = Thread {
        do {
          try follow(folder, board, index: index)
        } catch {
          board.state.withLock { $0.errors.append("\(error)") }
        }
        board.state.withLock { $0.ended += 1 }
      }
      thread.stackSize = 1 << 20
      thread.start()
    }
  }

  @Test("R19: a worker gets its trial as fast beside them as without them") func latency() async {
    let outcome = await FaultRun.perform("R19") { run in
      let pairs = FaultForm.count(short: 1, full: 12)
      let seconds = FaultForm.isFull ? 12.0 : 2.0
      var options = FaultStudy.Options()
      options.seed = run.seed
      options.budget = 1_000_000
      // Leases play no part here: a slow machine must not add its own.
      options.lease = 30
      let study = try FaultStudy("pace", options)
      let host = SessionHost(
        SessionHost.Options(study, trialSeconds: FaultForm.isFull ? 0.5 : 0.1, seed: run.seed), count: 16)
      defer { host.stop() }
      let coordinator = try study.coordinator()
      defer { coordinator.destroy() }
      try Patience.require("the study runs") { study.finished >= 10 }
      let board = Board()
      defer { board.state.withLock { $0.areOver = true } }
      Self.start(study.studyFolder, board)
      var phases: [(quiet: [Double], busy: [Double])] = []
      for pair in 0..<pairs {
        var measured: [Bool: [Double]] = [:]
        // Now the one, now the other comes first.
        for isReading in pair % 2 == 0 ? [false, true] : [true, false] {
          board.state.withLock { $0.areReading = isReading }
          // Two rounds of all readers, so that nobody catches up with the phase before.
          usleep(useconds_t(2.1 * Self.period * 1e6))
          let before = host.log.asks.count
          usleep(useconds_t(seconds * 1e6))
          measured[isReading] = Array(host.log.asks.dropFirst(before))
        }
        phases.append((measured[false] ?? [], measured[true] ?? []))
      }
      run.check(coordinator.isRunning, "the coordinator ended: \(coordinator.output.suffix(300))")
      coordinator.kill(SIGINT)
      run.check(coordinator.wait(30) == 130, "the coordinator did not stop")
      let log = host.stop()
      // The last look is at what the coordinator has left.
      board.state.withLock { $0.areOver = true }
      try Patience.require("the readers end") { board.state.withLock { $0.ended } == Self.count }
      let readers = board.state.withLock { $0 }
      run.fire("read", readers.reads)
      run.check(readers.errors.isEmpty, "readers failed: \(readers.errors.prefix(3))")
      run.check(!coordinator.output.contains("locked"), "the coordinator found its database locked")
      let unanswered = log.sent[.ready, default: 0] - log.asks.count
      run.check(unanswered <= host.count, "\(unanswered) asks of \(host.count) workers were not answered")
      let isSame = try board.view.withLock { $0 } == study.record()
      run.check(isSame, "a reader of what was new does not hold the study as it is")
      let problems = try study.problems(acknowledged: log.acknowledged, expectsEnd: false)
      run.check(problems.isEmpty, "\(problems.prefix(5))")
      run.note(
        String(
          format: "%.1f changed trials a read, %.1f ms", Double(readers.trials) / Double(max(1, readers.reads)),
          1000 * readers.seconds / Double(max(1, readers.reads))))
      Self.judge(phases, run)
      run.outcome.count = pairs
      run.outcome.what =
        "\(Self.count) readers of what is new every \(Int(Self.period)) s: \(pairs) pairs of phases of \(seconds) s, "
        + "\(host.count) workers"
    }
    #expect(outcome.problems == [])
  }

  private static func p99(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    return sorted.isEmpty ? .nan : sorted[min(sorted.count - 1, Int(Double(sorted.count) * 0.99))]
  }

  private static func judge(_ phases: [(quiet: [Double], busy: [Double])], _ run: FaultRun) {
    run.check(phases.allSatisfy { !$0.quiet.isEmpty && !$0.busy.isEmpty }, "no trial was handed out in a whole phase")
    func line(_ values: [Double]) -> String { String(format: "%.1f", 1000 * p99(values)) }
    run.note("p99 ms without: " + phases.map { line($0.quiet) }.joined(separator: " "))
    run.note("with: " + phases.map { line($0.busy) }.joined(separator: " "))
    let quiet = phases.flatMap(\.quiet)
    let busy = phases.flatMap(\.busy)
    run.note("all asks: \(line(quiet)) (\(quiet.count)), \(line(busy)) (\(busy.count))")
    let logs = phases.map { log(p99($0.busy) / p99($0.quiet)) }
    guard logs.count >= 12, logs.allSatisfy(\.isFinite) else { return }
    let mean = logs.reduce(0, +) / Double(logs.count)
    let variance = logs.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(logs.count - 1)
    // 2.2 is Student's quantile for 11 degrees of freedom (less with more of them).
    let half = 2.2 * (variance / Double(logs.count)).squareRoot()
    run.note(
      String(format: "mean ratio of p99 %.3f (95 %%: %.3f to %.3f)", exp(mean), exp(mean - half), exp(mean + half)))
    if half < 0.1 {
      run.check(exp(mean) < 1.1, String(format: "the p99 of an ask grew by %.0f %%", 100 * (exp(mean) - 1)))
    } else {
      run.note("the phases differ too much among themselves to judge 10 %")
    }
  }
}
