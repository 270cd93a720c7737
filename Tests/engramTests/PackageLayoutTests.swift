import Foundation
import TestSupport
import Testing

/// The modules' arrows: what each target may import directly.
///
/// An edge that is not here fails the test.
@Suite("Package layout", .ownThread, .bounded)
struct PackageLayoutTests {
  private static let allowed: [String: Set<String>] = [
    "CZeroMQ": [], "CBLAS": [], "CKernels": [], "CUDAKernels": [], "RandomStreams": [], "Jinja": [], "CDigest": [],
    "Foundations": ["CDigest"], "StrictJSON": ["Foundations"], "Processes": ["Foundations"],
    "LinearAlgebra": ["CBLAS", "CKernels"],
    "BayesianOptimization": ["LinearAlgebra", "RandomStreams"],
    "ModelFiles": ["Foundations", "StrictJSON"],
    "Checkpoints": ["ModelFiles", "StrictJSON"],
    "Tokenizers": ["Jinja", "ModelFiles", "StrictJSON"],
    "LanguageModel": ["CBLAS", "CKernels", "CUDAKernels", "Checkpoints", "RandomStreams", "Tokenizers"],
    "MemoryRecipe": ["BayesianOptimization"],
    "Personalization": ["LanguageModel", "MemoryRecipe", "StrictJSON"],
    "Study": ["Foundations", "MemoryRecipe"],
    "StudyDatabase": ["Foundations", "Study"],
    "WireProtocol": ["StrictJSON", "Study"],
    "Transport": ["CZeroMQ", "Foundations", "WireProtocol"],
    "Coordinator": ["Study", "StudyDatabase", "WireProtocol", "Transport"],
    "Worker": ["Processes", "StrictJSON", "WireProtocol", "Transport", "Personalization"],
    "Report": ["StudyDatabase", "BayesianOptimization"],
    "Experiment": ["Coordinator", "Worker", "Report"],
    "Console": ["Experiment"],
  ]

  /// Everything below a module by the table.
  private static func below(_ module: String) -> Set<String> {
    let direct = allowed[module] ?? []
    return direct.reduce(into: direct) { $0.formUnion(below($1)) }
  }

  private struct Description: Decodable {
    struct Target: Decodable {
      var name: String
      var type: String
      var target_dependencies: [String]?
    }
    var targets: [Target]
  }

  private static let root = Fixtures.directory.deletingLastPathComponent().deletingLastPathComponent()

  private static func describe() throws -> Description {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    // A scratch folder of its own: the test's own build holds the lock of the usual one.
    let scratch = try TemporaryFolder("engram-describe")
    process.arguments = [
      "swift", "package", "--package-path", root.path, "--scratch-path", scratch.url.path, "describe", "--type", "json",
    ]
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.start()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return try JSONDecoder().decode(Description.self, from: data)
  }

  @Test("no target depends on a module that is not below it") func edges() throws {
    let description = try Self.describe()
    var checked = 0
    for target in description.targets where target.type != "test" {
      let outside = [
        "engram", "engram-bench", "engram-main", "engram-faulty", "FaultInjection", "StudyTesting", "SanitizerSupport",
        "SessionTesting", "TestSupport", "CUDAEmulation", "CUDAEmulationChecked",
      ]
      if outside.contains(target.name) { continue }
      _ = try #require(Self.allowed[target.name], "a target outside the table: \(target.name)")
      // All of them, so that no module is left as it was when a struct below it changes.
      let (named, below) = (Set(target.target_dependencies ?? []), Self.below(target.name))
      #expect(named == below, "\(target.name): \(named.symmetricDifference(below).sorted())")
      checked += 1
    }
    #expect(checked == Self.allowed.count)
  }

  @Test("imports follow the arrows") func imports() throws {
    var files = 0
    for module in Self.allowed.keys {
      let folder = Self.root.appendingPathComponent("Sources/\(module)")
      let walker = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
      while let file = walker?.nextObject() as? URL {
        guard file.pathExtension == "swift" else { continue }
        files += 1
        for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") where line.contains("import ")
        {
          let words = line.split(separator: " ")
          guard let at = words.firstIndex(of: "import"), at + 1 < words.count, at <= 2 else { continue }
          let name = String(words[at + 1])
          guard Self.allowed[name] != nil else { continue }
          #expect(Self.below(module).contains(name), "\(file.lastPathComponent) of \(module) imports \(name)")
        }
      }
    }
    #expect(files > 50)
  }
}
