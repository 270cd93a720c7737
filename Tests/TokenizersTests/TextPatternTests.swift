import Foundation
import ModelFiles
import TestSupport
import Testing

@testable import Tokenizers

/// Regular expressions of tokenizers: what they find, what is refused, and that no text makes them endless.
@Suite(.bounded) struct TextPatternTests {
  private func found(_ pattern: String, in text: String) throws -> [String] {
    var result: [String] = []
    let bytes = Array(text.utf8)
    let compiled = try TextPattern(pattern)
    bytes.withUnsafeBufferPointer { bytes in
      compiled.matches(in: bytes) { result.append(String(decoding: bytes[$0], as: UTF8.self)) }
    }
    return result
  }

  @Test(
    "Matches are those of the reference's library",
    arguments: [
      (#"\p{N}{1,3}"#, "1234567 ٣٤", ["123", "456", "7", "٣٤"]), (#"\s+(?!\S)|\s+"#, "a  b \n", [" ", " ", " \n"]),
      (#"(?i:'s|'ll)"#, "'S 'ſ 'Ll", ["'S", "'ſ", "'Ll"]), (#"a++b"#, "aaab", ["aaab"]), (#"a++ab"#, "aaab", []),
      (#"(?>a|ab)c"#, "abc ac", ["ac"]), (#"(?:ab|a)(?:c|b)*"#, "abcb a", ["abcb", "a"]), (#"b+?"#, "bb", ["b", "b"]),
      (#"(?<=a)b"#, "ab bb", ["b"]), (#"(?<!a)b"#, "ab bb", ["b", "b"]), (#"[ab&&[^b]]"#, "ab", ["a"]),
      (#"[^a-c]{2,}"#, "abxyz", ["xyz"]), (#"\p{^L}{2}"#, "a12b", ["12"]), (#"^a|b$"#, "ab\nab", ["a", "b", "a", "b"]),
      (#"\bw"#, "wow w", ["w", "w"]), (#".b"#, "ab\nb", ["ab"]), (#"(?m:.)b"#, "\nb", ["\nb"]),
      (#"a{,2}b"#, "aaab", ["aab"]),
      (#"a{2}?b"#, "aab b", ["aab", "b"]), (#"\x{e9}|\u0301"#, "é e\u{301}", ["é", "\u{301}"]),
      (#"(a|b)+?d"#, "abd", ["abd"]),
    ])
  func matches(_ pattern: String, _ text: String, _ expected: [String]) throws {
    #expect(try found(pattern, in: text).map { Array($0.utf8) } == expected.map { Array($0.utf8) })
  }

  @Test(
    "What is not implemented is refused and named",
    arguments: [
      (#"(a)\1"#, "'\\1'"), (#"\p{Han}"#, "Han"), (#"(?<name>a)"#, "(?<"), (#"(?i)é"#, "case folding"),
      (#"(?i:ss)"#, "'ss'"), (#"(a*)*"#, "may be empty"), ("(a", "open group"), ("[a", "open '['"), ("a)", "')'"),
      (#"a{2000}"#, "count above"), (#"(?x)a"#, "(?x"), (#"[[:alpha:]]"#, "POSIX"), (#"(?<=a+)b"#, "varying length"),
      (String(repeating: "(", count: 200), "nested deeper"), (#"(((a{1000}){1000}){1000})"#, "more than"),
    ])
  func refusals(_ pattern: String, _ word: String) {
    let error = #expect(throws: ModelFileError.self) { try TextPattern(pattern) }
    #expect(error?.code == .unsupported)
    #expect(error?.message.contains(word) == true, "\(error?.message ?? "")")
  }

  /// Without memory of failures the first takes 2^40 steps and the others 10^10.
  @Test(
    "Patterns that go back again and again end in time proportional to the text", .timeLimit(.minutes(1)),
    arguments: [(#"(?:a|aa)+b"#, 40), (#"[a]+b"#, 100_000), (#"(?:a|b)*c"#, 100_000), (#"a*a*b"#, 20_000)])
  func noPatternIsEndless(_ pattern: String, _ length: Int) throws {
    #expect(try found(pattern, in: String(repeating: "a", count: length)).isEmpty)
  }
}
