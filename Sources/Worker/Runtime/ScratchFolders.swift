import Foundation
import Study

/// The folders of trials below a worker's state folder.
struct ScratchFolders {
  let root: URL

  init(stateFolder: URL) { root = stateFolder.appendingPathComponent("trials") }

  func url(_ trial: Int) -> URL { root.appendingPathComponent("\(trial)") }

  /// The trial in whose folder a file lies; nil for files elsewhere.
  func trial(of file: URL) -> Int? {
    let (base, path) = (root.standardizedFileURL.path + "/", file.standardizedFileURL.path)
    guard path.hasPrefix(base) else { return nil }
    return path.dropFirst(base.count).split(separator: "/").first.flatMap { Int($0) }
  }

  func remove(_ trial: Int) {
    // One that stays is found at the next start.
    try? FileManager.default.removeItem(at: url(trial))
  }

  /// Removes all folders: they belong to another study.
  func removeAll() {
    // One that stays is found at the next start.
    try? FileManager.default.removeItem(at: root)
  }

  /// Removes folders that nothing has touched since `limit`, except those of `kept`; gives their number.
  func removeUntouched(since limit: Date, except kept: Set<Int>) -> Int {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: root.path)) ?? []
    var count = 0
    for name in names where !kept.contains(Int(name) ?? -1) {
      let folder = root.appendingPathComponent(name)
      guard let touched = Self.touched(folder), touched < limit else { continue }
      do {
        try FileManager.default.removeItem(at: folder)
        count += 1
      } catch { continue }
    }
    return count
  }

  /// When a folder or anything directly in it was changed last.
  private static func touched(_ folder: URL) -> Date? {
    let manager = FileManager.default
    let inside = ((try? manager.contentsOfDirectory(atPath: folder.path)) ?? []).map {
      folder.appendingPathComponent($0)
    }
    return ([folder] + inside).compactMap {
      // A file that has just vanished has no date.
      (try? manager.attributesOfItem(atPath: $0.path))?[.modificationDate] as? Date
    }.max()
  }
}
