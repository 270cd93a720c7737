import Foundation
import StudyDatabase
import Synchronization
import TestSupport
import Testing

/// R19: readers never hurt the search.
///
/// Two questions, asked apart: whether anybody ever waits for a lock, with readers that read all they can; and what
/// readers at a dashboard's pace do to the time in which a worker gets its trial (``ReaderLatencyTests``).
@Suite("Fifty readers", .serialized, .bounded) struct ManyReadersTests {
  private struct Readers: Sendable {
    var reads = 0
    var errors: [String] = []
    var isOver = false
  }

  private final class Board: Sendable { let state = Mutex(Readers()) }

  /// What a dashboard does: the whole study, what is new since, one trial's reports, the warm start.
  private static func read(_ folder: StudyFolder, _ board: Board, every seconds: Double) {
    var seen = 0
    while !board.state.withLock({ $0.isOver }) {
      do {
        // Opened anew every time: opening and closing are where SQLite's locks are taken.
        let observer = try StudyObserver(folder)
        let record = try observer.load()
        seen = try observer.events(after: seen, limit: 1000).last?.number ?? seen
        _ = try observer.reports(trial: 0)
        _ = try observer.warmStart(trial: max(0, record.trials.count - 1))
        board.state.withLock { $0.reads += 1 }
      } catch {
        board.state.withLock { $0.errors.append("\(error)") }
      }
      usleep(useconds_t(seconds * 1e6))
    }
  }

  @Test("R19: no reader and no writer ever finds the study locked") func readers() async {
    let outcome = await FaultRun.perform("R19") { run in
      let seconds = FaultForm.count(short: 6, full: 60)
      var options = FaultStudy.Options()
      options.seed = run.seed
      options.budget = 100_000
      let study = try FaultStudy("readers", options)
      let host = SessionHost(SessionHost.Options(study, trialSeconds: 0.1, seed: run.seed), count: 8)
      defer { host.stop() }
      let coordinator = try study.coordinator()
      defer { coordinator.destroy() }
      try Patience.require("the study runs") { study.finished >= 10 }
      let before = host.log.asks.count
      let board = Board()
      let folder = study.studyFolder
      for _ in 0..<50 {
        let thread = Thread { Self.read(folder, board, every: 0.4) }
        thread.stackSize = 1 << 20
        thread.start()
      }
      // Command-line readers, every second one killed while it reads.
      let limit = ContinuousClock.now + .seconds(seconds)
      var commands = 0
      while ContinuousClock.now < limit {
        commands += 1
        let verb = [["trial", "list", "readers", "--format", "csv"], ["study", "show", "readers"]][commands % 2]
        let log = study.folder.url.appendingPathComponent("reader.log")
        let reader = try FaultProcess(verb + ["--runs", study.runs.path], log: log)
        if commands % 3 == 0 {
          usleep(60_000)
          reader.kill(SIGKILL)
          run.fire("reader killed")
        }
        let status = reader.wait(30)
        run.check(status == 0 || status == 137, "a reader ended with \(String(describing: status)): \(reader.output)")
      }
      let state = board.state.withLock { state in
        state.isOver = true
        return state
      }
      run.fire("read", state.reads)
      run.check(state.errors.isEmpty, "\(state.errors.count) reads failed, the first: \(state.errors.first ?? "")")
      run.check(coordinator.isRunning, "the coordinator ended: \(coordinator.output.suffix(300))")
      coordinator.kill(SIGINT)
      run.check(coordinator.wait(30) == 130, "the coordinator did not stop")
      let output = coordinator.output
      run.check(!output.contains("locked"), "the coordinator found its database locked")
      let log = host.stop()
      let problems = try study.problems(acknowledged: log.acknowledged, expectsEnd: false)
      run.check(problems.isEmpty, "\(problems.prefix(5))")
      // Who asks waits for one answer at a time: all but the last question of each worker were answered.
      let unanswered = log.sent[.ready, default: 0] - log.asks.count
      run.check(unanswered <= host.count, "\(unanswered) asks of \(host.count) workers were not answered")
      run.check(log.asks.count > before, "no trial was handed out beside the readers")
      run.note("\(log.asks.count - before) trials handed out in \(seconds) s beside them")
      run.outcome.count = state.reads
      run.outcome.what = "50 readers and \(commands) commands beside a busy study for \(seconds) s"
    }
    #expect(outcome.problems == [])
  }
}
