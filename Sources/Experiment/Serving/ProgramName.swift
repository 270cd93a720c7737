import Foundation
import Processes
import Worker

/// The program in commands that are printed to be copied.
package enum ProgramName {
  /// `engram` where the shell would find this program under that name, else its path, below the working directory where it
  /// lies there.
  package static let shown = shown(
    program: OwnProgram.path, path: ProcessInfo.processInfo.environment["PATH"] ?? "",
    workingDirectory: FileManager.default.currentDirectoryPath)

  package static func shown(program: String, path: String, workingDirectory: String) -> String {
    let own = URL(fileURLWithPath: program).resolvingSymlinksInPath().path
    let found = path.split(separator: ":").lazy.map { "\($0)/engram" }.first {
      FileManager.default.isExecutableFile(atPath: $0)
    }
    if let found, URL(fileURLWithPath: found).resolvingSymlinksInPath().path == own { return "engram" }
    // The build's folder is reached by a link, which is shorter.
    let build = "\(workingDirectory)/.build/release/engram"
    if URL(fileURLWithPath: build).resolvingSymlinksInPath().path == own { return ".build/release/engram" }
    guard own.hasPrefix(workingDirectory + "/") else { return own }
    let relative = String(own.dropFirst(workingDirectory.count + 1))
    return relative.contains("/") ? relative : "./\(relative)"
  }
}
