import Foundation
import TestSupport

/// Runs the built `engram` as its users do.
struct EngramProcess {
  struct Outcome {
    var status: Int32
    var output: String
    var errors: String
  }

  /// The program beside the test binary.
  static let executable = program("engram")
  /// The same with injectors of faults: what the environment orders of it happens.
  static let faulty = program("engram-faulty")

  private static func program(_ name: String) -> URL {
    let binary =
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    return URL(fileURLWithPath: binary).deletingLastPathComponent().appendingPathComponent(name)
  }

  static let root = Fixtures.directory.deletingLastPathComponent().deletingLastPathComponent()

  /// Runs a command to its end.
  static func run(
    _ arguments: [String], input: String? = nil, environment: [String: String] = [:], folder: URL? = nil
  ) throws -> Outcome {
    let process = try start(arguments, environment: environment, folder: folder, hasInput: input != nil)
    if let input, let pipe = process.standardInput as? Pipe {
      pipe.fileHandleForWriting.write(Data(input.utf8))
      try pipe.fileHandleForWriting.close()
    }
    return finish(process)
  }

  /// Starts a command; the caller ends it.
  static func start(
    _ arguments: [String], environment: [String: String] = [:], folder: URL? = nil, hasInput: Bool = false,
    program: URL = EngramProcess.executable
  ) throws -> Process {
    let process = Process()
    process.executableURL = program
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    if let folder { process.currentDirectoryURL = folder }
    process.standardInput = hasInput ? Pipe() : FileHandle.nullDevice
    // Files, not pipes: nothing blocks however much a command prints, and both streams can be read at the end.
    let scratch = FileManager.default.temporaryDirectory
    for (index, path) in [
      scratch.appendingPathComponent("engram-out-\(UUID().uuidString)"),
      scratch.appendingPathComponent("engram-err-\(UUID().uuidString)"),
    ].enumerated() {
      _ = FileManager.default.createFile(atPath: path.path, contents: nil)
      let handle = try FileHandle(forUpdating: path)
      // The open handle keeps the content; the name is not needed.
      try FileManager.default.removeItem(at: path)
      if index == 0 { process.standardOutput = handle } else { process.standardError = handle }
    }
    try process.start()
    return process
  }

  /// Waits for a started command and reads what it printed.
  static func finish(_ process: Process) -> Outcome {
    process.waitUntilExit()
    func text(_ stream: Any?) -> String {
      guard let handle = stream as? FileHandle else { return "" }
      try? handle.seek(toOffset: 0)
      return String(decoding: (try? handle.readToEnd()) ?? Data(), as: UTF8.self)
    }
    return Outcome(
      status: process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus,
      output: text(process.standardOutput), errors: text(process.standardError))
  }
}
