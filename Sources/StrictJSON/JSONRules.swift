/// What a reader of JSON takes: its limits, checked before memory is taken, and where it departs from RFC 8259.
///
/// The default is strict and without limits but for depth. Each departure says who needs it.
package struct JSONRules: Sendable, Equatable {
  /// Most bytes of the text.
  package var bytes = Int.max
  /// Deepest nesting of arrays and objects.
  ///
  /// Default 64: the reader calls itself for each level.
  package var depth = 64
  /// Longest string and longest key, in UTF-8 bytes.
  package var (stringBytes, keyBytes) = (Int.max, Int.max)
  /// Longest number, in characters.
  package var numberBytes = Int.max
  /// Most elements of one array or members of one object.
  package var elements = Int.max
  /// Most values of the whole text, so that the tree takes memory in proportion to its text.
  package var values = Int.max

  /// When two keys of one object are the same.
  package enum Keys: Sendable {
    /// As Swift compares strings: canonically equivalent keys are the same, since most objects become dictionaries.
    case text
    /// By their bytes: a vocabulary has tokens that differ in their Unicode form only.
    case bytes
  }
  package var keys = Keys.text
  /// Whether a byte order mark may stand at the start: files written on Windows have one.
  package var allowsByteOrderMark = false
  /// Whether half a surrogate pair becomes U+FFFD: texts that were cut inside an emoji hold one.
  package var replacesSurrogates = false
  /// Whether numbers are kept as they are written: identifiers lose digits as floating point.
  package var keepsNumberText = false
  /// Whether NaN, Infinity and numbers beyond a double are null, as programs print them for values that are none.
  package var readsNotFinite = false

  package init() {}
}
