import Foundation
import ModelFiles

extension PEFTAdapter {
  /// The sidecar's key for the fingerprint of the base that the adapter was trained on.
  public static let baseFingerprintKey = "baseFingerprint"

  /// Refuses (`mismatch`) a base with other weights than the one that the adapter was trained on.
  ///
  /// An adapter whose sidecar does not name its base passes: shapes were compared when it was read. The base's fingerprint
  /// reads every weight once, or takes it from `cache`.
  public func checkBase(_ checkpoint: Checkpoint, cache: URL? = nil) throws {
    guard let expected = provenance[Self.baseFingerprintKey] else { return }
    let found = try checkpoint.fingerprint(cache: cache)
    guard found == expected else {
      throw ModelFileError(
        .mismatch,
        "this adapter was trained on a base with the fingerprint \(expected.prefix(12))…; the one in "
          + "\(checkpoint.directory.path) has \(found.prefix(12))…, and the adapter would mean something else on it")
    }
  }
}
