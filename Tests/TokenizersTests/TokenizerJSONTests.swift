import Foundation
import ModelFiles
import StrictJSON
import TestSupport
import Testing

@testable import Tokenizers

/// The path from JSON lines to JSON lines, and the cache of words.
@Suite(.bounded) struct TokenizerJSONTests {
  private func encode(_ line: [UInt8], _ tokenizer: Tokenizer, specials: Bool = true) throws -> String {
    var output: [UInt8] = []
    try line.withUnsafeBufferPointer {
      try tokenizer.encode(jsonString: $0, addSpecialTokens: specials, into: &output)
    }
    return String(decoding: output, as: UTF8.self)
  }

  private func written(_ ids: [Int32]) -> String { "[" + ids.map(String.init).joined(separator: ",") + "]" }

  @Test(arguments: ["gpt2", "roberta", "llama-mha", "llama-gqa"])
  func linesGiveTheIdsOfTheirTexts(_ name: String) throws {
    let tokenizer = try Tokenizer(directory: Fixtures.url("goldens/lm/models/\(name)"))
    let golden = try Fixtures.json("goldens/lm/golden/tokenizer-\(name).json")
    let cases = try #require(golden["cases"] as? [[String: Any]])
    let texts = try cases.map { try #require($0["text"] as? String) } + ["", "\u{0}\u{7}\"\\/\n\t", "a😀b", "ab "]
    for text in texts {
      for options in [JSONSerialization.WritingOptions.fragmentsAllowed, [.fragmentsAllowed, .withoutEscapingSlashes]] {
        let line = [UInt8](try JSONSerialization.data(withJSONObject: text, options: options))
        #expect(try encode(line, tokenizer) == written(tokenizer.encode(text)), "\(text.debugDescription)")
        #expect(
          try encode(line + [0x20, 0x0D], tokenizer, specials: false)
            == written(tokenizer.encode(text, addSpecialTokens: false)))
      }
    }
    // Escapes of characters that need none, and a pair of surrogates.
    #expect(try encode(Array(#""\u0041\ud83d\ude00""#.utf8), tokenizer) == written(tokenizer.encode("A😀")))
  }

  @Test(arguments: [
    "", "12", "[\"a\"]", "\"a", "\"a\" \"b\"", "\"a\"b\"", "\"\\x\"", "\"\\ud800\"", "null", "{\"a\":1}", "\"a\tb\"",
  ])
  func anythingElseIsRefused(_ line: String) throws {
    let tokenizer = try Tokenizer(directory: Fixtures.url("goldens/lm/models/gpt2"))
    #expect(throws: ModelFileError.self) { try encode(Array(line.utf8), tokenizer) }
  }

  @Test(arguments: [[0xFF], [0xC3], [0xED, 0xA0, 0x80], [0xF0, 0x80, 0x80, 0x80]] as [[UInt8]])
  func bytesThatAreNotUTF8AreRefused(_ bytes: [UInt8]) throws {
    let tokenizer = try Tokenizer(directory: Fixtures.url("goldens/lm/models/gpt2"))
    #expect(throws: ModelFileError.self) { try encode([0x22] + bytes + [0x22], tokenizer) }
  }

  /// More different words than the cache keeps, words of every length around its limits: the same ids as word by word
  /// with an empty cache.
  @Test(arguments: ["gpt2", "llama-mha"]) func cacheStartsAnewWithoutATrace(_ name: String) throws {
    let directory = Fixtures.url("goldens/lm/models/\(name)")
    let tokenizer = try Tokenizer(directory: directory)
    let many = (0..<70_000).map { " w\($0)" }.joined()
    let lengths = (1...120).map { " " + String(repeating: "abé", count: $0) }.joined()
    let probe = "the quick brown fox " + lengths
    let fresh = try Tokenizer(directory: directory).encode(probe)
    #expect(tokenizer.encode(probe) == fresh)
    let first = tokenizer.encode(many)
    #expect(tokenizer.encode(many) == first)
    #expect(tokenizer.encode(probe) == fresh)
    #expect(try tokenizer.decode(first, skipSpecialTokens: true) == many)
  }
}
