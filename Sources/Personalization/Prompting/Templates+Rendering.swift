import MemoryRecipe

extension Templates {
  /// The history line of one item.
  package func line(_ item: HistoryItem, user: String) -> String {
    let template = kinds[item.kind] ?? (item.context == nil ? self.item : itemWithContext)
    return Self.fill(
      template, ["user": user, "kind": item.kind, "text": item.text, "context": item.context ?? ""])
  }

  /// The profile's line, or nil where the templates leave it out or there is none.
  package func profileLine(_ user: User) -> String? {
    guard let profile, !user.profile.isEmpty else { return nil }
    return Self.fill(profile, ["user": user.id, "profile": Self.written(user.profile)])
  }

  /// What the model is given before it replies.
  package func promptText(_ sample: Sample, profile: [String: String] = [:]) -> String {
    let template = sample.context == nil ? prompt : promptWithContext ?? prompt
    return Self.fill(
      template,
      [
        "user": sample.user, "query": sample.query, "context": sample.context ?? "", "profile": Self.written(profile),
      ])
  }

  /// The beginning of `promptText` that must stay when the prompt is too long: what stands before the context, or before
  /// the profile or the query where there is no context.
  func promptHead(_ sample: Sample, profile: [String: String] = [:]) -> String {
    let template = sample.context == nil ? prompt : promptWithContext ?? prompt
    let values = [
      "user": sample.user, "query": sample.query, "context": sample.context ?? "", "profile": Self.written(profile),
    ]
    let names = Self.placeholders(template)
    let first = ["context", "profile", "query"].first { names.contains($0) && values[$0]?.isEmpty == false }
    return Self.fill(template, values, upTo: first)
  }

  /// The reply as it stands after the prompt.
  package func responseText(_ sample: Sample) -> String {
    Self.fill(response, ["user": sample.user, "response": sample.response])
  }

  /// The bare reply in generated text: what the response template puts around it is taken off.
  package func bareReply(_ generated: String) -> String {
    let parts = response.components(around: "{response}")
    var text = Substring(generated)
    if let stop, let range = text.firstRange(of: stop) { text = text[..<range.lowerBound] }
    let lead = parts.before.drop(while: \.isWhitespace)
    text = text.drop(while: \.isWhitespace)
    if !lead.isEmpty, text.hasPrefix(lead) { text = text.dropFirst(lead.count) }
    text = text.trimmedEnd
    let tail = Substring(parts.after).trimmedEnd.drop(while: \.isWhitespace)
    if !tail.isEmpty, text.hasSuffix(tail) { text = text.dropLast(tail.count) }
    return String(text.trimmedEnd)
  }

  /// The text without an end that may be the beginning of `stop`.
  func withoutPartialStop(_ generated: String) -> Substring {
    guard let stop, !generated.contains(stop) else { return generated[...] }
    for length in stride(from: min(stop.count - 1, generated.count), to: 0, by: -1)
    where generated.hasSuffix(stop.prefix(length)) {
      return generated.dropLast(length)
    }
    return generated[...]
  }

  /// Whether more text could make `bareReply` take off more at the start than it does now.
  func mayStripMore(from generated: String) -> Bool {
    let lead = response.components(around: "{response}").before.drop(while: \.isWhitespace)
    let text = generated.drop(while: \.isWhitespace)
    return text.isEmpty || (lead.hasPrefix(text) && text.count <= lead.count && !lead.isEmpty)
  }

  private static func written(_ profile: [String: String]) -> String {
    profile.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: "; ")
  }

  /// Replaces `{name}` by its value in one pass, so that values are never searched for placeholders.
  ///
  /// - Parameter end: the placeholder before which it ends; nil = the whole template.
  static func fill(_ template: String, _ values: [String: String], upTo end: String? = nil) -> String {
    var out = ""
    var isOver = false
    scan(template) { text in
      if !isOver { out += text }
    } placeholder: { name in
      if name == end { isOver = true }
      if !isOver { out += values[name] ?? "" }
    }
    return out
  }

  static func placeholders(_ template: String) -> [String] {
    var names: [String] = []
    scan(template) { _ in
    } placeholder: {
      names.append($0)
    }
    return names
  }

  static func scan(
    _ template: String, text: (String) -> Void, placeholder: (String) -> Void, unclosed: () -> Void = {}
  ) {
    var rest = Substring(template)
    while let open = rest.firstIndex(where: { $0 == "{" || $0 == "}" }) {
      text(String(rest[..<open]))
      let brace = rest[open]
      rest = rest[rest.index(after: open)...]
      if rest.first == brace {
        text(String(brace))
        rest = rest.dropFirst()
      } else if brace == "{", let close = rest.firstIndex(of: "}") {
        placeholder(String(rest[..<close]))
        rest = rest[rest.index(after: close)...]
      } else {
        if brace == "{" { unclosed() }
        text(String(brace))
      }
    }
    text(String(rest))
  }
}

extension String {
  fileprivate func components(around marker: String) -> (before: String, after: String) {
    guard let range = firstRange(of: marker) else { return (self, "") }
    return (String(self[..<range.lowerBound]), String(self[range.upperBound...]))
  }
}

extension Substring {
  fileprivate var trimmedEnd: Substring {
    var text = self
    while text.last?.isWhitespace == true { text = text.dropLast() }
    return text
  }
}
