import Foundation
import Study

/// Names and checks of the folder that is a study.
public struct StudyFolder: Sendable, Hashable {
  /// The folder.
  public let url: URL

  public init(_ url: URL) { self.url = url }

  /// The database.
  public var database: URL { url.appendingPathComponent("study.sqlite") }
  /// The file whose lock makes a coordinator the only one; its content says who holds it.
  public var lock: URL { url.appendingPathComponent("study.lock") }

  /// Whether there is a database.
  public var exists: Bool { FileManager.default.fileExists(atPath: database.path) }

  /// Makes the folder where it is missing.
  func make() throws {
    do {
      try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    } catch {
      throw StudyError(
        .permission,
        "the study's folder \(url.path) can not be made: \(error.localizedDescription); "
          + "check its parent folder, or choose another one with --runs")
    }
  }

  /// A sentence for the operator if the folder is on a network file system, where SQLite's locks are not reliable.
  public var warning: String? {
    guard let mounts = try? String(contentsOfFile: "/proc/self/mounts", encoding: .utf8) else { return nil }
    guard let type = Self.fileSystem(of: url.resolvingSymlinksInPath().path, mounts: mounts) else { return nil }
    guard Self.networkFileSystems.contains(where: { type == $0 || type.hasPrefix($0 + ".") }) else { return nil }
    return
      "\(url.path) is on a network file system (\(type)); SQLite's locks are not reliable there. "
      + "Keep the study on a local disk (--runs DIR) and copy the folder afterwards"
  }

  /// The type of the file system that holds `path`, by a text in the format of /proc/mounts: the longest mount point wins.
  static func fileSystem(of path: String, mounts: String) -> String? {
    var best: (length: Int, type: String)?
    for line in mounts.split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard fields.count >= 3 else { continue }
      let point = fields[1].replacingOccurrences(of: "\\040", with: " ")
      let isAbove = point == "/" || path == point || path.hasPrefix(point + "/")
      if isAbove, point.utf8.count >= best?.length ?? 0 { best = (point.utf8.count, String(fields[2])) }
    }
    return best?.type
  }

  private static let networkFileSystems = [
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "beegfs", "ceph", "afs", "9p", "glusterfs",
    "fuse.sshfs", "fuse.glusterfs", "fuse.ceph-fuse", "fuse.beegfs",
  ]
}
