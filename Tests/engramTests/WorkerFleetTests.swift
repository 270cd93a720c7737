import Foundation
import TestSupport
import Testing

/// Several workers of one machine under one process, and workers that are taken out of service.
@Suite("Fleet", .serialized, .bounded)
struct WorkerFleetTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder("engram-fleet") }

  private func path(_ name: String) -> String { folder.url.appendingPathComponent(name).path }
  private var environment: [String: String] { ["ENGRAM_RUNS": path("runs"), "XDG_STATE_HOME": path("state")] }

  private func run(_ arguments: [String], status: Int32 = 0) async throws -> EngramProcess.Outcome {
    let result = try await EngramProcess.outcome(arguments, environment: environment, folder: folder.url)
    #expect(result.status == status, "\(arguments): \(result.status) \(result.errors)")
    return result
  }

  private func write(_ name: String, _ evaluator: String, budget: Int) throws -> String {
    let text = """
      study: {name: \(name), budget: \(budget)}
      sampler: {initial: \(budget)}
      evaluator: \(evaluator)
      coordinator: {heartbeat: 500 ms, lease: 2 s}
      """
    try Data(text.utf8).write(to: URL(fileURLWithPath: path("\(name).yaml")))
    return path("\(name).yaml")
  }

  private func rows(_ study: String) async -> [[String: Any]] {
    let result = try? await EngramProcess.outcome(
      ["worker", "list", study, "--format", "json"], environment: environment)
    let value = try? JSONSerialization.jsonObject(with: Data((result?.output ?? "").utf8)) as? [[String: Any]]
    return value ?? []
  }

  @Test("one worker per device: names, prefixes, a killed one comes back, signals are passed on") func fleet()
    async throws
  {
    let study = try write("fleet", "{name: analytic, problem: sparse34, seconds: 0.3}", budget: 500)
    let address = "ipc://\(path("s"))"
    let coordinator = try EngramProcess.start(["coordinator", study, "--bind", address], environment: environment)
    defer { if coordinator.isRunning { coordinator.terminate() } }
    let fleet = try EngramProcess.start(
      ["worker", study, "--connect", address, "--device", "cpu,cpu", "--name", "node"], environment: environment)
    defer { if fleet.isRunning { fleet.terminate() } }
    func busy() async -> Set<String> {
      Set(await rows("fleet").filter { $0["running"] is Int }.compactMap { $0["name"] as? String })
    }
    try #require(await EngramProcess.waitUntil { await busy() == ["node/cpu.0", "node/cpu.1"] })
    // Kill one of the two workers (not its trainer).
    let killed = try #require(children(of: fleet.processIdentifier).first)
    kill(killed, SIGKILL)
    try #require(
      await EngramProcess.waitUntil { children(of: fleet.processIdentifier).filter { $0 != killed }.count == 2 })
    // Both finish trials from now on; a lease of the killed one would still look like a busy worker.
    func finished() async -> [String: Int] {
      let pairs = await rows("fleet").compactMap { row in
        (row["name"] as? String).flatMap { name in (row["succeeded"] as? Int).map { (name, $0) } }
      }
      return Dictionary(pairs) { max($0, $1) }
    }
    let before = await finished()
    try #require(
      await EngramProcess.waitUntil {
        let now = await finished()
        return now.count == 2 && now.allSatisfy { $0.value > (before[$0.key] ?? 0) }
      })
    try #require(await EngramProcess.waitUntil { await busy().count == 2 })
    fleet.terminate()
    let end = await EngramProcess.outcome(of: fleet)
    #expect(end.status == 75, "\(end.errors)")
    #expect(end.errors.contains("[cpu.0] ") && end.errors.contains("[cpu.1] "))
    #expect(end.errors.contains("SIGKILL") && end.errors.contains("starting it again"))
    #expect(end.errors.components(separatedBy: "stopped by SIGTERM").count == 3, "\(end.errors)")
    // Both trials were given back.
    #expect(await EngramProcess.waitUntil(10) { await busy().isEmpty })
    coordinator.interrupt()
    #expect(await EngramProcess.outcome(of: coordinator).status == 130)
    #expect(try await run(["doctor", "fleet"]).output.contains("consistent"))
  }

  private func children(of parent: pid_t) -> [pid_t] {
    let text = (try? String(contentsOfFile: "/proc/\(parent)/task/\(parent)/children", encoding: .utf8)) ?? ""
    let main = text.split(separator: " ").compactMap { pid_t($0) }
    // Children belong to the thread that started them.
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(parent)/task")) ?? []
    let others = threads.filter { $0 != "\(parent)" }.flatMap { thread -> [pid_t] in
      let text = (try? String(contentsOfFile: "/proc/\(parent)/task/\(thread)/children", encoding: .utf8)) ?? ""
      return text.split(separator: " ").compactMap { pid_t($0) }
    }
    return (main + others).sorted()
  }

  @Test("a worker that is out of service, and one that is not") func reinstate() async throws {
    let study = try write("bad", "{name: command, command: [sh, -c, 'kill -BUS $$']}", budget: 4)
    let address = "ipc://\(path("b"))"
    let text = try String(contentsOfFile: study, encoding: .utf8) + "\nspace: {layers: 4, ranks: [2, 4]}\n"
    try Data(text.utf8).write(to: URL(fileURLWithPath: study))
    let coordinator = try EngramProcess.start(["coordinator", study, "--bind", address], environment: environment)
    defer { if coordinator.isRunning { coordinator.terminate() } }
    let worker = try EngramProcess.start(
      ["worker", study, "--connect", address, "--name", "broken"], environment: environment)
    defer { if worker.isRunning { worker.terminate() } }
    try #require(await EngramProcess.waitUntil { await rows("bad").contains { $0["isOutOfService"] as? Bool == true } })
    #expect(try await run(["study", "show", "bad"]).output.contains("engram worker reinstate"))
    #expect(try await run(["worker", "reinstate", "fine", "--study", "bad"], status: 3).errors.contains("broken"))
    worker.terminate()
    _ = await EngramProcess.outcome(of: worker)
    let again = try EngramProcess.start(
      ["worker", study, "--connect", address, "--name", "broken"], environment: environment)
    let refused = await EngramProcess.outcome(of: again)
    #expect(refused.status == 6 && refused.errors.contains("engram worker reinstate broken"), "\(refused.errors)")
    #expect(
      try await run(["worker", "reinstate", "broken", "--study", "bad"]).output.contains("may take trials again"))
    coordinator.interrupt()
    _ = await EngramProcess.outcome(of: coordinator)
    // The same with nobody running the study.
    _ = try await run(["worker", "reinstate", "broken", "--study", "bad"], status: 3)
  }

  @Test("without a GPU one clear message") func noGPU() async throws {
    guard !FileManager.default.fileExists(atPath: "/proc/driver/nvidia/version") else { return }
    let study = try write("none", "{name: analytic, problem: sparse34}", budget: 4)
    let result = try await run(["worker", study, "--connect", "ipc:///tmp/none", "--gpus", "all"], status: 6)
    #expect(result.errors.contains("no GPU found") && result.errors.contains("--device cpu"))
    _ = try await run(
      ["worker", study, "--connect", "ipc:///tmp/none", "--gpus", "all", "--device", "cpu,cpu"], status: 2)
    #expect(try await run(["worker", "--help"]).output.contains("reinstate"))
    #expect(try await run(["worker", "run", "--help"]).output.contains("--gpus"))
  }
}
