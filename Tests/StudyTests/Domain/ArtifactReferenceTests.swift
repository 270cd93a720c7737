import Foundation
import Study
import TestSupport
import Testing

@Suite("Artifact references", .bounded) struct ArtifactReferenceTests {
  private static let digest = String(repeating: "0af9", count: 16)

  private static func decode(_ name: String, _ sha256: String, _ bytes: String) throws -> ArtifactReference {
    let text = "{\"name\":\"\(name)\",\"sha256\":\"\(sha256)\",\"bytes\":\(bytes)}"
    return try JSONDecoder().decode(ArtifactReference.self, from: Data(text.utf8))
  }

  @Test("a reference comes back as it was") func sound() throws {
    let reference = ArtifactReference(name: "adapter_model.safetensors", sha256: Self.digest, bytes: 12)
    #expect(try JSONDecoder().decode(ArtifactReference.self, from: JSONEncoder().encode(reference)) == reference)
    #expect(try Self.decode("a", Self.digest, "0").bytes == 0)
  }

  @Test(
    "what could lead elsewhere is refused when it is read",
    arguments: [
      ("a", "../../etc/passwd", "3"), ("a", digest.uppercased(), "3"), ("a", String(digest.dropLast()), "3"),
      ("a", digest + "0", "3"), ("a", String(digest.dropLast()) + "/", "3"), ("a", digest, "-1"),
      ("a", digest, "9223372036854775807"), ("../a", digest, "3"), (".a", digest, "3"), ("", digest, "3"),
      ("a b", digest, "3"), ("a\\u0000", digest, "3"),
    ])
  func hostile(_ name: String, _ sha256: String, _ bytes: String) {
    #expect(throws: DecodingError.self) { try Self.decode(name, sha256, bytes) }
  }
}
