import Foundation

extension Tokenizer {
  /// Reads `tokenizer.json` of a model directory and the roles of special tokens from the files beside it.
  public init(directory: URL) throws {
    let files = try ["special_tokens_map.json", "tokenizer_config.json", "generation_config.json", "config.json"].map {
      name -> JSONObject? in
      let url = directory.appendingPathComponent(name)
      guard FileManager.default.fileExists(atPath: url.path) else { return nil }
      return try JSONParser.object(at: url, limit: 64 << 20)
    }
    let url = directory.appendingPathComponent("tokenizer.json")
    guard FileManager.default.fileExists(atPath: url.path) else {
      throw ModelFileError(
        .missing, "no tokenizer.json; save the tokenizer with a current version of Transformers to get one",
        file: directory.path)
    }
    self = try naming(url.path) {
      try Tokenizer(root: JSONParser.object(at: url), named: [files[0], files[1]], numbered: [files[2], files[3]])
    }
  }

  /// Reads the JSON text of a `tokenizer.json`; special ids are those of its well-known token names only.
  public init(json: Data) throws {
    guard case .object(let root) = try JSONParser.parse(json) else {
      throw ModelFileError(.malformed, "tokenizer.json must hold a JSON object")
    }
    try self.init(root: root, named: [], numbered: [])
  }

  private init(root: JSONObject, named: [JSONObject?], numbered: [JSONObject?]) throws {
    var reader = TokenizerReader(root)
    pipeline = try reader.pipeline()
    leadingSpecials = reader.leading
    trailingSpecials = reader.trailing
    ignoredSettings = reader.ignoredSettings
    vocabularySize = pipeline.decoder.count
    specialIDs = try Self.roles(pipeline, named.compactMap(\.self), numbered.compactMap(\.self))
  }

  private static func roles(_ pipeline: TokenizerPipeline, _ named: [JSONObject], _ numbered: [JSONObject]) throws
    -> SpecialIDs
  {
    func id(_ role: String) throws -> Int32? {
      for file in named {
        guard let value = file.present("\(role)_token") else { continue }
        // Either the token itself or an object that describes it.
        guard let token = try value.stringValue ?? value.objectValue?.string("content") else {
          throw ModelFileError(.malformed, "'\(role)_token' of the tokenizer's configuration must be a string")
        }
        guard let id = pipeline.ids[ByteKey(token.utf8)] else {
          throw ModelFileError(.mismatch, "'\(role)_token' \(token) is not in the vocabulary")
        }
        return id
      }
      for file in numbered {
        if let value = file.present("\(role)_token_id")?.integerValue, value >= 0, value < pipeline.decoder.count {
          return Int32(value)
        }
      }
      return nil
    }
    var special = SpecialIDs()
    special.bos = try id("bos")
    special.padding = try id("pad")
    special.unknown = try id("unk")
    var ends = try [id("eos")].compactMap(\.self)
    for file in numbered {
      guard let value = file.present("eos_token_id") else { continue }
      for case let id? in (value.arrayValue ?? [value]).map(\.integerValue) where id >= 0 && id < pipeline.decoder.count
      {
        if !ends.contains(Int32(id)) { ends.append(Int32(id)) }
      }
    }
    special.eos = ends
    return special
  }
}
