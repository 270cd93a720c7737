import Foundations
import TestSupport
import Testing

@Suite("Durations, names and printable text", .bounded) struct FoundationsTextTests {
  @Test("durations in seconds and milliseconds") func durations() {
    #expect(Duration.milliseconds(2500).seconds == 2.5)
    #expect(Duration.seconds(-3).seconds == -3)
    #expect(Duration.nanoseconds(1).seconds == 1e-9)
    #expect(Duration.microseconds(1_999_999).milliseconds == 1999)
    #expect(Duration.seconds(90).milliseconds == 90_000)
  }

  @Test("a slip of the finger is found, another word is not") func names() {
    #expect(NearestName.of("historie", among: ["id", "history"]) == "history")
    #expect(NearestName.of("HISTORY", among: ["history"]) == "history")
    #expect(NearestName.of("banana", among: ["id", "history"]) == nil)
    #expect(NearestName.of("ab", among: []) == nil)
    // A third of the name's length, or the slack.
    #expect(NearestName.of("ix", among: ["id"], slack: 1) == "id")
    #expect(NearestName.of("xy", among: ["id"], slack: 1) == nil)
    // Of equally near ones the first by name.
    #expect(NearestName.of("aa", among: ["ac", "ab"]) == "ab")
    #expect(NearestName.distance("kitten", "sitting") == 3)
    #expect(NearestName.distance("", "abc") == 3)
  }

  @Test("long text is cut and says so, control characters are shown") func printable() {
    #expect("a\u{1b}[1m\n".printable() == #"a\u{1b}[1m\n"#)
    #expect("ääää".printable(limit: 2) == "ää… (8 bytes)")
    #expect("ää".printable(limit: 2) == "ää")
    #expect([UInt8(0x61), 0xFF].printable() == "a\u{FFFD}")
    #expect(PrintableText.block("a\n\tb\u{7}") == "a\n\tb\\u{7}")
  }
}
