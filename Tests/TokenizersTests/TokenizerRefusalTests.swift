import Foundation
import ModelFiles
import TestSupport
import Testing

@testable import Tokenizers

/// Files that are refused, with the place, and odd ones that are harmless.
@Suite(.bounded) struct TokenizerRefusalTests {
  private func edited(_ model: String = "gpt2", _ edit: (inout [String: Any]) -> Void) throws -> Data {
    var root = try Fixtures.json("goldens/lm/models/\(model)/tokenizer.json")
    edit(&root)
    return try JSONSerialization.data(withJSONObject: root)
  }

  private func replaces(_ count: Int) -> [String: Any] {
    let step: [String: Any] = ["type": "Replace", "pattern": ["String": "a"], "content": "aaaaaa"]
    return ["type": "Sequence", "normalizers": Array(repeating: step, count: count)]
  }

  @Test("Normalizers that make text explode are refused before any text is read")
  func explodingNormalizers() throws {
    let bomb = try edited { $0["normalizer"] = replaces(12) }
    let error = #expect(throws: ModelFileError.self) { try Tokenizer(json: bomb) }
    #expect(error?.code == .tooLarge)
    #expect(error?.message.contains("the limit is 256") == true)
    let growing = try edited { $0["normalizer"] = replaces(3) }
    #expect(try Tokenizer(json: growing).encode("a").count > 20)
    let decoder: [[String: Any]] = Array(
      repeating: ["type": "Replace", "pattern": ["String": "a"], "content": "aaaa"], count: 8)
    let expanding = try edited { $0["decoder"] = ["type": "Sequence", "decoders": decoder] }
    #expect(throws: ModelFileError.self) { try Tokenizer(json: expanding) }
  }

  @Test("More components and branches than the limits are refused")
  func limits() throws {
    let many: [[String: Any]] = Array(repeating: ["type": "Lowercase"], count: 65)
    let file = try edited { $0["normalizer"] = ["type": "Sequence", "normalizers": many] }
    let error = #expect(throws: ModelFileError.self) { try Tokenizer(json: file) }
    #expect(error?.message.contains("the limit is 64") == true)
    let branches = #expect(throws: ModelFileError.self) {
      try TextPattern(String(repeating: "a?", count: 1001))
    }
    #expect(branches?.message.contains("1000 branches") == true)
  }

  @Test(
    "Components that are not supported are named",
    arguments: [
      ("normalizer", "Precompiled"), ("normalizer", "BertNormalizer"), ("pre_tokenizer", "UnicodeScripts"),
      ("decoder", "CTC"), ("decoder", "WordPiece"), ("post_processor", "Surprise"), ("model", "Unigram"),
      ("model", "WordPiece"), ("model", "WordLevel"),
    ])
  func unsupported(_ place: String, _ type: String) throws {
    for part in [["type": type], ["type": "Sequence", "\(place)s": [["type": type]]]] as [[String: Any]] {
      let data = try edited { $0[place] = part }
      let error = #expect(throws: ModelFileError.self) { try Tokenizer(json: data) }
      if part.count == 1 { #expect(error?.message.contains(type) == true, "\(error?.message ?? "")") }
    }
  }

  @Test("An added token whose id is not the one it gets is refused, both ids named")
  func wrongAddedID() throws {
    let data = try edited { $0["added_tokens"] = [["id": 305, "content": "<new>"]] }
    let error = #expect(throws: ModelFileError.self) { try Tokenizer(json: data) }
    #expect(error?.message.contains("305") == true && error?.message.contains("300") == true)
  }

  @Test("The version line of merges.txt among the merges is passed over")
  func versionLine() throws {
    let data = try edited { root in
      var model = root["model"] as? [String: Any] ?? [:]
      let merges = (model["merges"] as? [Any] ?? []).map { ($0 as? [String])?.joined(separator: " ") ?? $0 }
      model["merges"] = ["#version: 0.2"] + merges
      root["model"] = model
    }
    let plain = try Tokenizer(directory: Fixtures.url("goldens/lm/models/gpt2"))
    #expect(try Tokenizer(json: data).encode("hello there") == plain.encode("hello there"))
  }

  @Test("Metaspace whose old and new keys contradict is refused, as by the reference")
  func metaspaceContradiction() throws {
    let metaspace: [String: Any] = ["type": "Metaspace", "replacement": "▁", "add_prefix_space": false]
    let data = try edited("llama-mha") { ($0["normalizer"], $0["pre_tokenizer"]) = (NSNull(), metaspace) }
    let error = #expect(throws: ModelFileError.self) { try Tokenizer(json: data) }
    #expect(error?.message.contains("add_prefix_space") == true)
  }

  @Test("Metaspace with scheme first after mixed Unicode steps is refused, with one of them it is not")
  func firstAfterForms() throws {
    let metaspace: [String: Any] = ["type": "Metaspace", "replacement": "▁", "prepend_scheme": "first"]
    func file(_ steps: String...) throws -> Data {
      try edited("llama-mha") { root in
        root["normalizer"] = ["type": "Sequence", "normalizers": steps.map { ["type": $0] }]
        root["pre_tokenizer"] = metaspace
      }
    }
    #expect(throws: ModelFileError.self) { try Tokenizer(json: file("NFD", "StripAccents")) }
    #expect(throws: ModelFileError.self) { try Tokenizer(json: file("NFD", "NFKC")) }
    _ = try Tokenizer(json: file("NFKC", "Lowercase"))
  }

  @Test(
    "Lines that are no ids say what stands there",
    arguments: [
      ("[1.5]", "item 0 is 1.5"), ("\"a\"", "found a string"), ("[1,\"x\"]", "item 1 is \"x\""),
      ("[3000000000]", "outside"),
      ("[-1]", "outside"), ("{\"ids\":[1]}", "found an object"), ("[1,]", "column 4"),
    ])
  func idLines(_ line: String, _ word: String) throws {
    let tokenizer = try Tokenizer(directory: Fixtures.url("goldens/lm/models/gpt2"))
    let error = #expect(throws: ModelFileError.self) {
      try Array(line.utf8).withUnsafeBufferPointer { try tokenizer.decode(jsonIDs: $0) }
    }
    #expect(error?.message.contains(word) == true, "\(error?.message ?? "")")
  }
}
