import Foundation
import Study
import StudyDatabase
import TestSupport
import Testing

/// Studies from strangers, studies that are damaged, moved or taken away, as a user meets them.
@Suite("Storage at the command line", .bounded) struct StorageCommandTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder("engram-storage") }

  private func path(_ name: String) -> String { folder.url.appendingPathComponent(name).path }

  private func run(_ arguments: [String], runs: String = "runs", status: Int32 = 0) async throws
    -> EngramProcess.Outcome
  {
    let result = try await EngramProcess.outcome(
      arguments, environment: ["ENGRAM_RUNS": path(runs)], folder: folder.url)
    #expect(result.status == status, "\(arguments): \(result.status) \(result.errors)")
    return result
  }

  private func write(_ name: String, budget: Int = 3, command: String = "") throws -> String {
    let evaluator =
      command.isEmpty ? "{name: analytic, problem: sparse34}" : "{name: command, command: [\(command)]}"
    let space = command.isEmpty ? "" : "space: {factors: [{name: k, type: integer, min: 1, max: 50}]}\n"
    let objectives = command.isEmpty ? "" : "objectives: [{name: l, direction: minimize}]\n"
    let text = """
      study: {name: \(name), budget: \(budget)}
      \(space)\(objectives)sampler: {initial: 2, name: sobol}
      evaluator: \(evaluator)

      """
    try Data(text.utf8).write(to: URL(fileURLWithPath: path("\(name).yaml")))
    return path("\(name).yaml")
  }

  private func mode(_ path: String) throws -> Int {
    try #require(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
  }

  /// Changes a closed study's database through its store's own library.
  private func edit(_ study: String, _ change: (inout StudyRecord) -> Void) throws {
    let source = StudyFolder(URL(fileURLWithPath: path(study)))
    var archive = try StudyArchive(StudyObserver(source))
    change(&archive.record)
    try FileManager.default.removeItem(at: source.url)
    let store = try SQLiteStudyStore(
      source, beginning: (definition: archive.record.definition, budget: archive.record.header.budget))
    try store.commit(archive.transition)
    try store.close()
  }

  private func withArtifact(_ reference: ArtifactReference) -> (inout StudyRecord) -> Void {
    { record in
      guard let index = record.trials[0].attempts.firstIndex(where: { $0.state == .succeeded }) else { return }
      record.trials[0].attempts[index].result?.artifacts = [reference]
      record.trials[0].result?.artifacts = [reference]
    }
  }

  @Test("an import takes nothing that leads out of its folder and leaves nothing behind") func hostile() async throws {
    _ = try await run(["search", write("s")])
    let good = String(repeating: "ab", count: 32)
    let cases: [(name: String, sha: String, prepare: (String) throws -> Void)] = [
      (
        "traversal", "L/../../../../../planted",
        { root in
          try FileManager.default.createDirectory(atPath: root + "/artifacts", withIntermediateDirectories: true)
          #expect(symlink("/", root + "/artifacts/L") == 0)
        }
      ),
      ("dots", "../../planted", { _ in }), ("upper", good.uppercased(), { _ in }), ("short", "ab", { _ in }),
      (
        "link", good,
        { root in
          try FileManager.default.createDirectory(atPath: root + "/artifacts", withIntermediateDirectories: true)
          #expect(symlink("/etc/passwd", root + "/artifacts/" + good) == 0)
        }
      ),
      ("folderlink", good, { root in #expect(symlink("/", root + "/artifacts") == 0) }),
      (
        "wrong", good,
        { root in
          try FileManager.default.createDirectory(atPath: root + "/artifacts", withIntermediateDirectories: true)
          try Data("abc".utf8).write(to: URL(fileURLWithPath: root + "/artifacts/" + good))
        }
      ),
      ("fifo", good, { root in #expect(mkfifo(root + "/comparison.json", 0o600) == 0) }),
      ("adapterlink", good, { root in #expect(symlink("/", root + "/adapter") == 0) }),
      (
        "adapterfile", good,
        { root in
          try FileManager.default.createDirectory(atPath: root + "/adapter", withIntermediateDirectories: true)
          #expect(symlink("/etc/passwd", root + "/adapter/adapter_config.json") == 0)
        }
      ),
      ("wallink", good, { root in #expect(symlink("/etc/passwd", root + "/study.sqlite-wal") == 0) }),
    ]
    for hostile in cases {
      _ = try await run(["study", "export", "s", "--output", path(hostile.name)])
      try edit(hostile.name, withArtifact(ArtifactReference(name: "adapter", sha256: hostile.sha, bytes: 3)))
      try hostile.prepare(path(hostile.name))
      let result = try await EngramProcess.outcome(
        ["study", "import", path(hostile.name)], environment: ["ENGRAM_RUNS": path("new")], folder: folder.url)
      #expect(result.status != 0 && !result.errors.isEmpty, "\(hostile.name): \(result.output)")
      #expect(!FileManager.default.fileExists(atPath: path("new")), "\(hostile.name) left something")
      #expect(!FileManager.default.fileExists(atPath: path("planted")))
    }
    // A database that is a link, or waits for ever.
    try FileManager.default.createDirectory(atPath: path("d"), withIntermediateDirectories: true)
    #expect(mkfifo(path("d/study.sqlite"), 0o600) == 0)
    _ = try await run(["study", "import", path("d")], runs: "new", status: 5)
    _ = try await run(["study", "import", path("d/study.sqlite")], runs: "new", status: 2)
    #expect(!FileManager.default.fileExists(atPath: path("new")))
  }

  @Test("artifacts travel with an export and are what they were") func artifacts() async throws {
    _ = try await run(["search", write("s")])
    let content = Data("adapter".utf8)
    let sha = "8d43ff1a0f8fb1e91a5ae5a2a8dd0d8a1b9f3e5a7b26b0a0a1ae0ae0ff4cd6a3"
    // A file that is not what its name says stays behind, and that is said.
    try edit("runs/s", withArtifact(ArtifactReference(name: "adapter", sha256: sha, bytes: Int64(content.count))))
    try FileManager.default.createDirectory(atPath: path("runs/s/artifacts"), withIntermediateDirectories: true)
    try content.write(to: URL(fileURLWithPath: path("runs/s/artifacts/\(sha)")))
    try Data("{}".utf8).write(to: URL(fileURLWithPath: path("runs/s/comparison.json")))
    let exported = try await run(["study", "export", "s", "--output", path("out")])
    #expect(exported.errors.contains("left out") && exported.output.contains("quotes a person"))
    #expect(try mode(path("out")) == 0o700)
    #expect(try mode(path("out/study.sqlite")) == 0o600 && mode(path("out/comparison.json")) == 0o600)
    _ = try await run(["study", "export", "s", "--output", path("bare"), "--no-comparison"])
    #expect(!FileManager.default.fileExists(atPath: path("bare/comparison.json")))
    _ = try await run(["study", "export", "s", "--output", path("s.jsonl")])
    #expect(try mode(path("s.jsonl")) == 0o600)
  }

  @Test("one broken study hides no other") func list() async throws {
    _ = try await run(["search", write("good")])
    for (name, text) in [("text", "hello"), ("empty", "")] {
      try FileManager.default.createDirectory(atPath: path("runs/\(name)"), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: URL(fileURLWithPath: path("runs/\(name)/study.sqlite")))
    }
    try FileManager.default.createDirectory(atPath: path("runs/gone"), withIntermediateDirectories: true)
    #expect(symlink("/nonexistent/x", path("runs/gone/study.sqlite")) == 0)
    let table = try await run(["study", "list"], status: 5)
    #expect(table.output.contains("good") && table.output.contains("damaged") && table.output.contains("empty"))
    let json = try await run(["study", "list", "--format", "json"], status: 5).output
    let rows = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [[String: Any]])
    #expect(rows.map { $0["state"] as? String } == ["empty", "damaged", "budget", "damaged"])
    #expect(rows.count == 4 && rows.allSatisfy { $0.keys.contains("hypervolume") && $0.keys.contains("problem") })
    for name in ["text", "empty", "gone", "nothing"] {
      let result = try await EngramProcess.outcome(
        ["doctor", name, "--format", "json"], environment: ["ENGRAM_RUNS": path("runs")], folder: folder.url)
      #expect(result.status != 0)
      let findings = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [[String: Any]])
      #expect(findings.contains { $0["subject"] as? String == "study" && $0["isFine"] as? Bool == false })
    }
    let sound = try await run(["doctor", "good", "--format", "json"]).output
    #expect(sound.contains("as they were stored"))
    // A damaged study can be moved out of the way.
    _ = try await run(["study", "delete", "text", "--yes"])
    #expect(!FileManager.default.fileExists(atPath: path("runs/text")))
  }

  @Test("a study goes on when its program has moved; another name has to be told") func moved() async throws {
    let script = "#!/bin/sh\ncat >/dev/null; echo '{\"l\":1}'\n"
    for folder in ["old", "new"] {
      try FileManager.default.createDirectory(atPath: path(folder), withIntermediateDirectories: true)
      try Data(script.utf8).write(to: URL(fileURLWithPath: path("\(folder)/train.sh")))
    }
    _ = try await run(["search", write("m", command: "sh, \(path("old/train.sh"))")])
    _ = try await run(["search", write("m", budget: 4, command: "/bin/sh, \(path("new/train.sh"))")])
    // Forking takes it too.
    _ = try await run(["study", "fork", "m", write("f", budget: 5, command: "sh, \(path("new/train.sh"))")])
    let file = try write("m", budget: 5, command: "sh, \(path("new/train.sh")), --fast")
    let refused = try await run(["search", file], status: 4).errors
    #expect(refused.contains("engram study relocate m"), "\(refused)")
    _ = try await run(["study", "relocate", "m", file])
    _ = try await run(["search", file])
    #expect(try await run(["doctor", "m"]).output.contains("as they were stored"))
    try FileManager.default.moveItem(atPath: path("runs"), toPath: path("elsewhere"))
    let last = try write("m", budget: 6, command: "sh, \(path("new/train.sh")), --fast")
    _ = try await run(["search", last], runs: "elsewhere")
    _ = try await run(["study", "relocate", "m", write("x")], runs: "elsewhere", status: 2)
    // A study that several coordinators have opened comes back from its text.
    _ = try await run(["study", "export", "m", "--output", path("m.jsonl")], runs: "elsewhere")
    _ = try await run(["study", "import", path("m.jsonl")], runs: "back")
    #expect(try await run(["doctor", "m"], runs: "back").output.contains("as they were stored"))
  }

  @Test("a search whose database is deleted stops and says where its results are") func deleted() async throws {
    let script = "cat >/dev/null; sleep 0.1; echo '{\"l\":1}'\n"
    try Data(script.utf8).write(to: URL(fileURLWithPath: path("slow.sh")))
    let file = try write("gone", budget: 45, command: "sh, \(path("slow.sh"))")
    let process = try EngramProcess.start(
      ["search", file], environment: ["ENGRAM_RUNS": path("runs")], folder: folder.url)
    let database = StudyFolder(URL(fileURLWithPath: path("runs/gone")))
    var finished = 0
    for _ in 0..<600 where finished < 2 {
      try await Task.sleep(for: .milliseconds(50))
      // Not there yet, or just being made.
      finished = (try? StudyObserver(database).load().trials.count { $0.state == .completed }) ?? 0
    }
    #expect(finished >= 2, "the search did not begin within 30 s")
    try FileManager.default.removeItem(at: database.database)
    let result = await Task.detached { EngramProcess.finish(process) }.value
    #expect(result.status == 5, "\(result.errors)")
    #expect(
      result.errors.contains("removed or moved away") && result.errors.contains("was copied to"), "\(result.errors)")
    let rescued = try FileManager.default.contentsOfDirectory(atPath: path("runs")).filter {
      $0.hasPrefix("gone.rescued")
    }
    let saved = try StudyObserver(StudyFolder(URL(fileURLWithPath: path("runs/\(try #require(rescued.first))")))).load()
    #expect(saved.trials.count { $0.state == .completed } >= finished)
  }

  @Test("an export that was killed leaves nothing for long") func leftovers() async throws {
    _ = try await run(["search", write("s")])
    let left = path(".engram-export-killed")
    try FileManager.default.createDirectory(atPath: left, withIntermediateDirectories: true)
    _ = try await run(["study", "export", "s", "--output", path("s.jsonl")])
    #expect(!FileManager.default.fileExists(atPath: left))
  }
}
