import ModelFiles
import Foundation
import Jinja
import StrictJSON

/// What a chat template is given: `{"messages": [{"role": …, "content": …}], …}`.
package struct ChatRequest: Sendable {
  /// What becomes of the last message.
  package enum Ending: Hashable, Sendable {
    case complete
    /// The turn of the assistant is opened after it.
    case opensReply
    /// The text of this key of the last message ends open, to be continued.
    case continued(key: String)
  }

  var messages: [JSONObject]
  var tools: [JSONObject]?
  var documents: [JSONObject]?
  package var ending = Ending.complete
  /// Other names for the template; they come before the special tokens.
  var variables: [(key: String, value: JSONValue)] = []
  package var templateName: String?

  private static let keys: Set<String> = [
    "messages", "tools", "documents", "add_generation_prompt", "continue_final_message", "variables", "template_name",
  ]

  /// Reads a JSON object.
  ///
  /// Throws ``ChatError``.
  package init(json line: UnsafeBufferPointer<UInt8>) throws {
    do {
      guard case .object(let object) = try JSONParser.parse(line) else {
        throw ChatError("expected an object such as {\"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]}")
      }
      try self.init(object)
    } catch let error as ModelFileError {
      throw ChatError(error.message)
    }
  }

  init(_ object: JSONObject) throws {
    if let unknown = object.members.first(where: { !Self.keys.contains($0.key) }) {
      throw ChatError("unknown key '\(unknown.key)'; known are \(Self.keys.sorted().joined(separator: ", "))")
    }
    guard let messages = try Self.objects("messages", in: object) else {
      throw ChatError("the key 'messages' is missing")
    }
    self.messages = messages
    tools = try Self.objects("tools", in: object)
    documents = try Self.objects("documents", in: object)
    templateName = try object.string("template_name")
    variables = try object.object("variables")?.members ?? []
    ending = try Self.ending(object)
  }

  /// A list of objects; nil where it is absent or null.
  private static func objects(_ key: String, in object: JSONObject) throws -> [JSONObject]? {
    try object.array(key)?.enumerated().map { index, item in
      guard let object = item.objectValue else {
        throw ChatError("item \(index) of '\(key)' must be an object, found \(item.kind)")
      }
      return object
    }
  }

  private static func ending(_ object: JSONObject) throws -> Ending {
    let opens = try object.bool("add_generation_prompt") ?? false
    let key: String? =
      switch object["continue_final_message"] {
      case nil, .null?, .bool(false)?: nil
      case .bool(true)?: "content"
      case .string(let name)?: name.isEmpty ? nil : name
      case let other?: throw ChatError("'continue_final_message' must be true, false, or a key, found \(other.kind)")
      }
    guard let key else { return opens ? .opensReply : .complete }
    guard !opens else {
      throw ChatError("continue_final_message and add_generation_prompt are not compatible: give one of them")
    }
    return .continued(key: key)
  }
}

extension Value {
  /// JSON as Python's `json` reads it.
  init(_ json: JSONValue) {
    switch json {
    case .null: self = .none
    case .bool(let flag): self = .bool(flag)
    case .integer(let integer): self.init(integer)
    case .number(let number): self = .double(number)
    // The readers of model files and requests give values.
    case .numberText(let text): self = .double(Double(text) ?? .nan)
    case .string(let string): self.init(string)
    case .array(let items): self.init(items.map { Value($0) })
    case .object(let object): self.init(object)
    }
  }

  init(_ object: JSONObject) { self.init(object.members.map { (key: $0.key, value: Value($0.value)) }) }
}
