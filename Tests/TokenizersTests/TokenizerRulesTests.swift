import Foundation
import ModelFiles
import StrictJSON
import TestSupport
import Testing

@testable import Tokenizers

/// Merging, scanning and the refusal of what is not implemented.
@Suite(.bounded) struct TokenizerRulesTests {
  /// The heap (long words) and the scan (short words) apply the same rules.
  @Test func longWordsMergeLikeShortOnes() {
    var merges: [BytePairModel.Merge] = []
    var state: UInt64 = 7
    func next(_ bound: Int) -> Int32 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int32(state >> 33) % Int32(bound)
    }
    var seen: Set<[Int32]> = []
    for id in 4..<60 {
      var pair = [next(id), next(id)]
      while !seen.insert(pair).inserted { pair = [next(id), next(id)] }
      merges.append(BytePairModel.Merge(left: pair[0], right: pair[1], result: Int32(id)))
    }
    let model = BytePairModel(merges)
    for length in [2, 3, 10, 48, 49, 200, 500] {
      let word = (0..<length).map { _ in next(4) }
      var fast = word
      model.merge(&fast)
      #expect(fast == Self.slowMerge(word, merges), "length \(length)")
    }
  }

  /// The definition: again and again the best pair, leftmost first.
  private static func slowMerge(_ word: [Int32], _ merges: [BytePairModel.Merge]) -> [Int32] {
    var word = word
    while true {
      var best: (rank: Int, position: Int)?
      for position in word.indices.dropLast() {
        guard let rank = merges.firstIndex(where: { $0.left == word[position] && $0.right == word[position + 1] })
        else { continue }
        if best.map({ rank < $0.rank }) ?? true { best = (rank, position) }
      }
      guard let best else { return word }
      word.replaceSubrange(best.position...(best.position + 1), with: [merges[best.rank].result])
    }
  }

  @Test(arguments: [
    ("Hello there", ["Hello", " there"]), ("a  b", ["a", " ", " b"]), ("a \n b", ["a", " \n", " b"]),
    ("it's we'll 'x", ["it", "'s", " we", "'ll", " '", "x"]), ("  ", ["  "]), ("x1y", ["x", "1", "y"]),
    ("a\u{A0}b", ["a", "\u{A0}", "b"]), (" 1,000.", [" 1", ",", "000", "."]), ("don't", ["don", "'t"]),
    ("a\u{A0}\u{A0}b", ["a", "\u{A0}", "\u{A0}", "b"]), ("''s", ["''", "s"]), ("\n\nA", ["\n", "\n", "A"]),
  ])
  func scannerCutsLikeThePattern(_ text: String, _ expected: [String]) {
    var words: [String] = []
    var text = text
    text.withUTF8 { bytes in
      var start = 0
      while start < bytes.count {
        let end = ByteLevelScanner.wordEnd(bytes, start)
        words.append(String(decoding: bytes[start..<end], as: UTF8.self))
        start = end
      }
    }
    #expect(words == expected)
  }

  /// Counted over all scalars; each was compared with tokenizers 0.23.3 once.
  @Test func characterClassesAreThoseOfUnicode16() {
    var counts: [ByteLevelScanner.Class: Int] = [:]
    for value in UInt32(0)...0x10FFFF {
      if let scalar = Unicode.Scalar(value) { counts[ByteLevelScanner.classify(scalar), default: 0] += 1 }
    }
    #expect(counts[.letter] == 141_028)
    #expect(counts[.number] == 1911)
    #expect(counts[.space] == 25)
    // Assigned in Unicode 17.
    #expect(ByteLevelScanner.classify("\u{10940}") == .other)
  }

  /// The same text twice (the second time from the cache) and from several threads.
  @Test func cacheChangesNothing() async throws {
    let tokenizer = try Tokenizer(directory: Fixtures.url("goldens/lm/models/llama-mha"))
    let text = String(repeating: "the quick brown fox — he said 'naïve' 12345 ", count: 30)
    let first = tokenizer.encode(text)
    #expect(tokenizer.encode(text) == first)
    await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 { group.addTask { tokenizer.encode(text) == first } }
      for await equal in group { #expect(equal) }
    }
    #expect(try tokenizer.decode(first, skipSpecialTokens: true) == text)
  }

  private static func edited(_ model: String, _ edit: (inout [String: Any]) -> Void) throws -> Data {
    var root = try Fixtures.json("goldens/lm/models/\(model)/tokenizer.json")
    edit(&root)
    return try JSONSerialization.data(withJSONObject: root)
  }

  @Test func unsupportedComponentsAreNamed() throws {
    let edits: [(String, (inout [String: Any]) -> Void)] = [
      ("Precompiled", { $0["normalizer"] = ["type": "Precompiled"] }),
      ("UnicodeScripts", { $0["pre_tokenizer"] = ["type": "UnicodeScripts"] }),
      ("CTC", { $0["decoder"] = ["type": "CTC"] }),
      ("WordPiece", { $0["model"] = ["type": "WordPiece", "vocab": ["a": 0]] }),
      (
        "dropout",
        { root in
          var model = root["model"] as? [String: Any] ?? [:]
          model["dropout"] = 0.1
          root["model"] = model
        }
      ),
      ("surprise", { $0["surprise"] = 1 }),
      (
        "unk_token",
        { root in
          var model = root["model"] as? [String: Any] ?? [:]
          var vocabulary = model["vocab"] as? [String: Any] ?? [:]
          vocabulary["!"] = nil
          model["vocab"] = vocabulary
          root["model"] = model
        }
      ),
    ]
    for (word, edit) in edits {
      let data = try Self.edited("gpt2", edit)
      let error = #expect(throws: ModelFileError.self) { try Tokenizer(json: data) }
      #expect(error?.message.contains(word) == true, "\(word): \(error?.message ?? "")")
    }
  }

  @Test func truncationIsReported() throws {
    let data = try Self.edited("gpt2") { $0["truncation"] = ["max_length": 2] }
    let tokenizer = try Tokenizer(json: data)
    #expect(tokenizer.ignoredSettings.count == 1)
    #expect(tokenizer.encode("hello there").count > 2)
  }

  /// Added-token options: white space taken along, whole words only, text that goes through the normalizer.
  @Test func addedTokenOptions() throws {
    func token(_ id: Int, _ text: String, _ options: String...) -> [String: Any] {
      var token: [String: Any] = ["id": id, "content": text]
      for key in ["single_word", "lstrip", "rstrip", "normalized", "special"] { token[key] = options.contains(key) }
      return token
    }
    let data = try Self.edited("gpt2") { root in
      root["added_tokens"] = [
        token(299, "<|endoftext|>", "special"), token(300, "[L]", "lstrip"), token(301, "[R]", "rstrip"),
        token(302, "word", "single_word"), token(303, "wordy"),
      ]
    }
    let tokenizer = try Tokenizer(json: data)
    let plain = try Tokenizer(directory: Fixtures.url("goldens/lm/models/gpt2"))
    func ids(_ text: String) -> [Int32] { tokenizer.encode(text) }
    #expect(ids("a \n[L] b") == plain.encode("a") + [300] + plain.encode(" b"))
    #expect(ids("a [R] \n b") == plain.encode("a ") + [301] + plain.encode("b"))
    #expect(ids("a word.") == plain.encode("a ") + [302] + plain.encode("."))
    #expect(ids("swords") == plain.encode("swords"))
    #expect(ids("wordy") == [303])
    #expect(tokenizer.vocabularySize == 304)
  }

  /// LLaMA files as newer converters write them: Metaspace instead of Prepend and Replace.
  @Test func metaspace() throws {
    let metaspace: [String: Any] = [
      "type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false,
    ]
    let data = try Self.edited("llama-mha") { root in
      root["normalizer"] = NSNull()
      root["pre_tokenizer"] = metaspace
    }
    let tokenizer = try Tokenizer(json: data)
    let legacy = try Tokenizer(directory: Fixtures.url("goldens/lm/models/llama-mha"))
    #expect(tokenizer.encode("the end of it") == legacy.encode("the end of it"))
    // Only the start of the text gets the marker, not what follows a special token.
    let id = try #require(tokenizer.id(of: "h"))
    #expect(tokenizer.encode("<s>hi", addSpecialTokens: false).dropFirst().first == id)
  }
}
