import Foundation
import Foundations
import ModelFiles
import StrictJSON

extension Checkpoint {
  /// SHA-256 over the configuration and every weight (canonical name, type, shape, bytes), in hexadecimal.
  ///
  /// Independent of sharding, file names, key order and buffers without effect. Reads every weight once (1–2 GB/s); with
  /// `cache`, a folder, the result is kept there under the files' sizes, inodes and modification times, and later
  /// calls on unchanged files read nothing.
  public func fingerprint(cache: URL? = nil) throws -> String {
    guard let cache else { return contentFingerprint() }
    let record = cache.appendingPathComponent("fingerprint-\(identity)")
    if let text = try? String(contentsOf: record, encoding: .utf8), text.isSHA256 {
      return text
    }
    let fingerprint = contentFingerprint()
    // A cache that cannot be written only costs time.
    try? FileManager.default.createDirectory(at: cache, withIntermediateDirectories: true)
    try? ModelFileError.writing(fingerprint, to: record)
    return fingerprint
  }

  private func contentFingerprint() -> String {
    var hash = SHA256()
    hash.update("engram checkpoint 1\n")
    hash.update(configuration.json(storedType: storedType))
    for tensor in tensors.sorted(by: { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }) {
      hash.update("\(tensor.name) \(tensor.type.rawValue) \(tensor.shape)\n")
      hash.update(tensor.bytes)
    }
    return hash.hex
  }

  /// Changes whenever one of the files is replaced or rewritten.
  var identity: String {
    var hash = SHA256()
    hash.update(configuration.json(storedType: storedType))
    var seen: Set<String> = []
    for tensor in tensors {
      let file = tensor.file
      if seen.insert(file.url.path).inserted {
        hash.update("\(file.url.standardizedFileURL.path) \(file.identity)\n")
      }
    }
    return hash.hex
  }
}
