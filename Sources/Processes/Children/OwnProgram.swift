import Foundation

/// How this program starts itself again, as a worker or a trainer.
package enum OwnProgram {
  /// Set by a start script that had to run the program through a loader of its own.
  ///
  /// The kernel then names the loader as the program of this process.
  package static let variable = "ENGRAM_EXECUTABLE"

  /// Full path of the program: the start script's where one says so, else what the kernel names.
  package static let path = path(
    environment: ProcessInfo.processInfo.environment,
    // Without /proc the first argument is all that is known.
    kernel: try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))

  package static func path(environment: [String: String], kernel: String?) -> String {
    if let script = environment[variable], script.hasPrefix("/") { return script }
    return kernel ?? CommandLine.arguments[0]
  }
}
