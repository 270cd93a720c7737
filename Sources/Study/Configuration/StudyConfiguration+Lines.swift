import Foundation
import Yams

extension ConfigurationError {
  /// An error about a key of a study's file that was found after it was read: the line is looked up again.
  package static func about(_ key: String, in file: URL, _ message: String, remedy: String) -> ConfigurationError {
    ConfigurationError(
      file: file.relativePath, line: StudyConfiguration.line(of: key, in: file), key: key, message: message,
      remedy: remedy)
  }

  /// Several errors as one, in the order of their lines; nil where there is none.
  package static func together(_ errors: [ConfigurationError]) -> ConfigurationError? { joined(errors) }
}

extension StudyConfiguration {
  /// The line of `key` (such as `objectives[1].name`) in a file; that of its nearest parent where it is not written, nil
  /// where the file cannot be read.
  package static func line(of key: String, in file: URL) -> Int? {
    // Only a place in a message: a file that cannot be read again has no lines.
    guard let text = try? String(contentsOf: file, encoding: .utf8), var node = try? Yams.compose(yaml: text) else {
      return nil
    }
    var line: Int?
    let parts = key.split(separator: ".")
    for (position, part) in parts.enumerated() {
      guard case .mapping(let mapping) = node else { return line }
      // A key may hold points itself: kinds.post.
      let rest = parts[position...].joined(separator: ".")
      if let whole = mapping.first(where: { $0.key.string == rest }) { return whole.key.mark?.line ?? line }
      let name = part.prefix { $0 != "[" }
      guard let entry = mapping.first(where: { $0.key.string == String(name) }) else { return line }
      line = entry.key.mark?.line ?? line
      node = entry.value
      if let index = Int(part.dropFirst(name.count).dropFirst().dropLast()), case .sequence(let items) = node,
        items.indices.contains(index)
      {
        node = items[index]
        line = node.mark?.line ?? line
      }
    }
    return line
  }
}
