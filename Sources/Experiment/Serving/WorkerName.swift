import Foundation
import Foundations

/// The name that a worker has by default, and the folder where it keeps what is not acknowledged yet.
///
/// Two machines made from one image have one host name, the tasks of an array job share a home, and every one of them
/// needs a name of its own. Under Slurm the job, its task and the process in it tell them apart; elsewhere a few digits
/// that stand in the worker's folder do, which stay the same when it is started again.
package struct WorkerName {
  package var name: String
  package var folder: URL
  /// The folder's own random name; the first part of the worker's incarnation.
  package var identity: String

  /// Digits of the folder's identity in a name.
  package static let suffixDigits = 4

  /// - Parameters:
  ///   - given: `--name`, used as it is.
  ///   - state: `--state`.
  ///   - label: the device, or what tells two workers of one device apart.
  package init(
    given: String?, state: String?, study: String, host: String, label: String,
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws {
    let job = Self.slurm(environment)
    let plain = given ?? ["\(host)/\(label)", job].compactMap(\.self).joined(separator: "/")
    if let state {
      folder = URL(fileURLWithPath: state, isDirectory: true)
    } else {
      let safe = plain.map { $0.isLetter || $0.isNumber || "._-".contains($0) ? $0 : "_" }
      folder = Self.root(environment).appendingPathComponent("engram/\(study)/\(String(safe))", isDirectory: true)
    }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    identity = try Self.identity(of: folder)
    name = given != nil || job != nil ? plain : "\(plain)-\(identity.prefix(Self.suffixDigits))"
  }

  /// What tells the tasks of Slurm's jobs apart: `slurm-JOB`, with `_TASK` of an array and `.PROCESS` of a step.
  package static func slurm(_ environment: [String: String]) -> String? {
    func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
    guard let job = value("SLURM_ARRAY_JOB_ID") ?? value("SLURM_JOB_ID") else { return nil }
    let task = value("SLURM_ARRAY_TASK_ID").map { "_\($0)" } ?? ""
    let isSeveral = value("SLURM_NTASKS").flatMap(Int.init).map { $0 > 1 } ?? false
    let process = isSeveral ? value("SLURM_PROCID").map { ".\($0)" } ?? "" : ""
    return "slurm-\(job)\(task)\(process)"
  }

  private static func root(_ environment: [String: String]) -> URL {
    if let path = environment["XDG_STATE_HOME"], !path.isEmpty { return URL(fileURLWithPath: path, isDirectory: true) }
    let home =
      environment["HOME"].flatMap { $0.isEmpty ? nil : URL(fileURLWithPath: $0, isDirectory: true) }
      ?? FileManager.default.homeDirectoryForCurrentUser
    return home.appendingPathComponent(".local/state")
  }

  /// The identity that stands in the folder; made when there is none yet, or none that can be read.
  private static func identity(of folder: URL) throws -> String {
    let file = folder.appendingPathComponent("identity")
    // Missing in a new folder.
    let known = (try? String(contentsOf: file, encoding: .utf8))?.trimmingCharacters(in: .whitespacesAndNewlines)
    if let known, known.utf8.count == 16, known.allSatisfy(\.isHexDigit) { return known }
    let text = randomDigits()
    try AtomicFile.write("\(text)\n", to: file)
    return text
  }

  /// A new incarnation: a later one in the same folder is known to come after this one.
  package func incarnation() -> String { "\(identity).\(Self.randomDigits())" }

  /// Sixteen hexadecimal digits.
  private static func randomDigits() -> String {
    String(UInt64.random(in: 1 << 63...UInt64.max), radix: 16)
  }
}
