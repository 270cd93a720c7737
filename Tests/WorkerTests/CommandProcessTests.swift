import Foundation
import Glibc
import Study
import Synchronization
import TestSupport
import Testing

@testable import Processes
@testable import Worker

/// Programs with children of their own: whatever they have started ends with them.
@Suite("Processes of programs", .ownThread, .timeLimit(.minutes(3)), .bounded) struct CommandProcessTests {
  /// A duration in seconds that no other process of this machine sleeps for: by it the children of one test are found.
  private let nap = "300.\(UInt32.random(in: 100_000_000...999_999_999))"

  /// Living processes that sleep for this test's time.
  private var sleepers: [pid_t] {
    ProcessTable.read().entries.filter { entry in
      guard !entry.isOver, let words = FileManager.default.contents(atPath: "/proc/\(entry.pid)/cmdline") else {
        return false
      }
      return words.split(separator: 0).contains { $0.elementsEqual(nap.utf8) }
    }.map(\.pid)
  }

  private func waitForSleepers(_ count: Int) -> Bool {
    for _ in 0..<500 {
      if sleepers.count >= count { return true }
      usleep(20_000)
    }
    return false
  }

  private func request(_ folder: TemporaryFolder) -> EvaluationRequest {
    EvaluationRequest(
      configuration: .memory(layers: [0], count: 1, rank: 4), seed: 1, trial: 1, attempt: AttemptToken(1),
      scratch: folder.url)
  }

  private struct Ending {
    var kind: EvaluationError.Kind?
    var seconds: Double
    var leftAlive: [pid_t]
  }

  /// Runs a script; with `cancelAfter` sleepers it is cancelled.
  private func run(_ script: String, cancelAfter: Int? = nil, endGrace: Duration = .seconds(10)) throws -> Ending {
    let folder = try TemporaryFolder()
    let file = folder.url.appendingPathComponent("program")
    try Data("#!/bin/bash\n\(script)\n".utf8).write(to: file)
    chmod(file.path, 0o755)
    let evaluator = CommandEvaluator(arguments: [file.path], objectives: ["l"], endGrace: endGrace)
    let monitor = EvaluationMonitor()
    var isReady = true
    let canceller = DispatchSemaphore(value: 0)
    let seen = Mutex(true)
    if let cancelAfter {
      Thread { [self] in
        seen.withLock { $0 = waitForSleepers(cancelAfter) }
        monitor.cancel()
        canceller.signal()
      }.start()
    }
    let start = ContinuousClock.now
    var kind: EvaluationError.Kind?
    do { _ = try evaluator.evaluate(request(folder), monitor) } catch let error as EvaluationError { kind = error.kind }
    let seconds: Double = start.duration(to: .now) / Duration.seconds(1)
    if cancelAfter != nil {
      canceller.wait()
      isReady = seen.withLock { $0 }
    }
    #expect(isReady, "the children did not come")
    return Ending(kind: kind, seconds: seconds, leftAlive: sleepers)
  }

  @Test("a cancelled wrapper takes the training behind it along") func cancelledWrapper() throws {
    let ending = try run("cat >/dev/null; bash -c 'sleep \(nap); :'; echo '{\"l\":1}'", cancelAfter: 1)
    #expect(ending.kind == .cancelled(checkpointStep: nil) && ending.leftAlive == [])
    #expect(ending.seconds < 12)
  }

  @Test(
    "a program that fails, is preempted or succeeds leaves nobody behind",
    arguments: [("exit 1", 0), ("exit 75", 1), ("kill -9 $$", 0), ("kill -TERM $$", 1), ("echo '{\"l\":1}'", 2)])
  func leavesNobody(_ end: String, _ kind: Int) throws {
    let ending = try run(
      "cat >/dev/null; (sleep \(nap) >/dev/null 2>&1 &) ; sleep \(nap) & while [ $(pgrep -fc \"sleep \(nap)\") -lt 2 ]; do sleep 0.05; done; \(end)"
    )
    let kinds: [EvaluationError.Kind?] = [.failed(.bug), .cancelled(checkpointStep: nil), nil]
    #expect(ending.kind == kinds[kind] && ending.leftAlive == [], "\(ending)")
  }

  @Test("a child that holds standard output does not delay the result") func stdoutHolder() throws {
    let ending = try run("cat >/dev/null; (trap '' TERM; sleep \(nap)) & echo '{\"l\":1}'")
    #expect(ending.kind == nil && ending.leftAlive == [])
    #expect(ending.seconds < 5, "\(ending.seconds)")
  }

  @Test("a daemon that has left group and session is found by what it inherited") func daemon() throws {
    let ending = try run(
      "cat >/dev/null; setsid -f sleep \(nap) >/dev/null 2>&1; while ! pgrep -f \"sleep \(nap)\" >/dev/null; do sleep 0.05; done; exit 1"
    )
    #expect(ending.kind == .failed(.bug) && ending.leftAlive == [])
  }

  @Test("whoever is cancelled has time to write a checkpoint, also behind a wrapper") func checkpoint() throws {
    let folder = try TemporaryFolder()
    let proof = folder.url.appendingPathComponent("checkpoint").path
    let inner = "trap \"sleep 0.7; touch \(proof); exit 0\" TERM; sleep \(nap) & wait; wait"
    let ending = try run("cat >/dev/null; bash -c '\(inner)'; echo '{\"l\":1}'", cancelAfter: 1)
    #expect(ending.kind == .cancelled(checkpointStep: nil) && ending.leftAlive == [])
    #expect(FileManager.default.fileExists(atPath: proof))
  }

  @Test("a program that ignores SIGTERM or is stopped is killed when its time is over", arguments: ["deaf", "stopped"])
  func deaf(_ how: String) throws {
    let script =
      how == "deaf"
      ? "trap '' TERM INT; cat >/dev/null; sleep \(nap) & while :; do wait; sleep 1; done"
      : "trap '' TERM; cat >/dev/null; sleep \(nap) & kill -STOP $$; kill -STOP $$; while :; do wait; sleep 1; done"
    let ending = try run(script, cancelAfter: 1, endGrace: .milliseconds(1500))
    #expect(ending.kind == .cancelled(checkpointStep: nil) && ending.leftAlive == [])
    #expect(ending.seconds < 20)
  }

  @Test("input that the program does not read holds up nobody") func unreadInput() throws {
    let folder = try TemporaryFolder()
    let layers = Array(0..<1000)
    var wide = request(folder)
    wide.configuration = .factors(
      Dictionary(
        uniqueKeysWithValues: layers.map {
          ("factor-with-a-rather-long-name-\($0)", .text(String(repeating: "x", count: 70)))
        }))
    let evaluator = CommandEvaluator(arguments: ["sh", "-c", "echo '{\"l\":1}'"], objectives: ["l"])
    #expect(try evaluator.evaluate(wide, EvaluationMonitor()).measured.objectives == ["l": 1])
  }

  /// In a process of its own, since it adopts what its descendants leave behind.
  @Test("a trainer ends even what has emptied its environment, and buries it") func adopted() async {
    await #expect(processExitsWith: .exitCode(0)) {
      guard Subreaper.become() else { exit(9) }
      CommandRun.adoptsOrphans.store(true, ordering: .relaxed)
      let nap = "300.\(UInt32.random(in: 100_000_000...999_999_999))"
      let script =
        "cat >/dev/null; env -i setsid -f sleep \(nap) >/dev/null 2>&1; (sleep 0.01 &) ; sleep 0.3; echo '{\"l\":1}'"
      let evaluator = CommandEvaluator(arguments: ["bash", "-c", script], objectives: ["l"])
      let request = EvaluationRequest(
        configuration: .memory(layers: [0], count: 1, rank: 4), seed: 1, trial: 1, attempt: AttemptToken(1),
        scratch: FileManager.default.temporaryDirectory)
      guard (try? evaluator.evaluate(request, EvaluationMonitor())) != nil else { exit(10) }
      // Neither alive nor a zombie of this process.
      let below = ProcessTable.read().descendants(of: getpid())
      exit(below.isEmpty ? 0 : 11)
    }
  }
}
