import Foundation
import Glibc
import TestSupport
import Testing

/// Searches over programs of the user's, as a user runs them.
@Suite("Programs in a search", .ownThread, .serialized, .timeLimit(.minutes(5)), .bounded) struct ProgramTests {
  private let folder: TemporaryFolder
  private let nap = "300.\(UInt32.random(in: 100_000_000...999_999_999))"

  init() throws { folder = try TemporaryFolder("engram-program") }

  private var runs: String { folder.url.appendingPathComponent("runs").path }

  private func write(_ name: String, _ text: String) throws -> String {
    let url = folder.url.appendingPathComponent(name)
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: url)
    chmod(url.path, 0o755)
    return url.path
  }

  private func study(_ name: String, _ command: String, budget: Int = 2) throws -> String {
    try write(
      "\(name).yaml",
      """
      study: {name: \(name), budget: \(budget)}
      space: {factors: [{name: k, type: integer, min: 1, max: 50}]}
      objectives: [{name: l, direction: minimize}]
      sampler: {initial: 1, name: sobol}
      evaluator: {name: command, command: \(command)}
      coordinator: {heartbeat: 1 s, lease: 10 s}
      """)
  }

  private func trials(_ name: String) throws -> [[String: Any]] {
    let shown = try EngramProcess.run(["trial", "list", name, "--runs", runs, "--format", "json"])
    return try JSONSerialization.jsonObject(with: Data(shown.output.utf8)) as? [[String: Any]] ?? []
  }

  /// Living processes that sleep for this test's time.
  private var sleepers: [pid_t] {
    ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { pid_t($0) }.filter { pid in
      guard let words = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") else { return false }
      return words.split(separator: 0).contains { $0.elementsEqual(nap.utf8) }
    }
  }

  private func wait(_ seconds: Double = 60, until condition: () -> Bool) -> Bool {
    let limit = Date().addingTimeInterval(seconds)
    while Date() < limit {
      if condition() { return true }
      usleep(100_000)
    }
    return false
  }

  @Test("a program that is not there is one line, status 1, and no folder") func missing() throws {
    let file = try study("missing", "[/no/such/program]")
    let outcome = try EngramProcess.run(["search", file, "--runs", runs])
    #expect(outcome.status == 1)
    #expect(outcome.errors.components(separatedBy: "/no/such/program").count == 2, "\(outcome.errors)")
    #expect(!FileManager.default.fileExists(atPath: runs))
  }

  @Test("a relative program lies beside the study's file, from wherever the search is started") func relative() throws {
    _ = try write("sub/ok.sh", "#!/bin/sh\ncat >/dev/null; echo '{\"l\":1}'\n")
    let file = try study("relative", "[sub/ok.sh]")
    let outcome = try EngramProcess.run(["search", file, "--runs", runs], folder: URL(fileURLWithPath: "/"))
    #expect(outcome.status == 0, "\(outcome.errors)")
  }

  @Test("a program that goes away in mid-study ends the search; nothing is lost and no attempt is used up")
  func goesAway() throws {
    let text = "#!/bin/sh\nsleep 0.4; cat >/dev/null; echo '{\"l\":1}'\n"
    let program = try write("gone.sh", text)
    let file = try study("gone", "[\(program)]", budget: 8)
    let search = try EngramProcess.start(["search", file, "--runs", runs])
    let database = "\(runs)/gone/study.sqlite"
    #expect(
      wait {
        // Not yet a study where it cannot be listed.
        FileManager.default.fileExists(atPath: database)
          && ((try? trials("gone")) ?? []).contains { $0["state"] as? String == "completed" }
      })
    try FileManager.default.removeItem(atPath: program)
    let outcome = EngramProcess.finish(search)
    #expect(outcome.status == 1 && outcome.errors.contains("no worker can work"), "\(outcome.errors)")
    #expect(outcome.errors.contains("gone.sh"), "\(outcome.errors)")
    for trial in try trials("gone") {
      #expect(["completed", "queued"].contains(trial["state"] as? String ?? ""), "\(trial)")
      for attempt in trial["attempts"] as? [[String: Any]] ?? [] { #expect(attempt["failure"] is NSNull, "\(attempt)") }
    }
    _ = try write("gone.sh", text)
    let again = try EngramProcess.run(["search", file, "--runs", runs])
    #expect(again.status == 0 && again.output.contains("8 trials finished (the budget"), "\(again.output)")
  }

  @Test("after an abandoned trial nothing of its program runs beside the next one; Ctrl-C leaves nobody")
  func abandoned()
    throws
  {
    let program = try write(
      "wraps.sh", "#!/bin/bash\ncat >/dev/null; bash -c 'sleep \(nap); :'; echo '{\"l\":1}'\n")
    let file = try study("wraps", "[\(program)]")
    let search = try EngramProcess.start(["search", file, "--runs", runs])
    #expect(wait { !sleepers.isEmpty }, "the program did not begin")
    let before = sleepers
    let abandon = try EngramProcess.run(["trial", "abandon", "0", "--study", "wraps", "--runs", runs])
    #expect(abandon.status == 0, "\(abandon.errors)")
    #expect(
      wait {
        let now = sleepers; return !now.isEmpty && now != before
      }, "the next trial did not begin")
    #expect(Set(sleepers).isDisjoint(with: before), "the abandoned program runs on")
    search.interrupt()
    #expect(EngramProcess.finish(search).status == 130)
    #expect(wait(10) { sleepers.isEmpty }, "the program outlived the search")
  }

  @Test("the worker and its trainer killed at once: the next worker ends the program") func killedTogether() throws {
    let program = try write("long.sh", "#!/bin/bash\ncat >/dev/null; sleep \(nap); echo '{\"l\":1}'\n")
    let file = try study("long", "[\(program)]")
    let search = try EngramProcess.start(["search", file, "--runs", runs])
    defer { search.interrupt(); search.waitUntilExit() }
    #expect(wait { !sleepers.isEmpty }, "the program did not begin")
    let before = sleepers
    var killed = 0
    for verb in ["trainer", "worker"] {
      for pid in ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap({ pid_t($0) }) {
        let words = (FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") ?? Data()).split(separator: 0)
          .map { String(decoding: $0, as: UTF8.self) }
        guard words.count > 2, words[0].hasSuffix("/engram"), words[1] == verb, words[2] == file else { continue }
        kill(pid, SIGSTOP)
        killed += 1
      }
    }
    #expect(killed == 2)
    for verb in ["trainer", "worker"] { killAll(verb, file) }
    #expect(
      wait {
        let now = sleepers; return !now.isEmpty && now != before
      }, "no other worker took the trial")
    #expect(Set(sleepers).isDisjoint(with: before), "the old program runs beside the new one")
  }

  private func killAll(_ verb: String, _ file: String) {
    for pid in ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap({ pid_t($0) }) {
      let words = (FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") ?? Data()).split(separator: 0)
        .map { String(decoding: $0, as: UTF8.self) }
      if words.count > 2, words[0].hasSuffix("/engram"), words[1] == verb, words[2] == file { kill(pid, SIGKILL) }
    }
  }

  @Test("what Python prints for not-a-number is diverged in one attempt") func notANumber() throws {
    _ = try write("nan.py", "import json, sys\njson.load(sys.stdin)\nprint(json.dumps({'l': float('nan')}))\n")
    let file = try study("nan", "[python3, nan.py]", budget: 1)
    _ = try EngramProcess.run(["search", file, "--runs", runs])
    let trial = try #require(trials("nan").first)
    #expect(trial["state"] as? String == "diverged" && (trial["attempts"] as? [Any])?.count == 1, "\(trial)")
    let failure =
      trial["failure"] as? [String: Any] ?? (trial["attempts"] as? [[String: Any]])?.first?["failure"] as? [String: Any]
    #expect((failure?["message"] as? String)?.contains("{\"l\": NaN}") == true, "\(trial)")
  }

  @Test("the shipped example of a program runs as it is") func example() throws {
    let file = EngramProcess.root.appendingPathComponent("configs/examples/command.yaml").path
    let outcome = try EngramProcess.run(
      ["search", file, "--workers", "2", "--runs", runs], folder: URL(fileURLWithPath: "/"))
    #expect(outcome.status == 0 && outcome.output.contains("16 trials finished (the budget"), "\(outcome.errors)")
    let reports = try EngramProcess.run(
      ["trial", "show", "0", "--study", "command-example", "--runs", runs, "--reports", "--format", "json"])
    #expect(reports.output.contains("\"step\" : 200"), "\(reports.output)")
  }

  @Test("too few descriptors are said at the start, with the number that is needed") func descriptors() throws {
    let file = try study("few", "[sh, -c, 'echo 1']")
    for verb in [["coordinator", file], ["search", file], ["worker", file, "--connect", "ipc:///tmp/none"]] {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/bin/sh")
      process.arguments =
        ["-c", "ulimit -n 20; exec \"$@\"", "sh", EngramProcess.executable.path] + verb + ["--runs", runs]
      if verb[0] == "worker" { process.arguments?.removeLast(2) }
      let errors = Pipe()
      process.standardError = errors
      process.standardOutput = FileHandle.nullDevice
      try process.start()
      let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      #expect(process.terminationReason == .exit && process.terminationStatus == 6, "\(verb[0]): \(text)")
      #expect(text.contains("20 files open") && text.contains("at least 64"), "\(text)")
    }
    #expect(!FileManager.default.fileExists(atPath: runs))
  }
}
