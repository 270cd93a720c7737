import Foundation
import TestSupport
import Testing

/// `engram model chat-template` as its users run it.
@Suite("Chat templates on the command line", .ownThread, .bounded)
struct ChatTemplateCommandTests {
  private struct Answer: Decodable, Equatable {
    var text: String?
    var ids: [Int]?
    var error: String?
  }

  private func run(_ arguments: [String], _ lines: [String]) throws -> (
    answers: [Answer], status: Int32, errors: String
  ) {
    let folder = try TemporaryFolder("engram-chat")
    let result = try EngramProcess.run(
      ["model", "chat-template"] + arguments, input: lines.map { $0 + "\n" }.joined(), folder: folder.url)
    let answers = try result.output.split(separator: "\n").map {
      try JSONDecoder().decode(Answer.self, from: Data($0.utf8))
    }
    return (answers, result.status, result.errors)
  }

  private let qwen = Fixtures.url("goldens/families/models/qwen2-untied").path

  @Test("Every line has an answer, the text and ids of the reference or its error") func goldens() throws {
    for (name, model) in [("qwen2", "qwen2-untied"), ("smollm", "smollm3"), ("zephyr", "olmo2")] {
      let golden = try Fixtures.json("goldens/families/golden/chat-\(name).json")
      let cases = try #require(golden["cases"] as? [[String: Any]])
      let keys = [
        "messages", "tools", "documents", "add_generation_prompt", "continue_final_message", "variables",
        "template_name",
      ]
      // A template that prints a dictionary prints it in the order of the line, which Foundation does not keep.
      let plain = cases.filter {
        $0["tools"] == nil && !"\($0["messages"] ?? "")".contains("tool_calls")
          && !"\($0["variables"] ?? "")".contains("tools")
      }
      let lines = try plain.map { item in
        String(
          decoding: try JSONSerialization.data(withJSONObject: item.filter { keys.contains($0.key) }), as: UTF8.self)
      }
      let folder = Fixtures.url("goldens/families/models/\(model)").path
      let result = try run(["--model", folder, "--now", "2025-03-14T15:09:26"], lines)
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.answers.count == plain.count && plain.count > 10)
      for (answer, item) in zip(result.answers, plain) {
        #expect(answer.text == item["rendered"] as? String, "\(name): \(item["name"] ?? "")")
        #expect(answer.ids == item["ids"] as? [Int], "\(name): \(item["name"] ?? "")")
        #expect((answer.error != nil) == (item["error"] != nil), "\(name): \(item["name"] ?? "")")
      }
    }
  }

  @Test("A template of one's own, the time, and lines that are wrong") func options() throws {
    let folder = try TemporaryFolder("engram-chat")
    let file = folder.url.appendingPathComponent("own.jinja")
    try Data("{{ strftime_now('%Y') }}\n{{ messages[0].content }}{{ x | upper }}".utf8).write(to: file)
    let result = try run(
      ["--model", qwen, "--template", file.path, "--now", "1999-12-31"],
      [#"{"messages": [{"content": "a"}], "variables": {"x": "b"}}"#, "nonsense", #"{"messages": [{"content": "c"}]}"#])
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.answers.map(\.text) == ["1999\naB", nil, "1999\nc"])
    #expect(result.answers[1].error?.contains("JSON") == true)
    let wrong = try run(["--model", qwen, "--now", "noon"], [])
    #expect(wrong.status == 2 && wrong.errors.contains("Write it as 2025-03-14T15:09:26"), "\(wrong.errors)")
  }

  @Test("model info says which templates there are") func info() throws {
    let model = Fixtures.url("goldens/lm/models/llama-mha").path
    let result = try EngramProcess.run(["model", "info", model])
    #expect(result.status == 0 && result.output.contains("chat template"), "\(result.output)\(result.errors)")
  }
}
