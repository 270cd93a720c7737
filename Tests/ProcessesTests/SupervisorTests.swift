import Foundation
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import Processes

@Suite("Supervisor", .bounded) struct SupervisorTests {
  /// What was seen of each member.
  private final class Seen: Sendable {
    private let texts = Mutex<[String]>([])
    func add(_ text: String) { texts.withLock { $0.append(text) } }
    var all: [String] { texts.withLock { $0 } }
  }

  private func member(_ label: String, _ script: String, log: URL? = nil) -> Supervisor.Member {
    Supervisor.Member(label: label, arguments: ["-c", script], environment: ["WHO": label], log: log)
  }

  private static func text(_ event: Supervisor.Event) -> String {
    switch event {
    case .line(let line): line
    case .died(let end, let seconds): "died \(end) \(seconds)"
    case .left(let status, let others): "left \(status) \(others)"
    case .cannotWork(let status, _): "cannot work \(status)"
    case .diedTooOften(let times, _, _): "died \(times) times"
    case .notStarted(let why, _): "not started: \(why)"
    }
  }

  @Test("a member knows its parent, is started again after it died, and leaves for good with a status that says so")
  func lives() async throws {
    let folder = try TemporaryFolder()
    let flag = folder.url.appendingPathComponent("flag").path
    let seen = Seen()
    let supervisor = Supervisor(
      [
        member("a", "echo $WHO $ENGRAM_PARENT; test -e \(flag) && exit 0; touch \(flag); kill -9 $$"),
        member("b", "exit 3"),
      ], policy: .fleet, executable: "/bin/sh"
    ) { seen.add("\($0.label): \(Self.text($1))") }
    #expect(await supervisor.run() == 0)
    let lines = seen.all
    #expect(lines.filter { $0 == "a: a \(getpid())" }.count == 2, "\(lines)")
    #expect(lines.contains("a: died was killed by signal 9 (SIGKILL) 1.0"), "\(lines)")
    #expect(lines.contains("b: cannot work 3") && lines.contains("a: left 0 0"), "\(lines)")
  }

  @Test("members that are asked to leave do; whoever does not is killed") func stops() async throws {
    let folder = try TemporaryFolder()
    let log = folder.url.appendingPathComponent("logs/deaf.log")
    let (ready, feed) = AsyncStream<Void>.makeStream()
    let seen = Seen()
    let supervisor = Supervisor(
      [
        member("good", "trap 'exit 75' TERM; echo ready; while :; do sleep 0.05; done"),
        member("deaf", "trap '' TERM; echo written; while :; do sleep 0.05; done", log: log),
      ], policy: .search, executable: "/bin/sh"
    ) { member, event in
      seen.add("\(member.label): \(Self.text(event))")
      if case .line("ready") = event { feed.yield() }
    }
    let run = Task { await supervisor.run() }
    for await _ in ready { break }
    // What it prints before its trap is set does not count: the log says when it is.
    while (try? String(contentsOf: log, encoding: .utf8)) != "written\n" { try await Task.sleep(for: .milliseconds(5)) }
    #expect(supervisor.stop(patience: .milliseconds(200)) == 2)
    #expect(await run.value == 75)
    #expect(seen.all.contains("good: left 75 1") || seen.all.contains("good: left 75 0"), "\(seen.all)")
    let mode = try FileManager.default.attributesOfItem(atPath: log.path)[.posixPermissions] as? Int
    #expect(mode == 0o600)
  }

  @Test("a program that is not there ends the run and says so") func missing() async {
    let seen = Seen()
    let supervisor = Supervisor([member("a", "")], policy: .search, executable: "/no/such/program") {
      seen.add("\($0.label): \(Self.text($1))")
    }
    #expect(await supervisor.run() == 1)
    #expect(seen.all.count == 1 && seen.all[0].contains("/no/such/program"), "\(seen.all)")
  }
}
