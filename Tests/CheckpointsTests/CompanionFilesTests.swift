import Foundation
import ModelFiles
import StrictJSON
import TestSupport
import Testing
import Tokenizers

@testable import Checkpoints
@testable import LanguageModel

/// A derived directory is complete: what makes the base usable goes with it.
@Suite("Files beside the weights", .bounded)
struct CompanionFilesTests {
  private static let files = [
    "chat_template.jinja": "{{ messages }}", "chat_template.json": "{}",
    "generation_config.json": "{\"eos_token_id\":2}",
    "special_tokens_map.json": "{}", "added_tokens.json": "{}", "tokenizer.model": "x", "merges.txt": "a b",
    "additional_chat_templates/tool_use.jinja": "tools", "additional_chat_templates/rag.jinja": "rag",
    "LICENSE": "terms",
  ]

  @Test("Tokenizer, chat templates, generation settings and licence are copied as they are")
  func copies() throws {
    let folder = try ModelFolder("llama-mha")
    for (name, text) in Self.files { try folder.write(text, name) }
    try folder.write("no", "additional_chat_templates/notes.txt")
    try folder.write("print()", "modeling_custom.py")
    try folder.configure([
      "_name_or_path": "/home/anna/base", "auto_map": ["AutoModel": "modeling_custom.X"], "attention_dropout": 0.25,
      "task_specific_params": ["a": 1],
    ])
    let target = folder.url.appendingPathComponent("merged")
    try Checkpoint(folder.url).writeMerged(to: target) { _ in nil }
    for (name, text) in Self.files {
      #expect(try String(contentsOf: target.appendingPathComponent(name), encoding: .utf8) == text, "\(name)")
    }
    #expect(!FileManager.default.fileExists(atPath: target.appendingPathComponent("modeling_custom.py").path))
    #expect(
      try FileManager.default.contentsOfDirectory(
        atPath: target.appendingPathComponent("additional_chat_templates").path
      )
      .count == 2)
    let config = try JSONObject(contentsOf: target.appendingPathComponent("config.json"))
    #expect(config["_name_or_path"] == nil && config["auto_map"] == nil)
    #expect(config["attention_dropout"]?.doubleValue == 0.25)
    #expect(config["task_specific_params"]?.objectValue != nil)
    #expect(try Checkpoint(target).configuration == Checkpoint(folder.url).configuration)
    #expect(try Tokenizer(directory: folder.url).encode("the").isEmpty == false)
  }

  @Test("A companion that cannot be read fails the export", .timeLimit(.minutes(1)))
  func unreadable() throws {
    let folder = try ModelFolder("gpt2")
    #expect(mkfifo(folder.file("chat_template.jinja").path, 0o600) == 0)
    let target = folder.url.appendingPathComponent("merged")
    let error = #expect(throws: ModelFileError.self) { try Checkpoint(folder.url).writeMerged(to: target) { _ in nil } }
    #expect(error?.message.contains("named pipe") == true)
  }

  @Test("The base is named without a path: by its name on the Hub, else by its folder")
  func names() throws {
    let folder = try ModelFolder("gpt2")
    #expect(try Checkpoint(folder.url).publicName == "model")
    let hub = folder.url.appendingPathComponent("models--meta-llama--Llama-2-7b-hf/snapshots/0123abcd")
    try FileManager.default.createDirectory(at: hub.deletingLastPathComponent(), withIntermediateDirectories: true)
    try FileManager.default.copyItem(at: Fixtures.url("goldens/lm/models/gpt2"), to: hub)
    #expect(try Checkpoint(hub).publicName == "meta-llama/Llama-2-7b-hf")
    let names: [(String?, String?)] = [
      ("meta-llama/Llama-2-7b-hf", "meta-llama/Llama-2-7b-hf"), ("/home/anna/base", nil), ("../base", nil),
      ("base", nil),
      ("a/b/c", nil), ("~/base", nil), (nil, nil), ("./base", nil), ("", nil),
    ]
    for (name, expected) in names {
      #expect(PEFTAdapter(baseModel: name, modules: []).publicBaseModel == expected, "\(name ?? "nil")")
    }
  }
}

/// Where generation stops: the answers are those of `generate` of Transformers 5.24.
@Suite("Generation settings of a model", .bounded)
struct GenerationDefaultsTests {
  @Test("generation_config.json alone counts where it is there; config.json where it is not")
  func endTokens() throws {
    let cases: [(config: Any, file: String?, expected: [Int])] = [
      (47, nil, [47]), ([47, 2], nil, [47, 2]), (47, #"{"do_sample": false}"#, []), (47, "{}", []),
      (47, #"{"eos_token_id": null}"#, []), (47, #"{"eos_token_id": 2}"#, [2]), (2, #"{"eos_token_id": [47]}"#, [47]),
      (2, #"{"eos_token_id": [9999, 47, 47]}"#, [47]), (2, #"{"eos_token_id": -1}"#, []),
      (2, #"{"eos_token_id": 47.0}"#, [47]),
      (NSNull(), #"{"eos_token_id": [2, 47]}"#, [2, 47]),
    ]
    for (config, text, expected) in cases {
      let folder = try ModelFolder("llama-mha")
      try folder.configure(["eos_token_id": config])
      if let text { try folder.write(text, "generation_config.json") }
      let model = try folder.model()
      #expect(model.endIDs == expected, "\(config) \(text ?? "")")
      let ids = try model.generate([[1, 5, 9, 30, 77, 12, 40]], options: GenerationOptions(maximumNewTokens: 8))[0].ids
      #expect(ids == (expected.contains(47) ? [326, 199, 47] : [326, 199, 47, 259, 199, 275, 128, 326]))
    }
  }

  @Test("A file that cannot be understood is refused by name")
  func malformed() throws {
    for text in ["{bad", "[1]", #"{"eos_token_id": "47"}"#, #"{"eos_token_id": [[47]]}"#, #"{"eos_token_id": 4.5}"#] {
      let folder = try ModelFolder("llama-mha")
      try folder.write(text, "generation_config.json")
      let error = #expect(throws: ModelFileError.self) { try Checkpoint(folder.url) }
      #expect(error?.file?.hasSuffix("generation_config.json") == true)
    }
  }

  @Test("Settings that would change a greedy choice are listed as not applied")
  func ignored() throws {
    let folder = try ModelFolder("llama-mha")
    try folder.write(
      #"{"repetition_penalty": 1.1, "num_beams": 1, "do_sample": true, "temperature": 0.6, "suppress_tokens": [3]}"#,
      "generation_config.json")
    #expect(try Checkpoint(folder.url).generation.ignoredSettings == ["repetition_penalty 1.1", "suppress_tokens [3]"])
    let legacy = try ModelFolder("llama-mha")
    try legacy.configure(["repetition_penalty": 1.0, "no_repeat_ngram_size": 2])
    #expect(try Checkpoint(legacy.url).generation.ignoredSettings == ["no_repeat_ngram_size 2"])
  }
}

/// Files that are no regular files, and folders that are no models.
@Suite("Wrong files and folders", .bounded(.seconds(60)))
struct WrongFilesTests {
  @Test(
    "Named pipes, folders and devices are refused at once",
    arguments: [
      "config.json", "model.safetensors", "tokenizer.json", "generation_config.json",
    ])
  func specialFiles(_ name: String) throws {
    for kind in ["a named pipe", "a folder", "a device"] {
      let folder = try ModelFolder("gpt2")
      let file = folder.file(name)
      if FileManager.default.fileExists(atPath: file.path) { try FileManager.default.removeItem(at: file) }
      switch kind {
      case "a named pipe": #expect(mkfifo(file.path, 0o600) == 0)
      case "a folder": try FileManager.default.createDirectory(at: file, withIntermediateDirectories: false)
      default: try FileManager.default.createSymbolicLink(atPath: file.path, withDestinationPath: "/dev/zero")
      }
      let error = #expect(throws: ModelFileError.self, "\(kind)") {
        _ = try Checkpoint(folder.url)
        _ = try Tokenizer(directory: folder.url)
      }
      #expect(error?.message.contains(kind) == true, "\(error?.message ?? "")")
      #expect(error?.code == .unreadable)
    }
  }

  @Test(
    "A pipe in an adapter's folder is refused at once", arguments: ["adapter_config.json", "adapter_model.safetensors"])
  func adapterPipe(_ name: String) throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appendingPathComponent("a")
    try FileManager.default.copyItem(at: Fixtures.url("goldens/lm/adapters/gpt2-two-active"), to: url)
    try FileManager.default.removeItem(at: url.appendingPathComponent(name))
    #expect(mkfifo(url.appendingPathComponent(name).path, 0o600) == 0)
    let configuration = try Checkpoint(Fixtures.url("goldens/lm/models/gpt2")).configuration
    #expect(throws: ModelFileError.self) { try PEFTAdapter(directory: url, for: configuration) }
  }

  @Test("What is no model says what it is")
  func folders() throws {
    let folder = try TemporaryFolder()
    func message(_ path: String) -> String {
      let error = #expect(throws: ModelFileError.self) { try Checkpoint(folder.url.appendingPathComponent(path)) }
      #expect(error?.code == .missing)
      return error?.message ?? ""
    }
    #expect(message("meta-llama/Llama-2-7b-hf").contains("hf download meta-llama/Llama-2-7b-hf"))
    try FileManager.default.copyItem(
      at: Fixtures.url("goldens/lm/adapters/gpt2-two-active"), to: folder.url.appendingPathComponent("a"))
    #expect(message("a").contains("this is an adapter"))
    #expect(message("a/adapter_config.json").contains("is a file"))
    let snapshot = folder.url.appendingPathComponent("models--x--y/snapshots/00ff")
    try FileManager.default.createDirectory(at: snapshot, withIntermediateDirectories: true)
    #expect(message("models--x--y").contains("models--x--y/snapshots/00ff"))
    #expect(message("models--x--y/snapshots/00ff").contains("no config.json"))
  }

  @Test("A tokenizer that is larger than the model is named with its tokens")
  func vocabulary() throws {
    let checkpoint = try Checkpoint(Fixtures.url("goldens/lm/models/gpt2"))
    #expect(checkpoint.vocabularyProblem(try Tokenizer(directory: checkpoint.directory)) == nil)
    let large = try Tokenizer(directory: Fixtures.url("goldens/lm/models/llama-mha"))
    let problem = try #require(checkpoint.vocabularyProblem(large))
    #expect(problem.message.contains("405 ids") && problem.message.contains("300 rows"))
    #expect(problem.message.contains("(300)") && problem.message.contains("and 102 more"))
    let error = #expect(throws: ModelFileError.self) {
      try checkpoint.requireKnown([3, 404], large, place: "prompt 0")
    }
    #expect(error?.message.contains("prompt 0") == true && error?.message.contains("404") == true)
  }
}
