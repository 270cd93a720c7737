import Foundation
import TestSupport
import Testing

/// Every error that a newcomer can make in the first quarter of an hour ends in one clear message and the right status.
@Suite("Newcomers' errors", .ownThread, .bounded)
struct BadInputTests {
  /// A study on an analytic problem: nothing to train, so that only the error under test can go wrong.
  private static let analytic = """
    study: {seed: 1, budget: 4}
    space: {layers: 32}
    sampler: {initial: 2}
    evaluator: {name: analytic, problem: sparse34}
    """

  private let folder: TemporaryFolder
  private let model = Fixtures.url("goldens/lm/models/gpt2").path

  init() throws { folder = try TemporaryFolder("engram-bad") }

  private func path(_ name: String) -> String { folder.url.appendingPathComponent(name).path }

  private func write(_ text: String, _ name: String) throws -> String {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path(name)))
    return path(name)
  }

  private func run(_ arguments: [String], _ environment: [String: String] = [:]) throws -> EngramProcess.Outcome {
    var environment = environment
    environment["ENGRAM_RUNS"] = path("runs")
    let result = try EngramProcess.run(arguments, environment: environment, folder: folder.url)
    // Whatever happens: no stack trace, no Swift type dump, one message.
    #expect(!result.errors.contains("Fatal error"), "\(result.errors)")
    return result
  }

  private func users(_ count: Int) -> String {
    (0..<count).map {
      "{\"id\":\"u\($0)\",\"profile\":{\"city\":\"Oslo\"},\"history\":[{\"kind\":\"post\",\"text\":\"hello \($0)\"}]}"
    }
    .joined(separator: "\n")
  }

  private func samples(_ count: Int, brokenLine: Int? = nil) -> String {
    (1...count).map { line in
      line == brokenLine
        ? "{\"id\":\"s\(line)\",\"user\":\"u0\",\"query\":\"how"
        : "{\"id\":\"s\(line)\",\"user\":\"u0\",\"query\":\"how \(line)?\",\"response\":\"well \(line)\"}"
    }.joined(separator: "\n")
  }

  @Test("no arguments, unknown verbs and flags are usage errors") func usage() throws {
    #expect(try run(["serach"]).status == 2)
    #expect(try run(["search"]).status == 2)
    #expect(try run(["search", "x.yaml", "--wrokers", "2"]).status == 2)
    let version = try run(["--version"])
    #expect(version.status == 0 && !version.output.isEmpty)
    #expect(try run(["--help"]).status == 0)
  }

  @Test("a wrong path") func wrongPath() throws {
    let result = try run(["search", "nowhere.yaml", "--workers", "1"])
    #expect(result.status == 3)
    #expect(result.errors.contains("nowhere.yaml"))
  }

  @Test("a misspelt key names line and nearest key") func misspeltKey() throws {
    let file = try write("study:\n  budgte: 3\n", "study.yaml")
    let result = try run(["search", file, "--workers", "1"])
    #expect(result.status == 2)
    #expect(result.errors.contains("study.yaml:2"))
    #expect(result.errors.contains("Did you mean 'budget'?"))
  }

  @Test("what has no effect on an analytic problem is refused") func analyticSections() throws {
    let space = Self.analytic.replacingOccurrences(of: "{layers: 32}", with: "{layers: 32, ranks: [8, 16]}")
    var result = try run(["search", try write(space, "space.yaml"), "--workers", "1"])
    #expect(result.status == 2 && result.errors.contains("has its own space"), "\(result.errors)")
    let noise = Self.analytic.replacingOccurrences(of: "sparse34}", with: "sparse34, noise: {lost: 0.1}}")
    result = try run(["search", try write(noise, "noise.yaml"), "--workers", "1"])
    #expect(result.status == 2 && result.errors.contains("evaluator.noise.lost"), "\(result.errors)")
  }

  @Test("the noise of an analytic problem can be chosen") func analyticNoise() throws {
    let noise = Self.analytic.replacingOccurrences(
      of: "sparse34}", with: "sparse34, noise: {loss: 0, rougeL: 0.125}}")
    #expect(try run(["search", try write(noise, "noise.yaml"), "--workers", "1"]).status == 0)
    let trials = try run(["trial", "list", "noise", "--format", "json"]).output
    #expect(trials.contains("\"rougeL\" : 0.125") && !trials.contains("\"loss\" : 0.02"), "\(trials)")
  }

  @Test("zero workers") func zeroWorkers() throws {
    let result = try run(["search", try write(Self.analytic, "a.yaml"), "--workers", "0"])
    #expect(result.status == 2)
    #expect(result.errors.contains("worker"))
  }

  @Test("a base without tokenizer") func noTokenizer() throws {
    let copy = folder.url.appendingPathComponent("base")
    try FileManager.default.copyItem(atPath: model, toPath: copy.path)
    try FileManager.default.removeItem(at: copy.appendingPathComponent("tokenizer.json"))
    let result = try run(["model", "tokenize", "--model", copy.path])
    #expect(result.status == 3 || result.status == 2, "\(result.status)")
    #expect(result.errors.contains("tokenizer.json"))
  }

  @Test("a half-written safetensors file") func halfWritten() throws {
    let copy = folder.url.appendingPathComponent("base")
    try FileManager.default.copyItem(atPath: model, toPath: copy.path)
    let file = copy.appendingPathComponent("model.safetensors")
    let bytes = try Data(contentsOf: file)
    try bytes.prefix(bytes.count / 2).write(to: file)
    let result = try run(["model", "info", copy.path])
    #expect(result.status == 2, "\(result.errors)")
    #expect(result.errors.contains("model.safetensors"))
  }

  @Test("a broken line 4,711") func brokenLine() throws {
    let users = try write(users(1), "users.jsonl")
    let samples = try write(samples(5000, brokenLine: 4711), "samples.jsonl")
    let result = try run(["data", "stats", "--users", users, "--samples", samples])
    #expect(result.status == 2, "\(result.errors)")
    #expect(result.errors.contains("samples.jsonl:4711"))
  }

  @Test("a rank that is larger than the matrix") func rank() throws {
    let file = try write(
      """
      study: {budget: 2}
      sampler: {initial: 1}
      space: {ranks: [8, 512]}
      base: {path: \(model)}
      data: {users: \(try write(users(4), "u.jsonl")), samples: \(try write(samples(40), "s.jsonl"))}
      """, "rank.yaml")
    let result = try run(["search", file, "--workers", "1"])
    #expect(result.status == 2, "\(result.errors)")
    #expect(result.errors.contains("512"))
  }

  @Test("an empty part of the split") func emptySplit() throws {
    let users = try write(users(1), "u.jsonl")
    let samples = try write(
      (1...3).map {
        "{\"id\":\"s\($0)\",\"user\":\"u0\",\"query\":\"q\",\"response\":\"r \($0)\",\"split\":\"train\"}"
      }.joined(separator: "\n"), "s.jsonl")
    let file = try write(
      """
      study: {budget: 2}
      sampler: {initial: 1}
      space: {count: {max: 2}, ranks: [2]}
      base: {path: \(model)}
      data: {users: \(users), samples: \(samples), split: given}
      """, "split.yaml")
    let result = try run(["search", file, "--workers", "1"])
    #expect(result.status == 2, "\(result.errors)")
    #expect(result.errors.contains("validation"))
  }

  @Test("a study that was made with another configuration") func otherConfiguration() throws {
    let first = try run(["search", try write(Self.analytic, "same.yaml"), "--workers", "1"])
    #expect(first.status == 0, "\(first.errors)")
    let changed = Self.analytic.replacingOccurrences(of: "seed: 1", with: "seed: 2")
    let second = try run(["search", try write(changed, "same.yaml"), "--workers", "1"])
    #expect(second.status == 4, "\(second.errors)")
    #expect(second.errors.contains("seed"))
  }

  @Test("TCP without keys is refused") func noKeys() throws {
    let file = try write(Self.analytic, "port.yaml")
    let result = try run(["coordinator", file, "--bind", "tcp://127.0.0.1:7719", "--keys", path("nokeys")])
    #expect(result.status == 6, "\(result.errors)")
    #expect(result.errors.contains("engram keys generate server"))
  }

  @Test("a port in use") func portInUse() throws {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let port = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw -> UInt16 in
        guard bind(listener, raw, length) == 0, listen(listener, 1) == 0 else { return 0 }
        getsockname(listener, raw, &length)
        return UInt16(bigEndian: UnsafeRawPointer(raw).load(fromByteOffset: 2, as: UInt16.self))
      }
    }
    try #require(port > 0)
    #expect(try run(["keys", "generate", "server", "--keys", path("keys")]).status == 0)
    let file = try write(Self.analytic, "port.yaml")
    let result = try run(["coordinator", file, "--bind", "tcp://127.0.0.1:\(port)", "--keys", path("keys")])
    #expect(result.status == 4, "\(result.status) \(result.errors)")
    #expect(result.errors.contains("\(port)"))
  }

  @Test("a full disk") func fullDisk() throws {
    // A real small file system; only root can mount one.
    guard getuid() == 0 else { return }
    let disk = path("disk")
    try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
    guard try shell("mount -t tmpfs -o size=256k tmpfs \(disk)") == 0 else { return }
    defer { _ = try? shell("umount \(disk)") }
    _ = try shell("head -c 250000 /dev/zero > \(disk)/ballast")
    let dry = try run(["search", try write(Self.analytic, "full.yaml"), "--runs", disk, "--dry-run"])
    #expect(dry.status == 5 && dry.errors.contains("MiB free"), "\(dry.status) \(dry.errors)")
    let result = try run(["search", try write(Self.analytic, "full.yaml"), "--workers", "1", "--runs", disk])
    #expect(result.status == 5, "\(result.status) \(result.errors)")
    #expect(result.errors.contains("space") || result.errors.contains("full"))
  }

  private func shell(_ command: String) throws -> Int32 {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", command]
    process.standardError = FileHandle.nullDevice
    try process.start()
    process.waitUntilExit()
    return process.terminationStatus
  }

  @Test("an unknown study names those there are") func unknownStudy() throws {
    _ = try run(["search", try write(Self.analytic, "known.yaml"), "--workers", "1"])
    let result = try run(["study", "show", "knwon"])
    #expect(result.status == 3)
    #expect(result.errors.contains("Did you mean 'known'?"))
  }

  @Test("set-up without Swift says how to get it") func missingSwift() throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = [EngramProcess.root.appendingPathComponent(".ci/setup").path]
    // A PATH with the shell's own tools and nothing else.
    let tools = folder.url.appendingPathComponent("tools")
    try FileManager.default.createDirectory(at: tools, withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(
      atPath: tools.appendingPathComponent("cat").path, withDestinationPath: "/bin/cat")
    process.environment = ["PATH": tools.path]
    let errors = Pipe()
    process.standardError = errors
    try process.start()
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 2)
    #expect(text.contains("swift.org/install"))
  }
}
