import Foundation
import TestSupport
import Testing

@testable import Console

/// Output that is not taken, does not fit, or comes from somebody else.
@Suite("Standard output and error", .timeLimit(.minutes(3)), .bounded)
struct OutputTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder("engram-output") }

  private func path(_ name: String) -> String { folder.url.appendingPathComponent(name).path }

  /// Runs a line of bash in which $ENGRAM is the program.
  private func bash(_ line: String) async throws -> EngramProcess.Outcome {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = ["-c", line]
    process.currentDirectoryURL = folder.url
    process.environment = ProcessInfo.processInfo.environment.merging([
      "ENGRAM": EngramProcess.executable.path, "ENGRAM_RUNS": path("runs"),
    ]) { $1 }
    let (output, errors) = (path("out"), path("err"))
    for file in [output, errors] { _ = FileManager.default.createFile(atPath: file, contents: nil) }
    process.standardOutput = FileHandle(forWritingAtPath: output)
    process.standardError = FileHandle(forWritingAtPath: errors)
    process.standardInput = FileHandle.nullDevice
    try process.start()
    let limit = ContinuousClock.now + .seconds(100)
    while process.isRunning, ContinuousClock.now < limit { try await Task.sleep(for: .milliseconds(20)) }
    if process.isRunning {
      Issue.record("still running: \(line)")
      process.terminate()
    }
    process.waitUntilExit()
    return EngramProcess.Outcome(
      status: process.terminationStatus, output: try String(contentsOfFile: output, encoding: .utf8),
      errors: try String(contentsOfFile: errors, encoding: .utf8))
  }

  private func writeSpace() throws {
    try Data(
      "space: {factors: [{name: k, type: integer, min: 1, max: 900}]}\nobjectives: [{name: l, direction: minimize}]"
        .utf8
    )
    .write(to: URL(fileURLWithPath: path("s.yaml")))
  }

  private func writeStudy(_ name: String, budget: Int, _ script: String) throws {
    try Data(script.utf8).write(to: URL(fileURLWithPath: path("\(name).sh")))
    let text = """
      study: {name: \(name), budget: \(budget)}
      space: {factors: [{name: k, type: integer, min: 1, max: 900}]}
      objectives: [{name: l, direction: minimize}, {name: q, direction: maximize}]
      sampler: {name: random, initial: 2}
      evaluator: {name: command, command: [sh, \(path("\(name).sh"))]}
      coordinator: {attempts: 1}
      """
    try Data(text.utf8).write(to: URL(fileURLWithPath: path("\(name).yaml")))
  }

  @Test("a full disk under standard output is an error of storage", arguments: ["suggest", "pareto", "help"])
  func fullDisk(_ verb: String) async throws {
    try writeSpace()
    let arguments = verb == "help" ? "--help" : "\(verb) --space s.yaml --observations /dev/null"
    let result = try await bash("$ENGRAM \(arguments) > /dev/full")
    #expect(result.status == 5, "\(result.errors)")
    #expect(result.errors.contains("standard output: No space left on device"))
  }

  @Test("a reader that is gone ends a command quietly") func closedPipe() async throws {
    try writeSpace()
    let result = try await bash(
      "{ sleep 0.3; $ENGRAM suggest --space s.yaml --observations /dev/null --count 3; echo rc=$? >&2; } | true")
    #expect(result.errors == "rc=0\n")
  }

  @Test("a search goes on to its end without a reader of either stream") func searchWithoutReaders() async throws {
    try writeStudy("gone", budget: 6, "echo '{\"l\":1,\"q\":2}'")
    let result = try await bash(
      "{ $ENGRAM search gone.yaml; echo $? > rc; } 2>&1 | true; cat rc; $ENGRAM study list --format csv")
    #expect(result.output.hasPrefix("0\n") && result.output.contains("gone,6,6"), "\(result.output) \(result.errors)")
  }

  @Test("a terminal that takes nothing does not hold up a search") func blockedErrors() async throws {
    try writeStudy("blocked", budget: 150, "echo '{\"l\":1,\"q\":2}'")
    var ends: [Int32] = [0, 0]
    #expect(pipe(&ends) == 0)
    // The smallest pipe there is, and nobody who reads it: full after some dozen lines.
    let size = fcntl(ends[1], 1031, 4096)
    #expect(size == 4096)
    let process = Process()
    process.executableURL = EngramProcess.executable
    process.arguments = ["search", path("blocked.yaml")]
    process.environment = ProcessInfo.processInfo.environment.merging(["ENGRAM_RUNS": path("runs")]) { $1 }
    _ = FileManager.default.createFile(atPath: path("out"), contents: nil)
    process.standardOutput = FileHandle(forWritingAtPath: path("out"))
    process.standardError = FileHandle(fileDescriptor: ends[1], closeOnDealloc: false)
    process.standardInput = FileHandle.nullDevice
    try process.start()
    close(ends[1])
    let limit = ContinuousClock.now + .seconds(90)
    while process.isRunning, ContinuousClock.now < limit { try await Task.sleep(for: .milliseconds(50)) }
    #expect(!process.isRunning, "the search waits for its terminal")
    if process.isRunning { process.terminate() }
    process.waitUntilExit()
    // The pipe was full: the fault fired.
    var waiting: Int32 = 0
    #expect(ioctl(ends[0], UInt(FIONREAD), &waiting) == 0 && waiting > 3_500, "\(waiting)")
    close(ends[0])
    #expect(process.terminationStatus == 0)
    #expect(try String(contentsOfFile: path("out"), encoding: .utf8).contains("150 trials finished"))
  }

  @Test("a queue without a taker drops and counts, and says so once there is one") func queue() async throws {
    let gate = DispatchSemaphore(value: 0)
    let written = Written()
    let queue = OutputQueue(capacity: 100) { bytes in
      gate.wait()
      written.add(bytes)
      return true
    }
    for index in 0..<50 { queue.add(Array("line \(index)\n".utf8)) }
    #expect(queue.dropped > 30)
    #expect(!queue.flush(within: .milliseconds(50)))
    for _ in 0..<50 { gate.signal() }
    #expect(queue.flush(within: .seconds(20)))
    queue.add(Array("later\n".utf8))
    #expect(queue.flush(within: .seconds(20)))
    let text = written.text
    #expect(text.hasPrefix("line 0\n") && text.contains("lines were dropped") && text.contains("later\n"))
    #expect(queue.dropped == 0)
  }

  private final class Written: @unchecked Sendable {
    private let lock = NSLock()
    private var bytes: [UInt8] = []
    func add(_ more: [UInt8]) { lock.withLock { bytes += more } }
    var text: String { lock.withLock { String(decoding: bytes, as: UTF8.self) } }
  }

  @Test("what a program prints cannot steer a terminal or forge a line") func hostileText() async throws {
    try writeStudy(
      "hostile", budget: 3,
      #"printf 'bad \033]0;owned\007 thing\r\n' >&2; printf '\033[31mengram: all is well\n' >&2; exit 3"#)
    _ = try await bash("$ENGRAM search hostile.yaml")
    for verb in [
      "trial list hostile", "trial list hostile --format csv", "trial show 0 --study hostile", "study show hostile",
      "trial show 0 --study hostile --format json", "doctor hostile", "worker list hostile",
    ] {
      let result = try await bash("$ENGRAM \(verb)")
      for text in [result.output, result.errors] {
        #expect(
          !text.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" && $0 != "\t" || $0.value == 0x7F },
          "\(verb): \(text)")
      }
    }
    let again = try await bash("$ENGRAM search hostile.yaml; true")
    #expect(!again.errors.contains("\u{1B}") && !again.output.contains("\u{1B}"))
  }

  @Test(
    "extreme metrics and objectives are printed and drawn by every verb",
    arguments: [
      #""trainableParameters":1e19"#, #""trainableParameters":-1e19"#, #""trainableParameters":0.5"#,
      #""seconds":1e300"#,
      #""seconds":-5"#,
    ])
  func extremeMetrics(_ metric: String) async throws {
    try writeStudy(
      "extreme", budget: 3,
      "read x; k=${x#*\\\"k\\\":}; k=${k%%[!0-9]*}; echo \"{\\\"objectives\\\":{\\\"l\\\":${k}e-9,\\\"q\\\":${k}e60},\\\"metrics\\\":{\(metric.replacingOccurrences(of: "\"", with: "\\\""))}}\""
    )
    let searched = try await bash("$ENGRAM search extreme.yaml")
    #expect(searched.status == 0, "\(searched.errors) \(searched.output)")
    for verb in [
      "study show extreme", "study show extreme --format csv", "study show extreme --format json", "trial list extreme",
      "trial list extreme --format csv", "trial list extreme --format json", "trial show 1 --study extreme",
      "trial best extreme", "trial best extreme --by l", "plot all extreme", "worker list extreme",
    ] {
      let result = try await bash("$ENGRAM \(verb)")
      #expect(result.status == 0, "\(verb): \(result.errors)")
      let longest = result.output.split { !$0.isNumber }.map(\.count).max() ?? 0
      #expect(longest < 22, "\(verb): \(result.output)")
      #expect(!result.output.contains(" 0.0000"), "\(verb): \(result.output)")
    }
  }

  @Test("a word that is no command: the nearest one is named") func unknownCommands() async throws {
    for (words, part) in [
      ("serach", "Did you mean 'search'?"), ("study sho x", "Did you mean 'show'?"),
      ("trial zzzzzzzzzz", "There are: list"),
    ] {
      let result = try await bash("$ENGRAM \(words)")
      #expect(result.status == 2 && result.errors.contains(part), "\(words): \(result.errors)")
    }
    #expect(try await bash("$ENGRAM help search").status == 0)
    #expect(try await bash("$ENGRAM worker list --help").status == 0)
  }
}
