import Foundation
import Glibc
import Study
import TestSupport
import Testing

@testable import Worker

/// Where programs and scripts are looked for, and what is said of those that cannot be started.
@Suite("Programs of trials", .ownThread, .bounded) struct CommandProgramTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try write("sub/ok.sh", "#!/bin/sh\ncat >/dev/null; echo '{\"l\":1}'\n", 0o755)
    try write("sub/nox.sh", "#!/bin/sh\n", 0o644)
    try write("sub/nobang.sh", "cat >/dev/null; echo '{\"l\":1}'\n", 0o755)
    try write("sub/badbang.sh", "#!/no/such/interpreter\n", 0o755)
    try write("sub/badenv.sh", "#!/usr/bin/env no-such-interpreter-at-all\n", 0o755)
    try write("sub/crlf.sh", "#!/bin/sh\r\necho hi\r\n", 0o755)
    try write("train.py", "import sys\nsys.stdin.read()\nprint('{\"l\":1}')\n", 0o644)
  }

  private func write(_ path: String, _ text: String, _ mode: mode_t) throws {
    let url = folder.url.appendingPathComponent(path)
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: url)
    chmod(url.path, mode)
  }

  private var study: URL { folder.url.appendingPathComponent("study.yaml") }

  private func evaluator(_ arguments: [String]) -> CommandEvaluator {
    CommandEvaluator(arguments: arguments, objectives: ["l"], studyFile: study)
  }

  private func evaluate(_ evaluator: CommandEvaluator) throws -> EvaluationResult {
    try evaluator.evaluate(
      EvaluationRequest(
        configuration: .memory(layers: [0], count: 1, rank: 4), seed: 1, trial: 1, attempt: AttemptToken(1),
        scratch: folder.url), EvaluationMonitor())
  }

  /// What is said before any trial.
  private func problem(_ arguments: [String]) -> String {
    do {
      try evaluator(arguments).prepare(EvaluationMonitor())
      return "fine"
    } catch let error as EvaluationError {
      #expect(error.kind == .unavailable)
      return "\(error)"
    } catch {
      return "\(error)"
    }
  }

  @Test("relative programs and scripts lie beside the study's file; what is in PATH or complete is taken as it is")
  func places() throws {
    for arguments in [
      ["sub/ok.sh"], ["./sub/ok.sh"], [folder.url.appendingPathComponent("sub/ok.sh").path], ["sh", "sub/ok.sh"],
      ["python3", "train.py"], ["python3", folder.url.appendingPathComponent("train.py").path],
      ["sh", "-c", "echo '{\"l\":1}'"],
    ] {
      let evaluator = evaluator(arguments)
      try evaluator.prepare(EvaluationMonitor())
      #expect(try evaluate(evaluator).measured.objectives == ["l": 1], "\(arguments)")
    }
  }

  @Test(
    "what cannot be started is said before any trial",
    arguments: [
      ([], "names no program"), ([""], "names no program"), (["/no/such/program"], "/no/such/program was not found"),
      (["ok.sh"], "not found in PATH"), (["train.py"], "write ./train.py"), (["sub"], "not found in PATH"),
      (["./sub"], "is no file"),
      (["sub/nox.sh"], "chmod +x"), (["sub/badbang.sh"], "the interpreter /no/such/interpreter"),
      (["sub/badenv.sh"], "no-such-interpreter-at-all was not found in PATH"), (["sub/crlf.sh"], "carriage return"),
      (["sub/nobang.sh"], "no first line such as #!/bin/sh"),
      (["echo {\"l\":1}"], "no shell is involved"), (["$HOME/ok.sh"], "variables are not replaced"),
      (["python3", "missing.py"], "the script missing.py"), (["sub/missing.sh"], "where the study's file is"),
    ]) func cannotStart(_ arguments: [String], _ words: String)
  {
    #expect(problem(arguments).contains(words), "\(problem(arguments))")
  }

  @Test("a program or script that goes away in mid-study is unavailable, whatever its own failure says")
  func goesAway() throws {
    for arguments in [["sub/ok.sh"], ["python3", "train.py"], ["sub/leaves.sh"]] {
      let gone = folder.url.appendingPathComponent(arguments.last ?? "")
      if arguments == ["sub/leaves.sh"] { try write("sub/leaves.sh", "#!/bin/sh\nrm \"$0\"; exit 3\n", 0o755) }
      let evaluator = evaluator(arguments)
      try evaluator.prepare(EvaluationMonitor())
      if arguments != ["sub/leaves.sh"] { try FileManager.default.removeItem(at: gone) }
      do {
        _ = try evaluate(evaluator)
        Issue.record("it ran")
      } catch let error as EvaluationError {
        #expect(error.kind == .unavailable && "\(error)".contains(gone.lastPathComponent), "\(error)")
      }
    }
  }
}
