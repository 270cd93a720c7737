import Foundations
import MemoryRecipe

extension Templates {
  /// Keys that `overriding(_:kinds:)` takes, beside `kinds.NAME` and the kinds themselves.
  package static let keys = [
    "item", "itemWithContext", "profile", "prompt", "promptWithContext", "response", "separator", "stop",
  ]
  private static let kindPrefix = "kinds."

  /// The templates by key, without those that are left out.
  package var named: [String: String] {
    var all = [
      "item": item, "itemWithContext": itemWithContext, "prompt": prompt, "response": response, "separator": separator,
    ]
    all["profile"] = profile
    all["promptWithContext"] = promptWithContext
    all["stop"] = stop
    for (kind, text) in kinds { all[Self.kindPrefix + kind] = text }
    return all
  }

  /// These templates with some replaced by name (a study file's `data.templates`).
  ///
  /// `kinds.NAME`, or the kind's name alone, is the line of items of that kind; an empty `profile`, `promptWithContext`
  /// or `stop` leaves it out.
  ///
  /// - Parameter kinds: kinds of history items that occur in the data.
  /// - Throws: `DatasetError.malformed` for an unknown name or placeholder.
  package func overriding(_ values: [String: String], kinds known: Set<String> = []) throws -> Templates {
    var templates = self
    for (key, value) in values.sorted(by: { $0.key < $1.key }) {
      switch key {
      case "item": templates.item = value
      case "itemWithContext": templates.itemWithContext = value
      case "profile": templates.profile = value.isEmpty ? nil : value
      case "prompt": templates.prompt = value
      case "promptWithContext": templates.promptWithContext = value.isEmpty ? nil : value
      case "response": templates.response = value
      case "separator": templates.separator = value
      case "stop": templates.stop = value.isEmpty ? nil : value
      case _ where known.contains(key): templates.kinds[key] = value
      case _ where key.hasPrefix(Self.kindPrefix) && key.count > Self.kindPrefix.count:
        templates.kinds[String(key.dropFirst(Self.kindPrefix.count))] = value
      default: throw Self.unknown(key, kinds: known.sorted())
      }
    }
    try templates.validate()
    return templates
  }

  private static func unknown(_ key: String, kinds: [String]) -> DatasetError {
    let hint = NearestName.of(key, among: keys + kinds).map { "; did you mean \"\($0)\"?" } ?? "."
    let some = kinds.prefix(8).joined(separator: ", ") + (kinds.count > 8 ? ", …" : "")
    return DatasetError(
      .malformed,
      "unknown template \"\(key)\"\(hint) Known: \(keys.joined(separator: ", ")), kinds.NAME"
        + (kinds.isEmpty ? "" : " or a kind of the data's items: \(some)"), key: key)
  }

  // MARK: Checks

  /// A template with the placeholders that it may hold and the one without which it means nothing.
  private struct Form {
    var name: String
    var text: String
    var known: [String]
    var needed: String?
  }

  private var forms: [Form] {
    let itemKeys = ["user", "kind", "text", "context"]
    let promptKeys = ["user", "query", "context", "profile"]
    var all = [
      Form(name: "item", text: item, known: itemKeys, needed: "text"),
      Form(name: "itemWithContext", text: itemWithContext, known: itemKeys, needed: "text"),
      Form(name: "prompt", text: prompt, known: promptKeys, needed: "query"),
      Form(name: "response", text: response, known: ["user", "response"], needed: "response"),
    ]
    if let profile { all.append(Form(name: "profile", text: profile, known: ["user", "profile"], needed: "profile")) }
    if let promptWithContext {
      all.append(Form(name: "promptWithContext", text: promptWithContext, known: promptKeys, needed: "query"))
    }
    return all
      + kinds.sorted { $0.key < $1.key }.map {
        Form(name: Self.kindPrefix + $0.key, text: $0.value, known: itemKeys, needed: "text")
      }
  }

  /// Checks that every template names only placeholders that will be filled, and the one that it cannot do without.
  ///
  /// - Throws: `DatasetError.malformed` that names the template and its unknown placeholder.
  package func validate() throws {
    for form in forms {
      func fail(_ message: String) -> DatasetError {
        DatasetError(.malformed, "template \"\(form.name)\" \(message)", key: form.name)
      }
      let names = Self.placeholders(form.text)
      let known = form.known.map { "{\($0)}" }.joined(separator: ", ")
      for name in names where !form.known.contains(name) {
        let hint =
          NearestName.of(name, among: form.known, slack: 1).map { "; did you mean {\($0)}?" }
          ?? "; a brace is written twice, {{ or }}."
        throw fail("has the unknown placeholder {\(name)}\(hint) Known: \(known)")
      }
      if Self.hasOpenBrace(form.text) {
        throw fail("has a brace { that is not closed. Close it, or write {{ for the character. Known: \(known)")
      }
      if let needed = form.needed, !names.contains(needed) { throw fail("must contain {\(needed)}") }
    }
  }

  private static func hasOpenBrace(_ template: String) -> Bool {
    var isOpen = false
    scan(template) { _ in
    } placeholder: { _ in
    } unclosed: {
      isOpen = true
    }
    return isOpen
  }
}
