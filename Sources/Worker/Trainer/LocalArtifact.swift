import Foundation
import Foundations
import StrictJSON
import Study

/// A file on this machine that belongs to a result.
package struct LocalArtifact: Sendable, Equatable {
  /// How the study knows it.
  package var reference: ArtifactReference
  /// Where it lies.
  package var url: URL

  /// Reads and hashes the file `url` under the plain name `name`.
  package init(name: String, url: URL) throws {
    let file = try FileHandle(forReadingFrom: url)
    defer { try? file.close() }
    var hash = SHA256()
    var bytes: Int64 = 0
    while let data = try file.read(upToCount: 1 << 20), !data.isEmpty {
      hash.update(data)
      bytes += Int64(data.count)
    }
    reference = ArtifactReference(name: name, sha256: hash.hex, bytes: bytes)
    self.url = url
  }

  var json: JSONValue {
    [
      "name": .string(reference.name), "sha256": .string(reference.sha256), "bytes": .integer(Int(reference.bytes)),
      "path": .string(url.path),
    ]
  }

  init(json: JSONValue, at location: String = "") throws(TrainerProtocolError) {
    var fields = try TrainerFields(json, at: location)
    reference = ArtifactReference(
      name: try fields.text("name"), sha256: try fields.text("sha256"), bytes: Int64(try fields.integer("bytes")))
    url = URL(fileURLWithPath: try fields.text("path"))
  }
}
