import Foundations
import Foundation
import Study

/// Names and checks of the folder that is a study.
package struct StudyFolder: Sendable, Hashable {
  /// The folder.
  package let url: URL

  package init(_ url: URL) { self.url = url }

  /// The folder of a database file.
  init(database path: String) { url = URL(fileURLWithPath: path).deletingLastPathComponent() }

  /// The database.
  package var database: URL { url.appendingPathComponent("study.sqlite") }
  /// The file whose lock makes a coordinator the only one; its content says who holds it.
  package var lock: URL { url.appendingPathComponent("study.lock") }

  /// Whether there is a database, or what should be one: a link that leads nowhere is a damaged study, not none.
  package var exists: Bool {
    var status = stat()
    // In a folder that may not be entered there may be one: opening it says what is in the way.
    return lstat(database.path, &status) == 0 || errno == EACCES
  }

  /// Makes the folder where it is missing, for its owner only: results and texts are about people.
  func make() throws {
    do {
      try PrivateFolder.make(url)
    } catch {
      throw StudyError(
        .permission,
        "the study's folder \(url.path) cannot be made (\(error)); "
          + "check its parent folder, or choose another one with --runs")
    }
  }

  /// Makes an empty database that only its owner may read, where there is none: SQLite gives its -wal and -shm the same
  /// permissions.
  func makeDatabase() throws(StudyError) {
    let descriptor = open(database.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    if descriptor >= 0 {
      fchmod(descriptor, 0o600)
      close(descriptor)
      return
    }
    guard errno != EEXIST else { return }
    let error = FileError("cannot make", database.path)
    throw StudyError(error.isFull ? .diskFull : .permission, "\(error)")
  }

  /// Backups that an upgrade of the schema has left beside the database, by name.
  var backups: [String] {
    // No list, no advice.
    let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
    return names.filter { $0.hasPrefix("study.sqlite.") && $0.hasSuffix(".backup") }.sorted()
  }

  /// What to do about a damaged database, as far as it can be done.
  package var remedy: String {
    let backup = backups.last.map { "restore the backup \(url.appendingPathComponent($0).path), or " } ?? ""
    return backup + "restore a copy of yours; engram study export \(url.path) --output FILE.jsonl writes what can "
      + "still be read"
  }

  /// Who besides the owner may read the study's files; nil where nobody.
  package var looseness: String? {
    var loose: [String] = []
    var status = stat()
    // Nobody gets past a closed folder.
    guard stat(url.path, &status) == 0, status.st_mode & 0o077 != 0 else { return nil }
    for name in ["study.sqlite", "comparison.json", "artifacts", "adapter", "logs"] {
      guard stat(url.appendingPathComponent(name).path, &status) == 0, status.st_mode & 0o044 != 0 else { continue }
      loose.append(name)
    }
    return loose.isEmpty ? nil : "other users may read \(loose.joined(separator: ", "))"
  }

  /// A sentence for the operator if the folder is on a network file system, where SQLite's locks are not reliable.
  package var warning: String? {
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
