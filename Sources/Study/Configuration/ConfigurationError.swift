/// A configuration file that cannot be used: what is wrong, where, and what to do.
package struct ConfigurationError: Error, CustomStringConvertible, Sendable {
  /// The file as the user named it.
  package var file: String
  /// The line from 1, when the place is known.
  package var line: Int?
  /// The key's path, such as `space.count.max`; empty for the whole file.
  package var key: String
  /// What is wrong.
  package var message: String
  /// What to do about it.
  package var remedy: String
  /// Whether there is no such file, which callers tell apart from a file that is wrong.
  package var isMissingFile: Bool
  /// What else is wrong in the same file, in the order of its lines.
  package var others: [ConfigurationError] = []

  package init(
    file: String, line: Int? = nil, key: String = "", message: String, remedy: String, isMissingFile: Bool = false
  ) {
    self.isMissingFile = isMissingFile
    self.file = file
    self.line = line
    self.key = key
    self.message = message
    self.remedy = remedy
  }

  package var description: String {
    let place = line.map { "\(file):\($0)" } ?? file
    let subject = key.isEmpty ? "" : "\(key): "
    let own = "\(place): \(subject)\(message). \(remedy)"
    return ([own] + others.map(\.description)).joined(separator: "\n")
  }

  /// One error out of several of a file; nil where there is none.
  static func joined(_ errors: [ConfigurationError]) -> ConfigurationError? {
    let flat = errors.flatMap { error -> [ConfigurationError] in
      var first = error
      first.others = []
      return [first] + error.others
    }
    // What follows from an error that was told already is not told again.
    var seen: Set<String> = []
    let sorted = flat.filter { seen.insert("\($0.line ?? 0) \($0.key)").inserted }
      .enumerated().sorted { ($0.element.line ?? 0, $0.offset) < ($1.element.line ?? 0, $1.offset) }.map(\.element)
    guard var first = sorted.first else { return nil }
    first.others = Array(sorted.dropFirst())
    return first
  }
}
