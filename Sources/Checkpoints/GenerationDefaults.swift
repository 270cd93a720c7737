import Foundation
import ModelFiles
import StrictJSON

/// What a checkpoint's `generation_config.json` says about generation.
///
/// As Transformers reads it: where the file is there, it alone counts; where it is not, `config.json` does.
public struct GenerationDefaults: Hashable, Sendable {
  /// Tokens that end a text, in the file's order; empty where none is named.
  ///
  /// Ids outside the vocabulary are left out: they can never come.
  public let endIDs: [Int]
  /// Settings that would change even a greedy choice and are not applied here, as `name value`.
  public let ignoredSettings: [String]

  /// Reads `generation_config.json` of a model directory.
  init(directory: URL, configuration: ModelConfiguration, object: JSONObject) throws {
    let url = directory.appendingPathComponent("generation_config.json")
    guard FileManager.default.fileExists(atPath: url.path) else {
      endIDs = configuration.eosIDs
      ignoredSettings = Self.ignored(object)
      return
    }
    let file = try JSONObject(contentsOf: url, limit: 16 << 20)
    endIDs = try naming(url.path) { try Self.ids(file, vocabulary: configuration.vocabularySize) }
    ignoredSettings = Self.ignored(file)
  }

  private static func ids(_ object: JSONObject, vocabulary: Int) throws -> [Int] {
    guard let value = object.present("eos_token_id") else { return [] }
    var result: [Int] = []
    for item in value.arrayValue ?? [value] {
      guard let id = item.integerValue else {
        throw ModelFileError(
          .malformed, "'eos_token_id' must be a token id or an array of them, found \(item.text().prefix(80))")
      }
      if (0..<vocabulary).contains(id), !result.contains(id) { result.append(id) }
    }
    return result
  }

  /// Settings and the numbers at which they do nothing.
  private static let neutral: [(name: String, values: [Double])] = [
    ("num_beams", [1]), ("repetition_penalty", [1]), ("encoder_repetition_penalty", [1]), ("no_repeat_ngram_size", [0]),
    ("encoder_no_repeat_ngram_size", [0]), ("min_length", [0]), ("min_new_tokens", [0]), ("penalty_alpha", [0]),
    ("guidance_scale", [1]), ("suppress_tokens", []), ("begin_suppress_tokens", []), ("bad_words_ids", []),
    ("force_words_ids", []), ("sequence_bias", []), ("forced_bos_token_id", []), ("forced_eos_token_id", []),
    ("exponential_decay_length_penalty", []), ("stop_strings", []), ("watermarking_config", []), ("dola_layers", []),
  ]

  private static func ignored(_ object: JSONObject) -> [String] {
    neutral.compactMap { name, values in
      guard let value = object.present(name), !HarmlessKeys.isOff(value) else { return nil }
      if let number = value.doubleValue, values.contains(number) { return nil }
      return "\(name) \(value.text().prefix(80))"
    }
  }
}
