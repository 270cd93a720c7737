import Foundation

/// Room on the disk of a folder that may not exist yet.
package enum FreeSpace {
  /// Bytes that are free where `folder` is or will be; nil where nobody can say.
  package static func bytes(at folder: URL) -> Int? {
    let existing = nearest(folder)
    // A file system that cannot be asked is no reason to refuse it.
    let attributes = try? FileManager.default.attributesOfFileSystem(forPath: existing.path)
    return (attributes?[.systemFreeSize] as? NSNumber)?.intValue
  }

  /// Whether files can be made where `folder` is or will be.
  package static func isWritable(_ folder: URL) -> Bool {
    FileManager.default.isWritableFile(atPath: nearest(folder).path)
  }

  private static func nearest(_ folder: URL) -> URL {
    var url = folder.standardizedFileURL
    while url.path != "/", !FileManager.default.fileExists(atPath: url.path) { url.deleteLastPathComponent() }
    return url
  }
}
