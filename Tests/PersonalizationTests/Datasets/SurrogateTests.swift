import Foundation
import TestSupport
import Testing

@testable import Personalization

/// Half a surrogate pair, as text that was cut inside an emoji holds it.
@Suite(.bounded) struct SurrogateTests {
  private let half = Data(#"{"a": "x\ud83d"}"#.utf8)

  @Test("In data files half a pair becomes the replacement character")
  func replaced() throws {
    let value = try RecordParser.parse(half, replacesSurrogates: true)
    #expect((value as? [String: Any])?["a"] as? String == "x\u{FFFD}")
  }

  @Test("Elsewhere half a pair is refused by name and place")
  func refused() {
    let failure = #expect(throws: RecordParser.Failure.self) { try RecordParser.parse(half) }
    #expect(failure?.reason == "an unpaired surrogate")
    #expect(failure?.column == 9)
  }

  @Test("A whole pair is one character on both ways")
  func whole() throws {
    for replaces in [false, true] {
      let value = try RecordParser.parse(Data(#""\ud83d\ude00""#.utf8), replacesSurrogates: replaces)
      #expect(value as? String == "😀")
    }
  }
}
