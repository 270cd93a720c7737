import Foundation
import ModelFiles
import StrictJSON
import TestSupport
import Testing

@testable import Checkpoints
@testable import LanguageModel

/// Heads, biases and names as Transformers 5.24 reads them; the losses are its.
@Suite("Heads and names of checkpoints", .bounded)
struct CheckpointHeadTests {
  static let heads = [
    ("gpt2", "lm_head.weight", "transformer.wte.weight", [300, 32], 6.2979416847229, 9.909443855285645),
    ("llama-mha", "lm_head.weight", "model.embed_tokens.weight", [405, 32], 6.680945873260498, 9.227485656738281),
    (
      "roberta", "lm_head.decoder.weight", "roberta.embeddings.word_embeddings.weight", [300, 32], 5.741094589233398,
      10.0083646774292
    ),
  ]

  @Test(
    "A stored head that differs from the embedding is used, whatever tie_word_embeddings says", arguments: heads.indices
  )
  func differingHead(_ index: Int) throws {
    let (name, head, _, shape, expected, _) = Self.heads[index]
    let folder = try ModelFolder(name)
    try folder.configure(["tie_word_embeddings": true])
    try folder.add([head: ModelFolder.tensor(head, shape)])
    #expect(abs(try folder.loss() - expected) < 1e-4)
    let checkpoint = try Checkpoint(folder.url)
    #expect(!checkpoint.configuration.tiedHead)
    let target = folder.url.appendingPathComponent("merged")
    try checkpoint.writeMerged(to: target) { _ in nil }
    let merged = try CausalLanguageModel(directory: target, backend: ReferenceBackend())
    #expect(abs(try merged.evaluate([TrainingExample(text: [3, 5, 9, 30, 77, 12, 40])]).loss - expected) < 1e-4)
    #expect(
      try JSONObject(contentsOf: target.appendingPathComponent("config.json")).bool("tie_word_embeddings") == false)
  }

  @Test("An equal head is tied, a missing one is the embedding, a missing embedding the head", arguments: heads.indices)
  func tiedHead(_ index: Int) throws {
    let (name, head, embedding, _, _, expected) = Self.heads[index]
    for kind in ["equal", "head missing", "embedding missing"] {
      let folder = try ModelFolder(name)
      try folder.configure(["tie_word_embeddings": true])
      let view = try #require(try SafetensorsFile(folder.file("model.safetensors"))[embedding])
      let copy = TensorSource(name: head, shape: view.shape, values: try view.float32Values())
      switch kind {
      case "equal": try folder.add([head: copy])
      case "head missing": try folder.add([:], without: [head])
      default: try folder.add([head: copy], without: [embedding])
      }
      #expect(abs(try folder.loss() - expected) < 1e-4, "\(kind)")
      #expect(try Checkpoint(folder.url).configuration.tiedHead, "\(kind)")
    }
  }

  @Test("An untied head that is not stored is refused with the reason", arguments: heads.indices)
  func missingHead(_ index: Int) throws {
    let (name, head, _, _, _, _) = Self.heads[index]
    let folder = try ModelFolder(name)
    try folder.configure(["tie_word_embeddings": false])
    try folder.add([:], without: [head])
    let error = #expect(throws: ModelFileError.self) { try Checkpoint(folder.url) }
    #expect(error?.message.contains("tie_word_embeddings") == true)
  }

  @Test("RoBERTa adds the decoder's bias where both are stored, and either where one is")
  func biases() throws {
    let (bias, other) = ("lm_head.bias", "lm_head.decoder.bias")
    for without in [[], [bias]] {
      let folder = try ModelFolder("roberta")
      try folder.add([other: ModelFolder.tensor(other, [300])], without: without)
      #expect(abs(try folder.loss() - 10.039633750915527) < 1e-4)
    }
    let head = "lm_head.decoder.weight"
    let folder = try ModelFolder("roberta")
    try folder.configure(["tie_word_embeddings": false])
    try folder.add([head: ModelFolder.tensor(head, [300, 32]), other: ModelFolder.tensor(other, [300])])
    #expect(abs(try folder.loss() - 5.818368434906006) < 1e-4)
    try folder.add([:], without: [other])
    let error = #expect(throws: ModelFileError.self) { try Checkpoint(folder.url) }
    #expect(error?.message.contains("decoder.bias") == true)
  }

  @Test("Padding inside a text takes no position in RoBERTa, and one in GPT-2")
  func padding() throws {
    let ids = [3, 5, 1, 9, 30, 1, 1, 77, 12, 40]
    #expect(abs(try ModelFolder("roberta").loss(ids) - 8.548011779785156) < 1e-4)
    #expect(abs(try ModelFolder("gpt2").loss(ids) - 10.405876159667969) < 1e-4)
    // Generation goes on where the whole sequence would: each token is the best one behind all before it.
    let model = try ModelFolder("roberta").model()
    let prompt = [3, 5, 1, 9, 30, 1, 1, 77]
    let result = try model.generate([prompt], options: GenerationOptions(maximumNewTokens: 6, stopIDs: []))[0]
    var sequence = prompt
    for id in result.ids {
      let logits = try model.logits(sequence).suffix(300)
      #expect(logits.max() == logits[logits.startIndex + id])
      sequence.append(id)
    }
    #expect(sequence == [3, 5, 1, 9, 30, 1, 1, 77, 129, 129, 129, 288, 216, 216])
  }

  @Test("Old names of norms, doubled prefixes and heads of other tasks are read; wrappers are named")
  func names() throws {
    let renamed: [(String, (String) -> String, Double)] = [
      (
        "roberta",
        {
          $0.replacing("LayerNorm.weight", with: "LayerNorm.gamma").replacing("LayerNorm.bias", with: "LayerNorm.beta")
        }, 10.0083646774292
      ),
      ("roberta", { "roberta.\($0)" }, 10.0083646774292), ("gpt2", { "transformer.\($0)" }, 9.909443855285645),
      ("llama-mha", { "model.\($0)" }, 10.230134010314941),
    ]
    for (name, change, expected) in renamed {
      let folder = try ModelFolder(name)
      try folder.tensors { $0.map { TensorSource($0, name: change($0.name)) } }
      #expect(abs(try folder.loss() - expected) < 1e-4, "\(name)")
    }
    for extra in ["score.weight", "v_head.summary.weight", "multiple_choice_head.summary.bias", "qa_outputs.bias"] {
      let folder = try ModelFolder("gpt2")
      try folder.add([extra: ModelFolder.tensor(extra, [4])])
      #expect(try Checkpoint(folder.url).ignoredTensors == [extra])
    }
    for prefix in ["module.", "_orig_mod.", "base_model.model."] {
      let folder = try ModelFolder("gpt2")
      try folder.tensors { $0.map { TensorSource($0, name: prefix + $0.name) } }
      let error = #expect(throws: ModelFileError.self) { try Checkpoint(folder.url) }
      #expect(error?.message.contains("'\(prefix)transformer.wte.weight'") == true, "\(error?.message ?? "")")
    }
  }

  @Test("Weights of 64 bits are read, merged and written; those of 8 bits and integers are refused by name")
  func types() throws {
    let folder = try ModelFolder("gpt2")
    try folder.tensors { stored in
      try stored.map { view in
        let values = try view.float32Values().map(Double.init)
        return TensorSource(name: view.name, type: .float64, shape: view.shape) { write in
          try values.withUnsafeBytes { try write($0) }
        }
      }
    }
    #expect(abs(try folder.loss() - 9.909443855285645) < 1e-4)
    let checkpoint = try Checkpoint(folder.url)
    let target = folder.url.appendingPathComponent("merged")
    try checkpoint.writeMerged(to: target) { $0.name.hasSuffix("h.0.mlp.c_fc.weight") ? try $0.float32Values() : nil }
    #expect(try Checkpoint(target).tensors.allSatisfy { $0.type == .float64 })
    let name = "transformer.h.0.mlp.c_fc.weight"
    for type in [TensorType.int8, .float8E4M3] {
      let other = try ModelFolder("gpt2")
      try other.add([
        name: TensorSource(name: name, type: type, shape: [32, 128]) { write in
          try [UInt8](repeating: 1, count: 4096).withUnsafeBytes { try write($0) }
        }
      ])
      let error = #expect(throws: ModelFileError.self) { try Checkpoint(other.url) }
      #expect(error?.message.contains(name) == true)
    }
  }

  @Test("A shard that is missing is named, with the advice to get the files again")
  func missingShard() throws {
    let folder = try ModelFolder("gpt2-sharded")
    let shard = try #require(
      try FileManager.default.contentsOfDirectory(atPath: folder.url.path).filter { $0.hasPrefix("model-0") }.sorted()
        .last)
    try FileManager.default.removeItem(at: folder.file(shard))
    let error = #expect(throws: ModelFileError.self) { try Checkpoint(folder.url) }
    #expect(error?.message.contains(shard) == true)
    #expect(error?.code == .missing)
  }
}
