import Foundation
import ModelFiles
import StrictJSON

extension Checkpoint {
  /// Files beside the weights that a derived model or an adapter needs to be used like its base: the tokenizer in all its
  /// forms, chat templates, generation settings, and what its licence asks to be passed on.
  static let companionFiles = [
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
    "vocab.txt",
    "merges.txt", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "chat_template.jinja",
    "chat_template.json", "generation_config.json", "LICENSE", "LICENSE.txt", "LICENSE.md", "NOTICE", "NOTICE.txt",
    "USE_POLICY.md",
  ]

  /// The folder of chat templates beside the first one, a `.jinja` file each.
  static let templateFolder = "additional_chat_templates"

  /// Copies the companion files that are there.
  ///
  /// Throws `ModelFileError` where one cannot be read or written: an incomplete model is not left unsaid.
  public func copyCompanions(to target: URL) throws {
    for name in Self.companionFiles {
      try Self.copy(directory.appendingPathComponent(name), to: target.appendingPathComponent(name))
    }
    let templates = directory.appendingPathComponent(Self.templateFolder, isDirectory: true)
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: templates.path, isDirectory: &isFolder), isFolder.boolValue else {
      return
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: templates.path).filter { $0.hasSuffix(".jinja") }
    guard !names.isEmpty else { return }
    let copies = target.appendingPathComponent(Self.templateFolder, isDirectory: true)
    try FileManager.default.createDirectory(at: copies, withIntermediateDirectories: true)
    for name in names.sorted() {
      try Self.copy(templates.appendingPathComponent(name), to: copies.appendingPathComponent(name))
    }
  }

  private static func copy(_ source: URL, to target: URL) throws {
    guard FileManager.default.fileExists(atPath: source.path) else { return }
    let file = try MappedFile(source)
    try ModelFileError.writing(target) { try $0.write(file.bytes) }
  }

  /// `config.json` for a model derived from this one: the base's, with its own settings for training and use, but without
  /// where it came from and without code that is not copied along.
  var derivedConfiguration: String {
    var object = configurationObject.removing(["_name_or_path", "_commit_hash", "auto_map", "unsloth_fixed"])
    object.set("architectures", .array([.string(configuration.architectureClass)]))
    object.set("model_type", .string(configuration.architecture.rawValue))
    object.set("tie_word_embeddings", .bool(configuration.tiedHead))
    if configuration.architecture == .roberta { object.set("is_decoder", .bool(true)) }
    if object.present("dtype") == nil, object.present("torch_dtype") == nil {
      object.set("dtype", .string(storedType.configurationName ?? "float32"))
    }
    return JSONValue.object(object).text(indent: 2) + "\n"
  }
}

extension JSONObject {
  /// The same members but those keys.
  func removing(_ keys: Set<String>) -> JSONObject {
    JSONObject(members.filter { !keys.contains($0.key) }.map { ($0.key, $0.value) })
  }

  /// Replaces the value of a key in its place, or appends it.
  mutating func set(_ key: String, _ value: JSONValue) {
    guard self[key] != nil else { return append(key, value) }
    self = JSONObject(members.map { $0.key.utf8.elementsEqual(key.utf8) ? (key, value) : ($0.key, $0.value) })
  }
}
