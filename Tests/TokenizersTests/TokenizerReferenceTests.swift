import Foundation
import ModelFiles
import StrictJSON
import TestSupport
import Testing

@testable import Tokenizers

/// Ids and texts of the reference: model families of today, components put together at random, settings beside the file.
@Suite(.bounded) struct TokenizerReferenceTests {
  private struct Case: Decodable {
    let text: String
    let ids: [Int32]
    let idsWithSpecial: [Int32]
    let decoded: String
    let decodedSkipSpecial: String
    enum CodingKeys: String, CodingKey {
      case text, ids, decoded
      case idsWithSpecial = "ids_with_special"
      case decodedSkipSpecial = "decoded_skip_special"
    }
  }
  private struct Family: Decodable {
    struct Random: Decodable {
      let ids: [Int32]
      let decoded: String
    }
    let cases: [Case]
    let random: [Random]
    enum CodingKeys: String, CodingKey {
      case cases
      case random = "decode_random_ids"
    }
  }

  private func same(_ left: String, _ right: String) -> Bool { left.utf8.elementsEqual(right.utf8) }

  @Test(
    "Tokenizers of today's families give the ids and texts of the reference",
    arguments: [
      ("gemma2", "gemma2"), ("gemma2", "gemma3"), ("gpt-neox", "gpt-neox"), ("llama3-tied", "llama3-tied"),
      ("mistral", "mistral"), ("olmo2", "olmo2"), ("phi3", "phi3"), ("phi3-longrope", "phi3-longrope"),
      ("qwen2-untied", "qwen2-untied"), ("qwen3", "qwen3"), ("smollm3", "smollm3"),
    ])
  func families(_ golden: String, _ model: String) throws {
    let family = try Fixtures.decode(Family.self, from: "goldens/families/golden/tokenizer-\(golden).json")
    let tokenizer = try Tokenizer(directory: Fixtures.url("goldens/families/models/\(model)"))
    #expect(family.cases.count > 60)
    for item in family.cases {
      #expect(tokenizer.encode(item.text, addSpecialTokens: false) == item.ids, "\(item.text.debugDescription)")
      #expect(tokenizer.encode(item.text) == item.idsWithSpecial, "\(item.text.debugDescription)")
      #expect(same(try tokenizer.decode(item.ids), item.decoded), "\(item.text.debugDescription)")
      #expect(same(try tokenizer.decode(item.ids, skipSpecialTokens: true), item.decodedSkipSpecial))
    }
    for item in family.random { #expect(same(try tokenizer.decode(item.ids), item.decoded), "\(item.ids)") }
  }

  @Test("Components put together at random give the ids and texts of the reference")
  func components() throws {
    let lines = try Data(contentsOf: Fixtures.url("goldens/tokenizers/components.jsonl")).split(separator: 0x0A)
    #expect(lines.count > 50)
    for line in lines {
      // Foundation's readers drop byte order marks and join keys that are canonically equal.
      let object = try #require(try JSONParser.parse(Data(line)).objectValue)
      let name = try #require(try object.string("name"))
      let folder = try TemporaryFolder()
      for (file, content) in try #require(try object.object("files")).members {
        try Data(content.text().utf8).write(to: folder.url.appendingPathComponent(file))
      }
      let tokenizer = try Tokenizer(directory: folder.url)
      for item in try #require(try object.array("cases")).compactMap(\.objectValue) {
        let text = try #require(try item.string("text"))
        func ids(_ key: String) throws -> [Int32] {
          try #require(try item.array(key)).compactMap { $0.integerValue.map { Int32($0) } }
        }
        let all = try ids("ids_with_special")
        #expect(
          tokenizer.encode(text, addSpecialTokens: false) == (try ids("ids")), "\(name): \(text.debugDescription)")
        #expect(tokenizer.encode(text) == all, "\(name): \(text.debugDescription)")
        for (key, skip) in [("decoded", false), ("decoded_skip_special", true)] {
          let decoded = try #require(try item.string(key))
          #expect(
            same(try tokenizer.decode(all, skipSpecialTokens: skip), decoded), "\(name): \(text.debugDescription)")
        }
      }
    }
  }

  private func folder(like model: String, _ edit: (inout [String: Any]) -> Void) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    for file in ["tokenizer.json", "config.json"] {
      try FileManager.default.copyItem(
        at: Fixtures.url("goldens/lm/models/\(model)/\(file)"), to: folder.url.appendingPathComponent(file))
    }
    var settings = try Fixtures.json("goldens/lm/models/\(model)/tokenizer_config.json")
    edit(&settings)
    try JSONSerialization.data(withJSONObject: settings)
      .write(to: folder.url.appendingPathComponent("tokenizer_config.json"))
    return folder
  }

  @Test("add_prefix_space of tokenizer_config.json counts, as in AutoTokenizer")
  func addPrefixSpace() throws {
    for model in ["gpt2", "roberta"] {
      let without = try folder(like: model) { $0["add_prefix_space"] = false }
      let with = try folder(like: model) { $0["add_prefix_space"] = true }
      let plain = try Tokenizer(directory: without.url)
      let spaced = try Tokenizer(directory: with.url)
      #expect(spaced.encode("hello there") == plain.encode(" hello there"))
      #expect(plain.encode("hello there") != plain.encode(" hello there"))
      #expect(spaced.encode(" the hat") == plain.encode(" the hat"))
    }
  }

  @Test("add_bos_token and add_eos_token beside a tokenizer.json change nothing, as in AutoTokenizer")
  func addedEnds() throws {
    let changed = try folder(like: "gpt2") { ($0["add_bos_token"], $0["add_eos_token"]) = (true, true) }
    #expect(try Tokenizer(directory: changed.url).encode("hello").first != 299)
  }

  @Test("A token that only tokenizer_config.json names is numbered on, found in text, and has no role")
  func inventedToken() throws {
    let changed = try folder(like: "gpt2") { $0["pad_token"] = "[PAD]" }
    let tokenizer = try Tokenizer(directory: changed.url)
    #expect(tokenizer.vocabularySize == 300)
    #expect(tokenizer.encode("[PAD]") == [300])
    #expect(tokenizer.specialIDs.padding == nil)
    #expect(tokenizer.ignoredSettings.contains { $0.contains("[PAD]") })
  }

  @Test("A class that builds its tokenizer in an unknown way is refused by name")
  func unknownClass() throws {
    let changed = try folder(like: "gpt2") { $0["tokenizer_class"] = "CohereTokenizer" }
    let error = #expect(throws: ModelFileError.self) { try Tokenizer(directory: changed.url) }
    #expect(error?.message.contains("CohereTokenizer") == true)
  }

  @Test("split_special_tokens makes special tokens in text plain text")
  func splitSpecials() throws {
    let changed = try folder(like: "gpt2") { $0["split_special_tokens"] = true }
    let tokenizer = try Tokenizer(directory: changed.url)
    #expect(!tokenizer.encode("a<|endoftext|>").contains(299))
    #expect(try Tokenizer(directory: Fixtures.url("goldens/lm/models/gpt2")).encode("a<|endoftext|>").contains(299))
  }
}
