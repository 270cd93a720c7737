import Foundation
import ModelFiles
import TestSupport
import Testing

@testable import Tokenizers

/// Every string of goldens/lm/golden/tokenizer-*.json, ids and texts exactly.
@Suite(.bounded) struct TokenizerGoldenTests {
  private struct Golden: Decodable {
    struct Case: Decodable {
      let text: String
      let ids: [Int32]
      let tokens: [String]
      let idsWithSpecial: [Int32]
      let decoded: String
      let decodedSkipSpecial: String
      enum CodingKeys: String, CodingKey {
        case text, ids, tokens, decoded
        case idsWithSpecial = "ids_with_special"
        case decodedSkipSpecial = "decoded_skip_special"
      }
    }
    struct Random: Decodable {
      let ids: [Int32]
      let decoded: String
      let decodedSkipSpecial: String
      enum CodingKeys: String, CodingKey {
        case ids, decoded
        case decodedSkipSpecial = "decoded_skip_special"
      }
    }
    let vocabularySize: Int
    let cases: [Case]
    let random: [Random]
    enum CodingKeys: String, CodingKey {
      case cases
      case vocabularySize = "vocab_size"
      case random = "decode_random_ids"
    }
  }

  /// Swift's `==` on strings ignores canonical differences; these must be equal byte by byte.
  private func same(_ left: String, _ right: String) -> Bool { left.utf8.elementsEqual(right.utf8) }

  @Test(arguments: ["gpt2", "roberta", "llama-mha", "llama-gqa"])
  func idsAndTexts(_ name: String) throws {
    let golden = try Fixtures.decode(Golden.self, from: "goldens/lm/golden/tokenizer-\(name).json")
    let tokenizer = try Tokenizer(directory: Fixtures.url("goldens/lm/models/\(name)"))
    #expect(tokenizer.vocabularySize == golden.vocabularySize)
    #expect(golden.cases.count >= 45)
    for item in golden.cases {
      #expect(tokenizer.encode(item.text, addSpecialTokens: false) == item.ids, "\(item.text.debugDescription)")
      #expect(tokenizer.encode(item.text) == item.idsWithSpecial, "\(item.text.debugDescription)")
      // The reference shows the text of an added token that took white space along.
      if item.ids.count == item.tokens.count, !item.text.contains("<mask>") {
        #expect(item.ids.map { tokenizer.token($0) } == item.tokens)
      }
      #expect(same(try tokenizer.decode(item.ids), item.decoded), "\(item.text.debugDescription)")
      #expect(same(try tokenizer.decode(item.ids, skipSpecialTokens: true), item.decodedSkipSpecial))
    }
    #expect(!golden.random.isEmpty)
    for item in golden.random {
      #expect(same(try tokenizer.decode(item.ids), item.decoded), "\(item.ids)")
      #expect(same(try tokenizer.decode(item.ids, skipSpecialTokens: true), item.decodedSkipSpecial), "\(item.ids)")
    }
  }

  @Test func specialIDs() throws {
    let gpt2 = try Tokenizer(directory: Fixtures.url("goldens/lm/models/gpt2"))
    #expect(gpt2.specialIDs.bos == 299)
    #expect(gpt2.specialIDs.eos == [299])
    #expect(gpt2.specialIDs.padding == nil)
    #expect(gpt2.leadingSpecials.isEmpty && gpt2.trailingSpecials.isEmpty)
    let roberta = try Tokenizer(directory: Fixtures.url("goldens/lm/models/roberta"))
    #expect(roberta.specialIDs.padding == 1)
    #expect(roberta.leadingSpecials == [0])
    #expect(roberta.trailingSpecials == [2])
    let llama = try Tokenizer(directory: Fixtures.url("goldens/lm/models/llama-mha"))
    #expect(llama.leadingSpecials == [1])
    #expect(llama.specialIDs.eos == [2])
    #expect(llama.isSpecial(2) && !llama.isSpecial(404))
    #expect(llama.id(of: "▁the") == 263)
  }

  /// Pieces of the streaming decoder are whole characters and add up to the whole text.
  @Test(arguments: ["gpt2", "roberta", "llama-mha"])
  func streaming(_ name: String) throws {
    let tokenizer = try Tokenizer(directory: Fixtures.url("goldens/lm/models/\(name)"))
    let text = "日本語 and 👩‍👩‍👧‍👦 café — ½"
    var decoder = tokenizer.streamingDecoder()
    var pieces: [String] = []
    for id in tokenizer.encode(text) { pieces.append(try decoder.append(id)) }
    pieces.append(decoder.finish())
    #expect(!pieces.contains { $0.contains("\u{FFFD}") })
    #expect(pieces.joined() == text)
  }

  @Test func streamingEqualsWholeDecodingOfRandomIDs() throws {
    for name in ["gpt2", "llama-mha"] {
      let tokenizer = try Tokenizer(directory: Fixtures.url("goldens/lm/models/\(name)"))
      var state: UInt64 = 1
      for _ in 0..<300 {
        let ids = (0..<12).map { _ -> Int32 in
          state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
          return Int32(state >> 33) % Int32(tokenizer.vocabularySize)
        }
        var bytes: [UInt8] = []
        if name == "gpt2" {
          // An independent decoding: all bytes first, repaired once.
          for id in ids { bytes += ByteAlphabet.decode(tokenizer.token(id) ?? "") ?? [] }
          #expect(same(try tokenizer.decode(ids), String(decoding: bytes, as: UTF8.self)), "\(ids)")
        } else {
          #expect(!(try tokenizer.decode(ids)).isEmpty)
        }
      }
    }
  }

  @Test func unknownIDIsRefused() throws {
    let tokenizer = try Tokenizer(directory: Fixtures.url("goldens/lm/models/gpt2"))
    #expect(throws: ModelFileError.self) { try tokenizer.decode([300]) }
    #expect(throws: ModelFileError.self) { try tokenizer.decode([-1]) }
  }
}
