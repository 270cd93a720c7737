import StrictJSON

/// Hard limits on what is read from the other side; checked while reading, before memory is taken.
package struct WireLimits: Sendable, Equatable {
  /// Largest JSON frame, in bytes.
  ///
  /// Default 128 KiB: a failure record with its log lines is about 20 KiB.
  package var frameBytes = 128 * 1024
  /// Largest raw frame (artifact chunk), in bytes.
  ///
  /// Default 128 KiB: what a stranger can make the other side hold before the handshake is one frame per connection.
  package var attachmentBytes = 128 * 1024
  /// Deepest nesting of arrays and objects.
  ///
  /// Default 12: a configuration sits at depth 4.
  package var depth = 12
  /// Longest string in UTF-8 bytes.
  ///
  /// Default 8 KiB.
  package var stringBytes = 8 * 1024
  /// Most elements of one array or fields of one object.
  ///
  /// Default 1,024.
  package var elements = 1024
  /// Longest field name in UTF-8 bytes.
  ///
  /// Default 128.
  package var nameBytes = 128

  /// Most objectives, metrics and artifacts of a result, and values of an intermediate report.
  ///
  /// Part of the protocol, the same on both sides: a worker knows them before it sends.
  package static let objectives = 16
  package static let metrics = 256
  package static let artifacts = 64
  package static let reportValues = 64

  package init() {}

  /// The limits of the protocol.
  package static let standard = WireLimits()

  /// The rules for a JSON frame of `bytes` bytes: the tree takes memory in proportion to its frame.
  package func json(forBytes bytes: Int) -> JSONRules {
    var rules = JSONRules()
    rules.bytes = frameBytes
    rules.depth = depth
    rules.stringBytes = stringBytes
    rules.keyBytes = nameBytes
    rules.numberBytes = 64
    rules.elements = elements
    rules.values = 1024 + bytes / 16
    return rules
  }
}
