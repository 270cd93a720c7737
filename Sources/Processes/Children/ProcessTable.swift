import Foundation
import Glibc

/// A process as `/proc` shows it.
package struct ProcessEntry: Equatable, Sendable {
  package var pid: pid_t
  package var parent: pid_t
  package var group: pid_t
  /// `Z` and `X` are over and only wait to be buried.
  package var state: Character
  package var name: String

  package var isOver: Bool { state == "Z" || state == "X" }

  /// Reads a line of `/proc/PID/stat`; the name stands in parentheses and may contain any character.
  package init?(stat: String) {
    guard let open = stat.firstIndex(of: "("), let close = stat.lastIndex(of: ")"), open < close,
      let pid = pid_t(stat[..<open].trimmingCharacters(in: .whitespaces))
    else { return nil }
    let fields = stat[stat.index(after: close)...].split(separator: " ")
    guard fields.count > 2, let state = fields[0].first, let parent = pid_t(fields[1]), let group = pid_t(fields[2])
    else { return nil }
    self.init(
      pid: pid, parent: parent, group: group, state: state, name: String(stat[stat.index(after: open)..<close]))
  }

  package init(pid: pid_t, parent: pid_t, group: pid_t, state: Character = "S", name: String = "") {
    self.pid = pid
    self.parent = parent
    self.group = group
    self.state = state
    self.name = name
  }
}

/// The processes of the machine at one moment, as far as this one may see them.
package struct ProcessTable: Sendable {
  package var entries: [ProcessEntry]

  /// Reads `/proc`; empty where there is none.
  package static func read() -> ProcessTable {
    guard let folder = opendir("/proc") else { return ProcessTable(entries: []) }
    defer { closedir(folder) }
    var entries: [ProcessEntry] = []
    while let item = readdir(folder) {
      let name = withUnsafeBytes(of: &item.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard let pid = pid_t(name), let bytes = contents("/proc/\(pid)/stat", limit: 4096),
        let entry = ProcessEntry(stat: String(decoding: bytes, as: UTF8.self))
      else { continue }
      entries.append(entry)
    }
    return ProcessTable(entries: entries)
  }

  /// The processes below `root`, however deep; not `root` itself.
  package func descendants(of root: pid_t) -> Set<pid_t> {
    let children = Dictionary(grouping: entries, by: \.parent)
    var found: Set<pid_t> = []
    var open = [root]
    while let next = open.popLast() {
      for child in children[next] ?? [] where found.insert(child.pid).inserted { open.append(child.pid) }
    }
    return found
  }

  /// The environment with which a process was started; nil where it cannot be read (it is gone, or somebody else's).
  package static func environment(of pid: pid_t) -> [UInt8]? { contents("/proc/\(pid)/environ", limit: 4 << 20) }

  private static func contents(_ path: String, limit: Int) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16 * 1024)
    while bytes.count < limit {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { break }
      bytes += buffer[..<count]
    }
    return bytes
  }
}
