extension Templates {
  /// Keys that `overriding(_:)` takes, beside `kinds.NAME`.
  public static let keys = [
    "item", "itemWithContext", "profile", "prompt", "promptWithContext", "response", "separator",
  ]

  /// These templates with some replaced by name (a study file's `data.templates`).
  ///
  /// `kinds.NAME` is the line of items of that kind; an empty `profile` leaves the profile out.
  ///
  /// - Throws: `DatasetError.malformed` for an unknown name or placeholder.
  public func overriding(_ values: [String: String]) throws -> Templates {
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
      case _ where key.hasPrefix("kinds.") && key.count > 6: templates.kinds[String(key.dropFirst(6))] = value
      default:
        let near = Self.keys.min { Levenshtein.distance($0, key) < Levenshtein.distance($1, key) } ?? ""
        throw DatasetError(
          .malformed,
          "unknown template \"\(key)\"; did you mean \"\(near)\"? Known: \(Self.keys.joined(separator: ", ")), kinds.NAME"
        )
      }
    }
    try templates.validate()
    return templates
  }
}
