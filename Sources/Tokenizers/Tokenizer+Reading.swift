import Foundation
import ModelFiles
import StrictJSON

extension Tokenizer {
  /// Reads the tokenizer of a model directory as `AutoTokenizer` of Transformers 5 does: `tokenizer.json`, changed as
  /// `tokenizer_config.json` and the model's type say.
  public init(directory: URL) throws {
    func file(_ name: String) throws -> JSONObject? {
      let url = directory.appendingPathComponent(name)
      guard FileManager.default.fileExists(atPath: url.path) else { return nil }
      return try JSONObject(contentsOf: url, limit: 64 << 20)
    }
    let url = directory.appendingPathComponent("tokenizer.json")
    guard FileManager.default.fileExists(atPath: url.path) else {
      throw ModelFileError(
        .missing, "no tokenizer.json; save the tokenizer with a current version of Transformers to get one",
        file: directory.path)
    }
    let (generation, configuration) = (try file("generation_config.json"), try file("config.json"))
    let settings = try file("tokenizer_config.json")
    let specials = try file("special_tokens_map.json")
    let addedFile = try file("added_tokens.json")
    self = try naming(url.path) {
      let root = try JSONObject(contentsOf: url)
      guard settings != nil || configuration != nil || specials != nil else {
        return try Tokenizer(root: root, view: nil, numbered: [generation])
      }
      let view = try TransformersView(
        root, settings: settings, specials: specials, addedFile: addedFile, configuration: configuration)
      return try Tokenizer(root: view.root, view: view, numbered: [generation, configuration])
    }
  }

  /// Reads the JSON text of a `tokenizer.json` alone, as the `tokenizers` library does.
  public init(json: Data) throws {
    self = try naming(nil) {
      guard case .object(let root) = try JSONParser.parse(json) else {
        throw ModelFileError(.malformed, "tokenizer.json must hold a JSON object")
      }
      return try Tokenizer(root: root, view: nil, numbered: [])
    }
  }

  private init(root: JSONObject, view: TransformersView?, numbered: [JSONObject?]) throws {
    var reader = TokenizerReader(
      root, listedTokens: view?.addedTokens, splitsSpecials: view?.splitsSpecials ?? false)
    pipeline = try reader.pipeline()
    leadingSpecials = reader.leading
    trailingSpecials = reader.trailing
    let invented = reader.inventedIDs
    vocabularySize = pipeline.decoder.count(without: invented)
    let decoder = pipeline.decoder
    ignoredSettings =
      reader.ignoredSettings
      + invented.sorted().map {
        "'\(decoder.written($0) ?? "")' is named beside tokenizer.json and not in it; it has id \($0)"
      }
    namedSpecials = (view?.roles ?? [:]).sorted { $0.key < $1.key }.map { (key: "\($0.key)_token", value: $0.value) }
    specialIDs = Self.roles(pipeline, view?.roles ?? [:], invented, numbered.compactMap(\.self))
  }

  /// Ids with a role; a token that only the files beside `tokenizer.json` invent has none, as no model knows it.
  private static func roles(
    _ pipeline: TokenizerPipeline, _ roles: [String: String], _ invented: Set<Int32>, _ numbered: [JSONObject]
  ) -> SpecialIDs {
    func id(_ role: String) -> Int32? {
      if let token = roles[role], let id = pipeline.ids[ByteKey(token.utf8)], !invented.contains(id) { return id }
      for file in numbered {
        if let value = file.present("\(role)_token_id")?.integerValue, value >= 0, value < pipeline.decoder.count {
          return Int32(value)
        }
      }
      return nil
    }
    var special = SpecialIDs()
    special.bos = id("bos")
    special.padding = id("pad")
    special.unknown = id("unk")
    var ends = [id("eos")].compactMap(\.self)
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
