import Foundation
import TestSupport
import Testing

/// Coordinator and workers as on a cluster: TCP with CURVE keys, on loopback.
@Suite("TCP with keys", .ownThread, .serialized, .bounded)
struct SecureClusterTests {
  private let folder: TemporaryFolder
  private let port = 20_000 + Int(getpid()) % 20_000

  init() throws { folder = try TemporaryFolder("engram-tcp") }

  private func path(_ name: String) -> String { folder.url.appendingPathComponent(name).path }
  private var address: String { "tcp://127.0.0.1:\(port)" }
  private var environment: [String: String] { ["ENGRAM_RUNS": path("runs"), "XDG_STATE_HOME": path("state")] }

  private func keys(_ arguments: String..., status: Int32 = 0) throws {
    let result = try EngramProcess.run(["keys"] + arguments + ["--keys", path("keys")])
    #expect(result.status == status, "\(arguments): \(result.errors)")
  }

  private func worker(_ key: String) throws -> Process {
    try EngramProcess.start(
      ["worker", path("tcp.yaml"), "--connect", address, "--keys", path("keys"), "--key", key, "--name", key],
      environment: environment)
  }

  private func trials() -> [[String: Any]] {
    guard
      let result = try? EngramProcess.run(["trial", "list", "tcp", "--format", "json"], environment: environment),
      let value = try? JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [[String: Any]]
    else { return [] }
    return value
  }

  private func waitUntil(_ seconds: Double = 20, _ condition: () -> Bool) -> Bool {
    let limit = Date().addingTimeInterval(seconds)
    while Date() < limit {
      if condition() { return true }
      usleep(100_000)
    }
    return condition()
  }

  /// Workers of the latest attempts of the trials in a state.
  private func workers(_ state: String) -> Set<String> {
    let trials = trials().filter { $0["state"] as? String == state }
    return Set(trials.compactMap { (($0["attempts"] as? [[String: Any]])?.last)?["worker"] as? String })
  }

  @Test("admitted workers work, revoked and unknown ones get nothing, SIGTERM gives the trial back") func cluster()
    throws
  {
    let text = """
      study: {name: tcp, budget: 12}
      sampler: {initial: 12}
      evaluator: {name: analytic, problem: sparse34, seconds: 0.4}
      coordinator: {heartbeat: 500 ms, lease: 2 s}
      """
    try Data(text.utf8).write(to: URL(fileURLWithPath: path("tcp.yaml")))
    for name in ["server", "good", "gone", "stranger"] { try keys("generate", name) }
    for name in ["good", "gone"] { try keys("authorize", name) }
    try keys("generate", "server", status: 4)
    try keys("authorize", "nobody", status: 3)
    let coordinator = try EngramProcess.start(
      ["coordinator", path("tcp.yaml"), "--bind", address, "--keys", path("keys")], environment: environment)
    let gone = try worker("gone")
    let stranger = try worker("stranger")
    defer {
      for process in [coordinator, gone, stranger] where process.isRunning { process.terminate() }
    }
    #expect(waitUntil { workers("completed").contains("gone") })
    try keys("revoke", "gone")
    // What it had is given to others once its lease has run out.
    #expect(waitUntil { !workers("running").contains("gone") })
    let done = trials().count { $0["state"] as? String == "completed" }
    #expect(done < 12)
    let first = try worker("good")
    defer { if first.isRunning { first.terminate() } }
    try #require(waitUntil { workers("running").contains("good") })
    first.terminate()
    let left = EngramProcess.finish(first)
    #expect(left.status == 75 && left.errors.contains("stopped by SIGTERM"), "\(left.errors)")
    let second = try worker("good")
    defer { if second.isRunning { second.terminate() } }
    let end = EngramProcess.finish(coordinator)
    #expect(end.status == 0, "\(end.errors)")
    #expect(end.errors.contains("not authorised"))
    #expect(EngramProcess.finish(second).status == 0)
    #expect(trials().count { $0["state"] as? String == "completed" } == 12)
    #expect(!workers("completed").contains("stranger"))
    gone.terminate()
    stranger.terminate()
    #expect(EngramProcess.finish(gone).status == 75 && EngramProcess.finish(stranger).status == 75)
  }
}
