import Foundation
import ModelFiles
import StrictJSON
import TestSupport
import Testing
import Tokenizers

@testable import Checkpoints

/// Mutated files: every outcome is a value or a typed error, never a crash, and memory stays in the file's class.
@Suite(.bounded) struct ModelFileFuzzTests {
  private struct Generator {
    var state: UInt64
    mutating func next(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % max(bound, 1)
    }
  }

  /// Tokens that break parsers more often than random bytes do.
  private static let splices: [[UInt8]] = [
    "null", "-1", "9223372036854775807", "18446744073709551616", "1e999", "[]", "{}", "\"\"", "[[[[[[[[", "\\ud800",
    "\u{0}", "true", "0.5", "\"a\":1,", "4294967296", "\\u0000", "F64", "}}}}", "999999999",
  ].map { Array($0.utf8) }

  private static func mutate(_ original: [UInt8], _ generator: inout Generator, head: Int) -> [UInt8] {
    var bytes = original
    for _ in 0...generator.next(3) {
      guard !bytes.isEmpty else { break }
      let position = generator.next(min(bytes.count, head))
      switch generator.next(7) {
      case 0: bytes[position] ^= UInt8(1 << generator.next(8))
      case 1: bytes[position] = UInt8(generator.next(256))
      case 2: bytes.removeSubrange(position..<min(bytes.count, position + 1 + generator.next(16)))
      case 3: bytes.insert(contentsOf: splices[generator.next(splices.count)], at: position)
      case 4:
        let splice = splices[generator.next(splices.count)]
        bytes.replaceSubrange(position..<min(bytes.count, position + splice.count), with: splice)
      case 5: bytes.removeSubrange(position...)
      default:
        let end = min(bytes.count, position + 1 + generator.next(64))
        bytes.insert(contentsOf: Array(bytes[position..<end]), at: generator.next(min(bytes.count, head)))
      }
    }
    return bytes
  }

  /// Runs `read` on mutations; counts refusals and fails on errors of any other type.
  private static func fuzz(
    _ original: [UInt8], count: Int, seed: UInt64, head: Int? = nil, _ read: (Data) throws -> Void
  )
    -> Int
  {
    var generator = Generator(state: seed)
    var refused = 0
    for round in 0..<count {
      let bytes = mutate(original, &generator, head: head ?? original.count)
      do { try read(Data(bytes)) } catch is ModelFileError { refused += 1 } catch {
        Issue.record("round \(round): \(error)")
      }
    }
    return refused
  }

  /// Lets the process get 64 MB of writable memory from now on (thread stacks included; the files have up to 100 KB): a
  /// larger allocation ends it, and with it the exit test.
  private static func limitMemory() throws {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmData:") })
    let used = line.split(separator: " ").dropLast().last.flatMap { UInt($0) } ?? 0
    var limit = rlimit(rlim_cur: rlim_t(used << 10) + (64 << 20), rlim_max: rlim_t.max)
    #expect(setrlimit(__rlimit_resource_t(2), &limit) == 0, "RLIMIT_DATA")
  }

  @Test func configurations() async {
    await #expect(processExitsWith: .success) { try Self.fuzzConfigurations() }
  }

  @Test func tokenizers() async {
    await #expect(processExitsWith: .success) { try Self.fuzzTokenizers() }
  }

  @Test func tensorFiles() async {
    await #expect(processExitsWith: .success) { try Self.fuzzTensorFiles() }
  }

  @Test func adapterConfigurations() async {
    await #expect(processExitsWith: .success) { try Self.fuzzAdapterConfigurations() }
  }

  /// The limit that the others rely on bites.
  @Test func memoryLimitWorks() async {
    await #expect(processExitsWith: .exitCode(7)) {
      try Self.limitMemory()
      // Not malloc, which the optimiser may remove.
      if mmap(nil, 65 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED { exit(7) }
    }
  }

  private static func fuzzConfigurations() throws {
    try limitMemory()
    for name in ["gpt2", "roberta", "llama-mha"] {
      let data = try Data(contentsOf: Fixtures.url("goldens/lm/models/\(name)/config.json"))
      let refused = Self.fuzz(Array(data), count: 1000, seed: 11) { data in
        let configuration = try ModelConfiguration(json: data)
        // What is accepted is usable.
        _ = try ModelConfiguration(json: Data(configuration.json().utf8))
        #expect(!configuration.parameters.isEmpty)
      }
      #expect(refused > 500)
    }
  }

  private static func fuzzTokenizers() throws {
    try limitMemory()
    for (name, count) in [("gpt2", 1200), ("llama-mha", 800)] {
      let data = try Data(contentsOf: Fixtures.url("goldens/lm/models/\(name)/tokenizer.json"))
      let refused = Self.fuzz(Array(data), count: count, seed: 5) { data in
        let tokenizer = try Tokenizer(json: data)
        let text = "Hello <s> wörld\n 12"
        let ids = tokenizer.encode(text)
        _ = try tokenizer.decode(ids)
      }
      #expect(refused > count / 4)
    }
  }

  private static func fuzzTensorFiles() throws {
    try limitMemory()
    for (path, count) in [
      ("adapters/gpt2-two-active/adapter_model", 3500), ("adapters/roberta-mixed/adapter_model", 1000),
    ] {
      let data = try Data(contentsOf: Fixtures.url("goldens/lm/\(path).safetensors"))
      let header = 8 + Int(data[0]) + Int(data[1]) << 8
      let refused = Self.fuzz(Array(data), count: count, seed: 3, head: header) { data in
        for tensor in try SafetensorsFile(MappedFile(copying: data)).tensors where tensor.type.isFloat {
          _ = try tensor.float32Values()
        }
      }
      #expect(refused > count * 3 / 4)
    }
  }

  private static func fuzzAdapterConfigurations() throws {
    try limitMemory()
    let data = try Data(contentsOf: Fixtures.url("goldens/lm/adapters/roberta-mixed/adapter_config.json"))
    let refused = Self.fuzz(Array(data), count: 500, seed: 9) { data in
      try naming(nil) {
        guard case .object(let object) = try JSONParser.parse(data) else { return }
        let configuration = try PEFTConfiguration(object)
        _ = configuration.adapts("roberta.encoder.layer.1.output.dense", kind: .blockLinear, of: .roberta)
      }
    }
    #expect(refused > 200)
  }
}
