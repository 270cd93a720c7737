import Crypto
import Foundation
import WireProtocol

/// Files that workers send, addressed by their content: written piece by piece, renamed when digest and length are right.
struct ArtifactStore: Sendable {
  /// `artifacts/` of the study.
  let folder: URL
  /// Largest artifact that is taken, in bytes.
  ///
  /// Default 8 GiB.
  var limit = 8 << 30

  /// Stores one piece; pieces may come again and in any order.
  func store(_ chunk: ArtifactChunk) throws -> Acknowledgement.Verdict {
    guard Self.isDigest(chunk.sha256), chunk.totalBytes <= limit, chunk.offset >= 0,
      chunk.offset + chunk.bytes.count <= chunk.totalBytes,
      Self.hex(SHA256.hash(data: chunk.bytes)) == chunk.chunkSHA256
    else { return .conflict }
    let final = folder.appendingPathComponent(chunk.sha256)
    if FileManager.default.fileExists(atPath: final.path) { return .duplicate }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let partial = folder.appendingPathComponent(".\(chunk.sha256).part")
    if !FileManager.default.fileExists(atPath: partial.path) {
      try Data().write(to: partial)
    }
    let file = try FileHandle(forUpdating: partial)
    defer { try? file.close() }
    try file.seek(toOffset: UInt64(chunk.offset))
    try file.write(contentsOf: chunk.bytes)
    guard chunk.offset + chunk.bytes.count == chunk.totalBytes else { return .accepted }
    try file.synchronize()
    guard try digest(partial) == chunk.sha256 else {
      try FileManager.default.removeItem(at: partial)
      return .conflict
    }
    try FileManager.default.moveItem(at: partial, to: final)
    return .accepted
  }

  /// Removes artifacts; ones that are not there are no error.
  func remove(_ digests: Set<String>) throws {
    for digest in digests where Self.isDigest(digest) {
      let url = folder.appendingPathComponent(digest)
      if FileManager.default.fileExists(atPath: url.path) { try FileManager.default.removeItem(at: url) }
    }
  }

  private func digest(_ url: URL) throws -> String {
    let file = try FileHandle(forReadingFrom: url)
    defer { try? file.close() }
    var hash = SHA256()
    while let data = try file.read(upToCount: 1 << 20), !data.isEmpty { hash.update(data: data) }
    return Self.hex(hash.finalize())
  }

  static func isDigest(_ text: String) -> Bool {
    text.utf8.count == 64 && text.utf8.allSatisfy { ($0 >= 48 && $0 <= 57) || ($0 >= 97 && $0 <= 102) }
  }

  static func hex(_ digest: SHA256.Digest) -> String {
    digest.map { byte in
      let text = String(byte, radix: 16)
      return byte < 16 ? "0\(text)" : text
    }.joined()
  }
}
