extension Templates {
  /// The history line of one item.
  public func line(_ item: HistoryItem, user: String) -> String {
    let template = kinds[item.kind] ?? (item.context == nil ? self.item : itemWithContext)
    return Self.fill(
      template, ["user": user, "kind": item.kind, "text": item.text, "context": item.context ?? ""])
  }

  /// The profile's line, or nil where the templates leave it out or there is none.
  public func profileLine(_ user: User) -> String? {
    guard let profile, !user.profile.isEmpty else { return nil }
    return Self.fill(profile, ["user": user.id, "profile": Self.written(user.profile)])
  }

  /// What the model is given before it replies.
  public func promptText(_ sample: Sample, profile: [String: String] = [:]) -> String {
    let template = sample.context == nil ? prompt : promptWithContext ?? prompt
    return Self.fill(
      template,
      [
        "user": sample.user, "query": sample.query, "context": sample.context ?? "", "profile": Self.written(profile),
      ])
  }

  /// The reply as it stands after the prompt.
  public func responseText(_ sample: Sample) -> String {
    Self.fill(response, ["user": sample.user, "response": sample.response])
  }

  /// The bare reply in generated text: what the response template puts around it is taken off.
  public func bareReply(_ generated: String) -> String {
    let parts = response.components(around: "{response}")
    var text = Substring(generated)
    let lead = parts.before.drop(while: \.isWhitespace)
    text = text.drop(while: \.isWhitespace)
    if !lead.isEmpty, text.hasPrefix(lead) { text = text.dropFirst(lead.count) }
    text = text.trimmedEnd
    let tail = Substring(parts.after).trimmedEnd.drop(while: \.isWhitespace)
    if !tail.isEmpty, text.hasSuffix(tail) { text = text.dropLast(tail.count) }
    return String(text.trimmedEnd)
  }

  /// Whether more text could make `bareReply` take off more at the start than it does now.
  func mayStripMore(from generated: String) -> Bool {
    let lead = response.components(around: "{response}").before.drop(while: \.isWhitespace)
    let text = generated.drop(while: \.isWhitespace)
    return text.isEmpty || (lead.hasPrefix(text) && text.count <= lead.count && !lead.isEmpty)
  }

  /// Checks that every template names only placeholders that will be filled.
  ///
  /// - Throws: `DatasetError.malformed` that names the template and its unknown placeholder.
  public func validate() throws {
    let itemKeys = ["user", "kind", "text", "context"]
    var all: [(name: String, text: String, known: [String])] = [
      ("item", item, itemKeys), ("itemWithContext", itemWithContext, itemKeys),
      ("prompt", prompt, ["user", "query", "context", "profile"]), ("response", response, ["user", "response"]),
    ]
    if let profile { all.append(("profile", profile, ["user", "profile"])) }
    if let promptWithContext {
      all.append(("promptWithContext", promptWithContext, ["user", "query", "context", "profile"]))
    }
    all += kinds.sorted { $0.key < $1.key }.map { ("kinds.\($0.key)", $0.value, itemKeys) }
    for template in all {
      for name in Self.placeholders(template.text) where !template.known.contains(name) {
        throw DatasetError(
          .malformed,
          "template \"\(template.name)\" has the unknown placeholder {\(name)}; known: "
            + template.known.map { "{\($0)}" }.joined(separator: ", "))
      }
    }
    guard response.contains("{response}") else {
      throw DatasetError(.malformed, "template \"response\" must contain {response}")
    }
  }

  private static func written(_ profile: [String: String]) -> String {
    profile.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: "; ")
  }

  /// Replaces `{name}` by its value in one pass, so that values are never searched for placeholders.
  static func fill(_ template: String, _ values: [String: String]) -> String {
    var out = ""
    scan(template) { text in
      out += text
    } placeholder: { name in
      out += values[name] ?? ""
    }
    return out
  }

  private static func placeholders(_ template: String) -> [String] {
    var names: [String] = []
    scan(template) { _ in
    } placeholder: {
      names.append($0)
    }
    return names
  }

  private static func scan(_ template: String, text: (String) -> Void, placeholder: (String) -> Void) {
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
