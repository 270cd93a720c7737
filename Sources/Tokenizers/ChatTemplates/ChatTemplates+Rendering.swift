import Jinja
import StrictJSON

/// A conversation as text.
package struct RenderedChat: Sendable {
  package let text: String
  /// What the assistant says by the template's `generation` marks, as ranges of Unicode scalars of the text.
  package let generated: [Range<Int>]
}

extension ChatTemplates {
  /// Keys under which models' replies have their reasoning; templates read the first or the second.
  private static let reasoningKeys = ["reasoning_content", "thinking", "reasoning"]
  /// Stands at the end of a message that is to be continued.
  private static let mark = "CONTINUE_FINAL_MESSAGE_TAG "

  /// The text of a conversation.
  ///
  /// Throws ``ChatError``.
  package mutating func render(
    _ request: ChatRequest, clock: Clock = .now, limits: Limits = Limits()
  ) throws -> RenderedChat {
    do {
      let (template, source) = try template(for: request)
      guard !request.messages.isEmpty else {
        throw ChatError("Cannot apply chat template to an empty conversation. Provide at least one message.")
      }
      var messages = request.messages.map(Self.prepared)
      var continued: String?
      if case .continued(let key) = request.ending {
        continued = try Self.mark(&messages[messages.count - 1], key, source)
      }
      let rendering = try template.render(variables(request, messages), clock: clock, limits: limits)
      guard let continued else {
        return RenderedChat(text: rendering.text.string, generated: rendering.generated)
      }
      return RenderedChat(text: try Self.cut(rendering.text.string, continued), generated: [])
    } catch let error as TemplateError {
      throw ChatError(error)
    }
  }

  private func variables(_ request: ChatRequest, _ messages: [JSONObject]) -> [(key: String, value: Value)] {
    func list(_ objects: [JSONObject]?) -> Value { objects.map { Value($0.map { Value($0) }) } ?? Value.none }
    return specialTokens.map { (key: $0.key, value: Value($0.value)) }
      + [
        ("messages", list(messages)), ("tools", list(request.tools)), ("documents", list(request.documents)),
        ("add_generation_prompt", .bool(request.ending == .opensReply)),
      ] + request.variables.map { (key: $0.key, value: Value($0.value)) }
  }

  /// Without keys that are null, and with the reasoning under the keys that templates read.
  private static func prepared(_ message: JSONObject) -> JSONObject {
    let members = message.members.filter { !$0.value.isNull }
    let plain = JSONObject(members.map { ($0.key, $0.value) })
    guard let reasoning = reasoningKeys.lazy.compactMap({ plain[$0] }).first else { return plain }
    var result = JSONObject([("thinking", plain["thinking"] ?? reasoning)])
    for (key, value) in members where key != "thinking" {
      result.append(key, key == "reasoning_content" ? reasoning : value)
    }
    if result["reasoning_content"] == nil { result.append("reasoning_content", reasoning) }
    return result
  }

  // MARK: - Messages that are continued

  /// Puts the mark at the end of a message and gives what is before it.
  private static func mark(_ message: inout JSONObject, _ key: String, _ source: String) throws -> String {
    guard let final = message.present(key) else {
      throw ChatError("continue_final_message is set but the final message has no \"\(key)\" to continue")
    }
    let keys =
      reasoningKeys.contains(key) ? reasoningKeys.filter { message[$0].map { $0.text() } == final.text() } : [key]
    guard keys.contains(where: { source.contains($0) }) else {
      throw ChatError("continue_final_message is set to \"\(key)\", which the template does not read")
    }
    switch final {
    case .string(let text):
      message = message.replacing { keys.contains($0) ? .string(text + mark) : $1 }
      return text
    case .array(var parts):
      guard let index = parts.lastIndex(where: { $0.objectValue?["text"] != nil }), let part = parts[index].objectValue,
        let text = part["text"]?.stringValue
      else {
        throw ChatError("continue_final_message is set but there is no text to continue in the final message")
      }
      parts[index] = .object(part.replacing { $0 == "text" ? .string(text + mark) : $1 })
      message = message.replacing { $0 == key ? .array(parts) : $1 }
      return text
    default: throw ChatError("continue_final_message is set but the final message is \(final.kind), not a text")
    }
  }

  /// The text up to the mark.
  ///
  /// Space before it goes where the template trimmed what followed.
  private static func cut(_ rendered: String, _ final: String) throws -> String {
    let text = Array(rendered.unicodeScalars)
    let bare = Array(mark.unicodeScalars.dropLast())
    let wanted = Array(final.unicodeScalars).trimmingSpace()
    guard let place = text.lastPlace(of: bare), text.lastPlace(of: wanted) != nil else {
      throw ChatError(
        "continue_final_message is set but the final message does not appear in the chat after applying the chat template"
      )
    }
    let before = Array(text[..<place])
    let keepsSpace = place + bare.count < text.count && text[place + bare.count] == " "
    var view = String.UnicodeScalarView()
    view.append(contentsOf: keepsSpace ? before : before.trimmingSpace(front: false))
    return String(view)
  }
}

extension JSONObject {
  fileprivate func replacing(_ value: (String, JSONValue) -> JSONValue) -> JSONObject {
    JSONObject(members.map { ($0.key, value($0.key, $0.value)) })
  }
}

extension [Unicode.Scalar] {
  fileprivate func trimmingSpace(front: Bool = true) -> [Unicode.Scalar] {
    let end = lastIndex { !$0.properties.isWhitespace && !(28...31).contains($0.value) }.map { $0 + 1 } ?? 0
    let start = front ? firstIndex { !$0.properties.isWhitespace && !(28...31).contains($0.value) } ?? end : 0
    return Array(self[start..<Swift.max(start, end)])
  }

  fileprivate func lastPlace(of other: [Unicode.Scalar]) -> Int? {
    guard other.count <= count else { return nil }
    return (0...(count - other.count)).last { self[$0..<($0 + other.count)].elementsEqual(other) }
  }
}
