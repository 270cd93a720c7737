import Foundation
import Jinja
import ModelFiles
import StrictJSON
import TestSupport
import Testing

@testable import Tokenizers

/// Templates and what jinja2 with the settings of Transformers makes of them.
@Suite("Jinja goldens", .bounded) struct GoldenTests {
  private static func cases() throws -> [JSONObject] {
    let url = Fixtures.url("goldens/families/golden/jinja.json")
    return try #require(try JSONObject(contentsOf: url).array("cases")).compactMap(\.objectValue)
  }

  @Test("Every template gives the text of the reference, or its error") func templates() throws {
    let cases = try Self.cases()
    #expect(cases.count == 96)
    let clock = try #require(Clock("2025-03-14T15:09:26"))
    for item in cases {
      let name = try #require(try item.string("name"))
      let source = try #require(try item.string("template"))
      let context = try #require(try item.object("context"))
      do {
        let rendering = try Template(source)
          .render(context.members.map { (key: $0.key, value: Value($0.value)) }, clock: clock)
        let expected = try #require(try item.string("rendered"), "\(name): the reference fails")
        #expect(rendering.text.string.utf8.elementsEqual(expected.utf8), "\(name): \(rendering.text.string)")
      } catch let error as TemplateError {
        let expected = try #require(try item.object("error"), "\(name): \(error)")
        #expect(error.kind.rawValue == (try expected.string("type")), "\(name)")
        #expect(error.message == (try expected.string("message")), "\(name)")
        #expect(error.line == 1, "\(name)")
      }
    }
  }
}
