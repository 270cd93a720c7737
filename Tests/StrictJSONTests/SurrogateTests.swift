import Foundation
import StrictJSON
import TestSupport
import Testing

/// Half a surrogate pair, as text that was cut inside an emoji holds it.
@Suite(.bounded) struct SurrogateTests {
  private let half = Data(#"{"a": "x\ud83d"}"#.utf8)

  private func rules(replacing: Bool) -> JSONRules {
    var rules = JSONRules()
    rules.replacesSurrogates = replacing
    return rules
  }

  @Test("In data files half a pair becomes the replacement character")
  func replaced() throws {
    let value = try JSONValue(parsing: half, rules: rules(replacing: true))
    #expect(value.objectValue?["a"]?.stringValue == "x\u{FFFD}")
  }

  @Test("Elsewhere half a pair is refused by name and place")
  func refused() {
    let failure = #expect(throws: JSONError.self) { try JSONValue(parsing: half, rules: rules(replacing: false)) }
    #expect(failure?.message == "an unpaired surrogate")
    #expect(failure?.column == 9)
  }

  @Test("A whole pair is one character on both ways")
  func whole() throws {
    for replaces in [false, true] {
      let value = try JSONValue(parsing: #""\ud83d\ude00""#, rules: rules(replacing: replaces))
      #expect(value.stringValue == "😀")
    }
  }
}
