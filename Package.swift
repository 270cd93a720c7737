// swift-tools-version: 6.1
import PackageDescription

/// Arrows go down only; `PackageLayoutTests` reads this description and fails on any edge that is not in its table.
let package = Package(
  name: "engram",
  // Linux only. The line is there for ArgumentParser: its AsyncParsableCommand is declared from a version of macOS on.
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "engram", targets: ["engram-main"]),
    .executable(name: "engram-bench", targets: ["engram-bench"]),
    .library(name: "BayesianOptimization", targets: ["BayesianOptimization"]),
    .library(name: "LanguageModel", targets: ["LanguageModel", "Checkpoints", "Tokenizers"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    .systemLibrary(name: "CZeroMQ", providers: [.apt(["libzmq3-dev"])]),
    .target(name: "CBLAS"),
    .target(name: "CKernels"),
    .target(name: "CUDAKernels", exclude: ["kernels"]),
    .target(name: "LinearAlgebra", dependencies: ["CBLAS", "CKernels"]),
    .target(name: "RandomStreams"),
    .target(name: "Jinja"),
    .target(name: "CDigest", linkerSettings: [.linkedLibrary("sodium")]),
    .target(name: "Foundations", dependencies: ["CDigest"]),
    .target(name: "StrictJSON", dependencies: ["Foundations"]),
    .target(name: "BayesianOptimization", dependencies: ["LinearAlgebra", "RandomStreams"]),
    .target(name: "ModelFiles", dependencies: ["Foundations", "StrictJSON"]),
    .target(name: "Checkpoints", dependencies: ["ModelFiles", "StrictJSON"]),
    .target(name: "Tokenizers", dependencies: ["Jinja", "ModelFiles", "StrictJSON"]),
    .target(
      name: "LanguageModel",
      dependencies: ["CBLAS", "CKernels", "CUDAKernels", "Checkpoints", "RandomStreams", "Tokenizers"]),
    .target(name: "MemoryRecipe", dependencies: ["BayesianOptimization"]),
    .target(name: "Personalization", dependencies: ["LanguageModel", "MemoryRecipe", "StrictJSON"]),
    .target(
      name: "Study",
      dependencies: ["MemoryRecipe", "Foundations", .product(name: "Yams", package: "Yams")]),
    .target(
      name: "StudyDatabase",
      dependencies: ["Foundations", "Study", .product(name: "GRDB", package: "GRDB.swift")]),
    .target(name: "WireProtocol", dependencies: ["StrictJSON", "Study"]),
    .target(name: "Processes", dependencies: ["Foundations"]),
    .target(name: "Transport", dependencies: ["CZeroMQ", "Foundations", "WireProtocol"]),
    .target(
      name: "Coordinator",
      dependencies: [
        "Study", "StudyDatabase", "WireProtocol", "Transport", .product(name: "Logging", package: "swift-log"),
      ]),
    .target(
      name: "Worker",
      dependencies: [
        "Processes", "StrictJSON", "WireProtocol", "Transport", "Personalization",
        .product(name: "Logging", package: "swift-log"),
      ]),
    .target(name: "Report", dependencies: ["StudyDatabase", "BayesianOptimization"]),
    .target(
      name: "Experiment",
      dependencies: ["Coordinator", "Worker", "Report", .product(name: "Logging", package: "swift-log")]),
    .target(
      name: "Console",
      dependencies: ["Experiment", .product(name: "ArgumentParser", package: "swift-argument-parser")]),
    .target(
      name: "engram",
      dependencies: [
        "Console", .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ]),
    .executableTarget(
      name: "engram-bench",
      dependencies: [
        "Console", .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ]),
    .executableTarget(name: "engram-main", dependencies: ["engram"]),
    // The same program with injectors of faults: no product, and nothing but tests starts it.
    .executableTarget(name: "engram-faulty", dependencies: ["engram", "FaultInjection"], path: "Tests/engram-faulty"),
    .target(
      name: "FaultInjection", dependencies: ["Coordinator", "RandomStreams", "Worker"], path: "Tests/FaultInjection"),
    .target(name: "StudyTesting", dependencies: ["Study"], path: "Tests/StudyTesting"),
    .target(name: "SanitizerSupport", path: "Tests/SanitizerSupport"),
    .target(name: "TestSupport", dependencies: ["SanitizerSupport"], path: "Tests/TestSupport"),
    .target(name: "SessionTesting", dependencies: ["WireProtocol"], path: "Tests/SessionTesting"),
    .target(name: "CUDAEmulation", path: "Tests/CUDAEmulation", exclude: ["README.md"]),
    // The same kernels; the compiler reports every load and store, singly and with its alignment.
    .target(
      name: "CUDAEmulationChecked", dependencies: ["CUDAEmulation"], path: "Tests/CUDAEmulationChecked",
      cxxSettings: [
        .unsafeFlags([
          "-O1", "-fno-vectorize", "-fno-slp-vectorize", "-fsanitize-coverage=func,trace-loads,trace-stores",
        ])
      ]),
    .testTarget(name: "LinearAlgebraTests", dependencies: ["LinearAlgebra", "RandomStreams", "TestSupport"]),
    .testTarget(name: "FoundationsTests", dependencies: ["Foundations", "TestSupport"]),
    .testTarget(name: "JinjaTests", dependencies: ["Jinja", "Tokenizers", "TestSupport"]),
    .testTarget(name: "RandomStreamsTests", dependencies: ["RandomStreams", "TestSupport"]),
    .testTarget(name: "BayesianOptimizationTests", dependencies: ["BayesianOptimization", "TestSupport"]),
    .testTarget(name: "StrictJSONTests", dependencies: ["RandomStreams", "StrictJSON", "TestSupport"]),
    .testTarget(name: "CheckpointsTests", dependencies: ["Checkpoints", "LanguageModel", "TestSupport"]),
    .testTarget(name: "TokenizersTests", dependencies: ["Tokenizers", "TestSupport"]),
    .testTarget(
      name: "LanguageModelTests",
      dependencies: ["LanguageModel", "CUDAEmulation", "CUDAEmulationChecked", "TestSupport"]),
    .testTarget(name: "PersonalizationTests", dependencies: ["Personalization", "TestSupport"]),
    .testTarget(name: "StudyTests", dependencies: ["Study", "StudyTesting", "TestSupport"]),
    .testTarget(name: "StudyDatabaseTests", dependencies: ["StudyDatabase", "StudyTesting", "TestSupport"]),
    .testTarget(name: "WireProtocolTests", dependencies: ["WireProtocol", "SessionTesting", "TestSupport"]),
    .testTarget(name: "TransportTests", dependencies: ["Transport", "TestSupport"]),
    .testTarget(name: "ProcessesTests", dependencies: ["Processes", "TestSupport"]),
    .testTarget(
      name: "CoordinatorTests", dependencies: ["Coordinator", "SessionTesting", "StudyTesting", "TestSupport"]),
    .testTarget(name: "WorkerTests", dependencies: ["Worker", "SessionTesting", "TestSupport"]),
    .testTarget(name: "ReportTests", dependencies: ["Report", "TestSupport"]),
    .testTarget(name: "ExperimentTests", dependencies: ["Experiment", "TestSupport"]),
    .testTarget(
      name: "engramTests",
      dependencies: [
        "engram", "RandomStreams", "BayesianOptimization", "Study", "StudyDatabase", "WireProtocol", "Transport",
        "Coordinator", "FaultInjection", "SessionTesting", "TestSupport",
      ]),
    .testTarget(name: "engram-benchTests", dependencies: ["engram-bench", "TestSupport"]),
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx17
)

// A module is compiled again only when a module that it names has changed, but the layout of a struct goes into everything
// that sees it, also by way of others. So every target names all modules below it; the arrows are those above.
let directNames = Dictionary(
  uniqueKeysWithValues: package.targets.map { target in
    let names = target.dependencies.compactMap { dependency -> String? in
      if case .byNameItem(let name, _) = dependency { name } else { nil }
    }
    return (target.name, Set(names))
  })

func namesBelow(_ name: String, _ directNames: [String: Set<String>]) -> Set<String> {
  let names = directNames[name] ?? []
  return names.reduce(into: names) { $0.formUnion(namesBelow($1, directNames)) }
}

for target in package.targets {
  let missing = namesBelow(target.name, directNames).subtracting(directNames[target.name] ?? [])
  target.dependencies += missing.sorted().map { .byName(name: $0) }
}
