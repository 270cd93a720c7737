import Foundation
import Jinja
import ModelFiles
import StrictJSON
import TestSupport
import Testing

@testable import Tokenizers

/// Conversations and what `apply_chat_template` of Transformers makes of them.
@Suite("Chat templates", .bounded) struct ChatTemplateTests {
  private static let names = [
    "gemma2", "gemma3", "llama3", "mistral", "none", "phi3", "phi4mini", "qwen2", "qwen3", "smollm", "zephyr",
  ]

  private static func golden(_ name: String) throws -> JSONObject {
    try JSONObject(contentsOf: Fixtures.url("goldens/families/golden/chat-\(name).json"))
  }

  private static let requestKeys = [
    "messages", "tools", "documents", "add_generation_prompt", "continue_final_message", "variables", "template_name",
  ]

  private static func request(_ item: JSONObject) throws -> ChatRequest {
    try ChatRequest(JSONObject(requestKeys.compactMap { key in item[key].map { (key, $0) } }))
  }

  @Test("Every conversation gives the text and the ids of the reference, or fails as there", arguments: names)
  func goldens(_ name: String) throws {
    let golden = try Self.golden(name)
    let folder = Fixtures.url("goldens/families/models/\(try #require(try golden.string("tokenizer")))")
    let tokenizer = try Tokenizer(directory: folder)
    var templates = try ChatTemplates(directory: folder, tokenizer: tokenizer)
    let clock = try #require(Clock(try golden.string("now") ?? ""))
    let cases = try #require(try golden.array("cases")).compactMap(\.objectValue)
    #expect(cases.count == (name == "none" ? 1 : cases.count) && cases.count > 0)
    for item in cases {
      let title = "\(name): \(try item.string("name") ?? "")"
      do {
        let rendered = try templates.render(Self.request(item), clock: clock)
        let expected = try #require(try item.string("rendered"), "\(title): the reference fails")
        #expect(rendered.text.utf8.elementsEqual(expected.utf8), "\(title): \(rendered.text)")
        let ids = try #require(try item.array("ids")).map { $0.integerValue.map { Int32($0) } }
        #expect(tokenizer.encode(rendered.text, addSpecialTokens: false) == ids, "\(title)")
      } catch let error as ChatError {
        let expected = try #require(try item.object("error"), "\(title): \(error)")
        if try expected.string("raised_by") == "template" {
          #expect(error.message == (try expected.string("message")), "\(title)")
        }
      }
    }
  }

  @Test("There are 256 conversations, 39 of them wrong") func counts() throws {
    let cases = try Self.names.flatMap { try Self.golden($0).array("cases") ?? [] }.compactMap(\.objectValue)
    #expect(cases.count == 256)
    #expect(cases.count { $0["error"] != nil } == 39)
  }

  @Test("Special tokens have the names and texts of the reference", arguments: names)
  func specials(_ name: String) throws {
    let golden = try Self.golden(name)
    let folder = Fixtures.url("goldens/families/models/\(try #require(try golden.string("tokenizer")))")
    let named = Dictionary(try Tokenizer(directory: folder).namedSpecials.map { ($0.key, $0.value) }) { $1 }
    let expected = try #require(try golden.object("special_token_variables")).members
    for (key, value) in expected { #expect(named[key] == value.stringValue, "\(key)") }
    // The list names the tokens that templates know; classes have some of their own beside them.
    #expect(Set(named.keys).subtracting(expected.map(\.key)).isSubset(of: ["mask_token", "pad_token"]))
  }

  @Test("What the assistant says is marked token by token") func masks() throws {
    let golden = try Self.golden("smollm")
    let folder = Fixtures.url("goldens/families/models/smollm3")
    let tokenizer = try Tokenizer(directory: folder)
    var templates = try ChatTemplates(directory: folder, tokenizer: tokenizer)
    let clock = try #require(Clock(try golden.string("now") ?? ""))
    var checked = 0
    for item in try #require(try golden.array("cases")).compactMap(\.objectValue) {
      guard let mask = try item.array("assistant_mask") else { continue }
      let rendered = try templates.render(Self.request(item), clock: clock)
      let marked = try tokenizer.encode(rendered.text, marking: rendered.generated)
      #expect(marked.ids == tokenizer.encode(rendered.text, addSpecialTokens: false))
      #expect(marked.isMarked.map { $0 ? 1 : 0 } == mask.map(\.integerValue))
      checked += 1
    }
    #expect(checked == 2)
  }

  @Test(
    "Tokens have their places in the text of every family",
    arguments: ["gemma2", "llama3-tied", "mistral", "olmo2", "phi3", "phi3-longrope", "qwen3", "smollm3"])
  func places(_ model: String) throws {
    let tokenizer = try Tokenizer(directory: Fixtures.url("goldens/families/models/\(model)"))
    let text = "Where is the atlas? Å 漢字 😀\n\n  It's on shelf 12. naïve"
    let count = text.unicodeScalars.count
    for start in stride(from: 0, to: count, by: 5) {
      let marked = try tokenizer.encode(text, marking: [start..<count])
      #expect(marked.ids == tokenizer.encode(text, addSpecialTokens: false))
      // One row of tokens without marks, then one with them; it ends with the text.
      let first = try #require(marked.isMarked.firstIndex(of: true))
      #expect(marked.isMarked[first...].allSatisfy { $0 } && (start == 0) == (first == 0), "\(start)")
    }
  }

  // MARK: - Places and choices

  private func folder(_ files: [String: String]) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let source = Fixtures.url("goldens/families/models/gpt-neox")
    for name in ["tokenizer.json", "config.json", "tokenizer_config.json"] {
      try FileManager.default.copyItem(
        at: source.appendingPathComponent(name), to: folder.url.appendingPathComponent(name))
    }
    for (path, text) in files {
      let url = folder.url.appendingPathComponent(path)
      try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: url)
    }
    return folder
  }

  private func render(_ folder: TemporaryFolder, _ request: String) throws -> String {
    var templates = try ChatTemplates(directory: folder.url, tokenizer: try Tokenizer(directory: folder.url))
    return try templates.render(Array(request.utf8).withUnsafeBufferPointer { try ChatRequest(json: $0) }).text
  }

  private static let messages = #""messages": [{"role": "user", "content": "Hi"}]"#

  @Test("Named templates come from files; tool_use is taken where there are tools") func named() throws {
    let folder = try folder([
      "chat_template.jinja": "D", "additional_chat_templates/tool_use.jinja": "T",
      "additional_chat_templates/short.jinja": "S",
    ])
    #expect(try render(folder, "{\(Self.messages)}") == "D")
    #expect(try render(folder, "{\(Self.messages), \"tools\": []}") == "T")
    #expect(try render(folder, "{\(Self.messages), \"tools\": null}") == "D")
    #expect(try render(folder, "{\(Self.messages), \"template_name\": \"short\"}") == "S")
    let error = #expect(throws: ChatError.self) {
      try render(folder, "{\(Self.messages), \"template_name\": \"long\"}")
    }
    #expect(error?.message.contains("default, short, tool_use") == true)
  }

  @Test("One template that does not parse leaves the others") func broken() throws {
    let folder = try folder(["chat_template.jinja": "D", "additional_chat_templates/bad.jinja": "a\n{% if %}"])
    #expect(try render(folder, "{\(Self.messages)}") == "D")
    let error = #expect(throws: ChatError.self) { try render(folder, "{\(Self.messages), \"template_name\": \"bad\"}") }
    #expect(error?.line == 2)
  }

  @Test("Reasoning is read under each of its names") func reasoning() throws {
    let folder = try folder(["chat_template.jinja": "{{ messages[0].reasoning_content }}{{ messages[0].thinking }}"])
    for key in ["reasoning", "thinking", "reasoning_content"] {
      #expect(try render(folder, #"{"messages": [{"role": "assistant", "\#(key)": "R"}]}"#) == "RR")
    }
  }

  @Test(
    "Requests that are none are refused with the reason",
    arguments: [
      ("[]", "expected an object"), ("{}", "'messages' is missing"), (#"{"messages": [1]}"#, "item 0 of 'messages'"),
      (#"{"messages": [], "mesages": 1}"#, "unknown key 'mesages'"), (#"{"messages": "#, "JSON"),
      (#"{"messages": [], "tools": [1]}"#, "item 0 of 'tools'"), (#"{"messages": []}"#, "empty conversation"),
      (#"{"messages": [], "add_generation_prompt": true, "continue_final_message": true}"#, "not compatible"),
      (#"{"messages": [{"role": "user"}], "continue_final_message": true}"#, "no \"content\" to continue"),
      (#"{"messages": [{"role": "user", "x": "a"}], "continue_final_message": "x"}"#, "does not read"),
    ])
  func refused(_ request: String, _ reason: String) throws {
    let folder = try folder(["chat_template.jinja": "{{ messages[0].content }}"])
    let error = #expect(throws: ChatError.self) { try render(folder, request) }
    #expect(error?.message.contains(reason) == true, "\(error.map { "\($0)" } ?? "")")
  }
}
