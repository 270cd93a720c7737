import Foundation
import RandomStreams
import TestSupport
import Testing

/// `kill -9` of any process at random moments, then the same command: nothing is lost, nothing doubled.
@Suite("Killed searches", .ownThread, .serialized, .bounded)
struct KillTests {
  private static let study = """
    study: {name: killed, seed: 5, budget: 24}
    sampler: {initial: 8}
    evaluator: {name: analytic, problem: sparse34, seconds: 0.4}
    coordinator: {heartbeat: 1 s, lease: 5 s, attempts: 20}
    """

  /// The processes of one search: its verb by process number.
  private func processes(of file: String) -> [(pid: pid_t, verb: String)] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { name in
      guard let pid = pid_t(name), let data = FileManager.default.contents(atPath: "/proc/\(name)/cmdline") else {
        return nil
      }
      let words = data.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
      guard words.count > 2, words[0].hasSuffix("/engram"), words.contains(file) else { return nil }
      return (pid, words[1])
    }
  }

  @Test("20 random kills lose and double nothing") func kills() throws {
    let seed: UInt64 = ProcessInfo.processInfo.environment["ENGRAM_SEED"].flatMap { UInt64($0) } ?? 11
    print("seed \(seed)")
    var random = RandomStream(seed: seed, purpose: "tests/kills")
    let folder = try TemporaryFolder("engram-kill")
    let file = folder.url.appendingPathComponent("killed.yaml").path
    try Data(Self.study.utf8).write(to: URL(fileURLWithPath: file))
    let runs = folder.url.appendingPathComponent("runs").path
    let command = ["search", file, "--workers", "2", "--runs", runs]
    var fired: [String: Int] = [:]
    var search = try EngramProcess.start(command)
    while fired.values.reduce(0, +) < 20 {
      usleep(useconds_t((0.2 + random.uniform()) * 1e6))
      if !search.isRunning {
        if search.terminationReason == .exit, search.terminationStatus == 0 { break }
        search = try EngramProcess.start(command)
        continue
      }
      let all = processes(of: file)
      let target = ["search", "worker", "trainer", "all"][random.integer(below: 4)]
      let candidates = all.filter { target == "all" || $0.verb == target }
      guard !candidates.isEmpty else { continue }
      let doomed = target == "all" ? candidates : [candidates[random.integer(below: candidates.count)]]
      for process in doomed { kill(process.pid, SIGKILL) }
      fired[target, default: 0] += 1
      if target == "search" || target == "all" {
        search.waitUntilExit()
        search = try EngramProcess.start(command)
      }
    }
    // The faults fired: the test tested something.
    #expect(fired.values.reduce(0, +) >= 10, "\(fired)")
    #expect((fired["search"] ?? 0) + (fired["all"] ?? 0) >= 3, "\(fired)")
    if EngramProcess.finish(search).status != 0 {
      let last = try EngramProcess.run(command)
      #expect(last.status == 0, "\(last.errors)")
    }
    try checkHistory(runs)
    // Orphans look for their parent four times a second.
    for _ in 0..<50 where !processes(of: file).isEmpty { usleep(100_000) }
    #expect(processes(of: file).isEmpty, "no process is left over")
  }

  private func checkHistory(_ runs: String) throws {
    let doctor = try EngramProcess.run(["doctor", "killed", "--runs", runs])
    #expect(doctor.status == 0, "\(doctor.output)")
    let shown = try EngramProcess.run(["trial", "list", "killed", "--runs", runs, "--format", "json"])
    let trials = try #require(try JSONSerialization.jsonObject(with: Data(shown.output.utf8)) as? [[String: Any]])
    #expect(trials.count { $0["state"] as? String == "completed" } == 24)
    #expect(trials.compactMap { $0["number"] as? Int } == Array(0..<trials.count))
    for trial in trials {
      let attempts = trial["attempts"] as? [[String: Any]] ?? []
      #expect(attempts.count { $0["state"] as? String == "succeeded" } == 1)
    }
    // A resumed search proposes what an uninterrupted one would have: every proposal can be computed again.
    for number in [0, 9, 17, 23] {
      let replay = try EngramProcess.run(["trial", "replay", "\(number)", "--study", "killed", "--runs", runs])
      #expect(replay.status == 0, "\(replay.errors)")
    }
  }
}
