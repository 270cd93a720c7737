import Foundations
import Yams

/// A mapping of a YAML file that is read key by key; keys that nobody asked for are errors.
///
/// Every getter records its key; `finish()` refuses what is left and names the nearest key that exists. All errors
/// carry file, line and key path. A value that cannot be read is noted and counts as absent, so that all errors of a file
/// are told together, by `finish()`.
final class ConfigurationSection {
  /// Names and texts longer than this belong into no study file.
  static let maximumNameLength = 200

  /// Errors of a whole file.
  final class Problems {
    var errors: [ConfigurationError] = []
  }

  let file: String
  let path: String
  private let mapping: Node.Mapping
  private let line: Int?
  private var known: [String] = []
  private var children: [ConfigurationSection] = []
  let problems: Problems
  /// Whether its reader gave up, so that keys which nobody asked for say nothing.
  private var isIncomplete = false

  private init(file: String, path: String, mapping: Node.Mapping, line: Int?, problems: Problems) {
    self.problems = problems
    self.file = file
    self.path = path
    self.mapping = mapping
    self.line = line
  }

  /// The top level of a file's text; throws `ConfigurationError` when it is no YAML mapping.
  convenience init(text: String, file: String) throws {
    let node: Node?
    do {
      node = try Yams.compose(yaml: text)
    } catch let error as YamlError {
      if case .duplicatedKeysInMapping(let keys, let context) = error {
        throw ConfigurationError(
          file: file, line: context.mark.line, key: keys.joined(separator: ", "),
          message: "the key stands twice, first here",
          remedy: "Keep one of the two")
      }
      throw ConfigurationError(
        file: file, message: "not valid YAML: \(error)", remedy: "Correct the line that is named and try again")
    }
    guard let node, case .mapping(let mapping) = node else {
      throw ConfigurationError(
        file: file, message: node == nil ? "the file is empty" : "the top level is not a mapping of keys",
        remedy: "Start from configs/quickstart.yaml")
    }
    try Self.refuseDuplicates(mapping, file: file, path: "")
    self.init(file: file, path: "", mapping: mapping, line: node.mark?.line, problems: Problems())
  }

  private static func refuseDuplicates(_ mapping: Node.Mapping, file: String, path: String) throws {
    var seen: Set<String> = []
    for (key, _) in mapping {
      guard let name = key.string else {
        throw ConfigurationError(
          file: file, line: key.mark?.line, key: path, message: "a key that is not text", remedy: "Write key: value")
      }
      guard seen.insert(name).inserted else {
        throw ConfigurationError(
          file: file, line: key.mark?.line, key: path.isEmpty ? name : "\(path).\(name)",
          message: "the key stands twice",
          remedy: "Keep one of the two")
      }
    }
  }

  /// The full path of `key`.
  func fullPath(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

  func error(_ key: String, _ message: String, _ remedy: String) -> ConfigurationError {
    let mark = mapping[key]?.mark?.line ?? line
    return ConfigurationError(file: file, line: mark, key: fullPath(key), message: message, remedy: remedy)
  }

  func contains(_ key: String) -> Bool {
    known.append(key)
    return mapping[key] != nil
  }

  private func node(_ key: String) -> Node? {
    known.append(key)
    guard let value = mapping[key] else { return nil }
    if case .scalar(let scalar) = value, scalar.style == .plain, ["", "~", "null"].contains(scalar.string) {
      return nil
    }
    return value
  }

  /// Notes an error, to be told with the others of the file.
  func note(_ error: ConfigurationError) { problems.errors.append(error) }

  private func note<T>(_ key: String, _ message: String, _ remedy: String) -> T? {
    note(error(key, message, remedy))
    return nil
  }

  private func child(_ mapping: Node.Mapping, path: String, line: Int?) throws -> ConfigurationSection {
    try Self.refuseDuplicates(mapping, file: file, path: path)
    let child = ConfigurationSection(file: file, path: path, mapping: mapping, line: line, problems: problems)
    children.append(child)
    return child
  }

  /// The mapping under `key`, nil when it is absent.
  func optionalSection(_ key: String) throws -> ConfigurationSection? {
    guard let value = node(key) else { return nil }
    guard case .mapping(let mapping) = value else {
      return note(key, "a mapping of keys is expected here", "Write the keys of \(fullPath(key)) indented below it")
    }
    return try child(mapping, path: fullPath(key), line: value.mark?.line)
  }

  /// The mapping under `key`, an empty one when it is absent.
  func section(_ key: String) throws -> ConfigurationSection {
    if let child = try optionalSection(key) { return child }
    return ConfigurationSection(
      file: file, path: fullPath(key), mapping: Node.Mapping([]), line: line, problems: problems)
  }

  /// The list of mappings under `key`, nil when it is absent.
  func sections(_ key: String) throws -> [ConfigurationSection]? {
    guard let value = node(key) else { return nil }
    guard case .sequence(let items) = value else {
      return note(key, "a list is expected here", "Write one '- {…}' per entry")
    }
    return try items.enumerated().map { index, item in
      guard case .mapping(let mapping) = item else {
        throw error(key, "entry \(index + 1) is not a mapping of keys", "Write entries as '- {name: …}'")
      }
      return try child(mapping, path: "\(fullPath(key))[\(index)]", line: item.mark?.line)
    }
  }

  /// Whether the value under `key` is a mapping, so that a section can be read there.
  func isMapping(_ key: String) -> Bool {
    if case .mapping? = mapping[key] { true } else { false }
  }

  /// The scalar text under `key`, nil when it is absent.
  func string(_ key: String) throws -> String? {
    guard let value = node(key) else { return nil }
    guard case .scalar(let scalar) = value else { return note(key, "text is expected here", "Write one value") }
    return scalar.string
  }

  /// The list of scalars under `key`, nil when it is absent.
  func strings(_ key: String) throws -> [String]? {
    guard let value = node(key) else { return nil }
    guard case .sequence(let items) = value else {
      return note(key, "a list is expected here", "Write it as [a, b, c]")
    }
    var texts: [String] = []
    for item in items {
      guard case .scalar(let scalar) = item else {
        return note(key, "an entry is not a plain value", "Write [a, b, c]")
      }
      texts.append(scalar.string)
    }
    return texts
  }

  /// A name without control characters, not too long; nil when it is absent.
  func name(_ key: String) throws -> String? {
    guard let text = try string(key) else { return nil }
    guard text.count <= Self.maximumNameLength else {
      return note(key, "the name has \(text.count) characters; \(Self.maximumNameLength) are allowed", "Shorten it")
    }
    guard !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
      return note(key, "the name holds a control character", "Write it with letters, digits and signs")
    }
    return text
  }

  /// Every key of the mapping, in order; marks all as known (for free-form mappings).
  func keys() -> [String] {
    let names = mapping.compactMap { $0.key.string }
    known.append(contentsOf: names)
    return names
  }

  /// Refuses keys that no getter asked for, here and in all sections that were opened, together with what was noted.
  func finish() throws {
    noteUnknown()
    if let error = ConfigurationError.joined(problems.errors) { throw error }
  }

  /// What `error` and the errors that were noted before it come to.
  func all(with error: ConfigurationError) -> ConfigurationError {
    ConfigurationError.joined(problems.errors + [error]) ?? error
  }

  /// What `body` reads of the section `key`; where it gives up, the error is noted and `fallback` stands in, so that the
  /// other sections are read as well.
  func attempt<T>(_ key: String, _ body: () throws -> T, or fallback: () throws -> T) throws -> T {
    do {
      return try body()
    } catch let error as ConfigurationError {
      note(error)
      for child in children where child.path == key { child.isIncomplete = true }
      return try fallback()
    }
  }

  private func noteUnknown() {
    guard !isIncomplete else { return }
    for (key, _) in mapping {
      guard let name = key.string, !known.contains(name) else { continue }
      let nearest = NearestName.of(name, among: known)
      let hint = nearest.map { "Did you mean '\($0)'?" } ?? "Known here: \(Set(known).sorted().joined(separator: ", "))"
      note(
        ConfigurationError(
          file: file, line: key.mark?.line, key: fullPath(name), message: "unknown key", remedy: hint))
    }
    for child in children { child.noteUnknown() }
  }
}
