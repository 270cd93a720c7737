import Foundation
import Jinja
import ModelFiles
import StrictJSON
import TestSupport
import Testing

@testable import Tokenizers

/// Damaged templates give a text or an error, and nothing else.
@Suite("Damaged templates", .bounded) struct MutationTests {
  /// A generator whose sequence is the same everywhere.
  private struct Sequence: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (state >> 32) << 32 | (state &* 0x9E37_79B9_7F4A_7C15) >> 32
    }
  }

  private static func sources() throws -> [String] {
    let folder = Fixtures.url("goldens/families/golden")
    let cases = try #require(try JSONObject(contentsOf: folder.appendingPathComponent("jinja.json")).array("cases"))
    var sources = cases.compactMap { $0.objectValue?["template"]?.stringValue }
    for name in ["gemma2", "llama3", "mistral", "qwen3", "smollm"] {
      let file = try JSONObject(contentsOf: folder.appendingPathComponent("chat-\(name).json"))
      sources.append(try #require(try file.string("template")))
    }
    return sources
  }

  private static let pieces = [
    "{{", "}}", "{%", "%}", "{#", "#}", "-", "+", "|", ".", "(", ")", "[", "]", "{", "}", "'", "\"", "\\", "\n", "é",
    "\u{0}", "0",
    "9999999999999999999", "1e999", "x", " is ", " if ", " in ", " else ", " not ", "loop", "self", "caller()", " % ",
    "**", "//", "~", ":", "=",
    "{% endfor %}", "{% endif %}", "{% else %}", "{% for x in x %}", "{% set x = x %}", "{% macro x() %}", "{% raw %}",
    "| map('x')",
    "| sort", "| tojson", "| join", "[::-1]", "namespace()", "range(9)",
  ]

  @Test("10,000 damaged templates") func mutations() throws {
    let sources = try Self.sources()
    var random = Sequence(state: 7)
    let messages: [Value] = [
      Value([(key: "role", value: Value("user")), (key: "content", value: Value("Hi"))]),
      Value([(key: "role", value: Value("assistant")), (key: "content", value: Value("Yo"))]),
    ]
    let variables = [
      (key: "messages", value: Value(messages)), (key: "x", value: Value("text")),
      (key: "l", value: Value([Value(3), Value(1)])),
      (key: "tools", value: Value.none), (key: "bos_token", value: Value("<s>")),
    ]
    var (rendered, refused) = (0, Set<String>())
    for index in 0..<10_000 {
      var source = Array(sources[index % sources.count].unicodeScalars)
      for _ in 0...Int.random(in: 0..<3, using: &random) {
        let start = Int.random(in: 0...source.count, using: &random)
        let end = min(source.count, start + ([0, 0, 1, 1, 3, 8].randomElement(using: &random) ?? 0))
        let piece = Bool.random(using: &random) ? Self.pieces.randomElement(using: &random) ?? "" : ""
        source.replaceSubrange(start..<end, with: Array(piece.unicodeScalars))
      }
      var view = String.UnicodeScalarView()
      view.append(contentsOf: source)
      do {
        _ = try Template(String(view)).render(variables, limits: Limits(steps: 20_000, size: 100_000))
        rendered += 1
      } catch let error as TemplateError {
        refused.insert(error.kind.rawValue)
        #expect(error.line != nil, "\(error.message): \(String(view))")
      }
    }
    #expect(rendered > 1000 && rendered < 9000, "\(rendered)")
    #expect(
      refused.isSuperset(of: ["TemplateSyntaxError", "TemplateAssertionError", "UndefinedError", "TypeError"]),
      "\(refused)")
  }
}
