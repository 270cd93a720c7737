import ModelFiles
import StrictJSON

/// Reads the keys of a `config.json` one by one and refuses what nobody asked for.
struct ConfigurationReader {
  private let object: JSONObject
  private var used: Set<String> = []

  /// Sizes beyond this are refused before anything is multiplied.
  static let maximumSize = 1 << 24

  /// Lists of weights grow with the number of layers, so it is bounded more tightly.
  static let maximumLayers = 1024

  init(_ object: JSONObject) { self.object = object }

  mutating func ignore(_ key: String) { used.insert(key) }

  /// A key under its own name and the name that the reference's other classes use for it.
  ///
  /// Refuses a file in which the two differ.
  mutating func size(_ key: String, alias: String, default fallback: Int? = nil) throws -> Int {
    let (value, other) = (try optionalSize(key), try optionalSize(alias))
    if let value, let other, value != other {
      throw ModelFileError(.mismatch, "'\(key)' (\(value)) and '\(alias)' (\(other)) mean the same and differ")
    }
    guard let size = value ?? other ?? fallback else { throw ModelFileError(.missing, "'\(key)' is missing") }
    return size
  }

  mutating func architecture() throws -> ModelConfiguration.Architecture {
    used.formUnion(["model_type", "architectures"])
    if let type = try object.string("model_type") {
      if let architecture = ModelConfiguration.Architecture(rawValue: type) { return architecture }
      throw ModelFileError(
        .unsupported, "'model_type' \(type) is not supported; supported are gpt2, roberta and llama")
    }
    // Early LLaMA configurations have no model_type.
    for name in try object.array("architectures") ?? [] {
      switch name.stringValue ?? "" {
      case "GPT2LMHeadModel": return .gpt2
      case "RobertaForCausalLM", "RobertaForMaskedLM": return .roberta
      case "LlamaForCausalLM", "LLaMAForCausalLM": return .llama
      default: continue
      }
    }
    throw ModelFileError(
      .missing, "neither 'model_type' nor a known 'architectures' entry; supported: gpt2, roberta, llama")
  }

  /// A positive size.
  mutating func size(_ key: String) throws -> Int {
    guard let size = try optionalSize(key) else { throw ModelFileError(.missing, "'\(key)' is missing") }
    return size
  }

  mutating func optionalSize(_ key: String) throws -> Int? {
    used.insert(key)
    guard let size = try object.integer(key) else { return nil }
    let limit = ["n_layer", "num_hidden_layers"].contains(key) ? Self.maximumLayers : Self.maximumSize
    guard (1...limit).contains(size) else {
      throw ModelFileError(.tooLarge, "'\(key)' is \(size), expected 1 to \(limit)")
    }
    return size
  }

  mutating func number(_ key: String, default value: Double) throws -> Double {
    used.insert(key)
    return try object.double(key) ?? value
  }

  mutating func flag(_ key: String, default value: Bool) throws -> Bool {
    used.insert(key)
    return try object.bool(key) ?? value
  }

  /// Whether a key is there and says nothing.
  func isNull(_ key: String) -> Bool { object[key]?.isNull == true }

  mutating func text(_ key: String) throws -> String? {
    used.insert(key)
    return try object.string(key)
  }

  /// Refuses any value of `key` other than the one that is implemented.
  mutating func require(_ key: String, _ value: Bool) throws {
    guard try flag(key, default: value) == value else {
      throw ModelFileError(.unsupported, "'\(key)': \(!value) is not supported")
    }
  }

  mutating func activation(_ key: String, default value: String, allowed: [String]) throws {
    let name = try text(key) ?? value
    guard allowed.contains(name) else {
      throw ModelFileError(
        .unsupported, "'\(key)': the activation \(name) is not supported for this architecture, only \(allowed[0])")
    }
  }

  /// Token ids under `key`: an integer, an array of integers, or nothing.
  mutating func ids(_ key: String) throws -> [Int] {
    used.insert(key)
    guard let value = object.present(key) else { return [] }
    let ids = (value.arrayValue ?? [value]).map(\.integerValue)
    let known = ids.compactMap { $0 }
    guard known.count == ids.count, known.allSatisfy({ $0 >= 0 }) else {
      // Some early LLaMA files say -1 for "no padding token".
      if known == [-1] { return [] }
      throw ModelFileError(.malformed, "'\(key)' must be a token id or an array of them")
    }
    return known
  }

  /// The rotary base from `rope_parameters` (Transformers 5) or `rope_theta` with `rope_scaling` (before).
  mutating func ropeTheta() throws -> Double {
    used.formUnion(["rope_parameters", "rope_scaling"])
    var theta = try number("rope_theta", default: 10_000)
    for key in ["rope_parameters", "rope_scaling"] {
      guard let rope = try object.object(key) else { continue }
      let isUnscaled = Self.isUnscaled(rope)
      for (name, value) in rope.members {
        if value.isNull { continue }
        switch name {
        case "rope_type", "type":
          guard isUnscaled else {
            throw ModelFileError(
              .unsupported, "'\(key).\(name)' \(value.text()) is not supported: only unscaled rotary positions are")
          }
        // Without scaling the reference does not look at its parameters.
        case _ where isUnscaled && Self.scalingParameters.contains(name): continue
        case "rope_theta":
          guard let number = value.doubleValue else {
            throw ModelFileError(.malformed, "'\(key).rope_theta' must be a number")
          }
          theta = number
        case "partial_rotary_factor" where value.doubleValue == 1: continue
        default: throw ModelFileError(.unsupported, "'\(key).\(name)' is not supported")
        }
      }
    }
    if let factor = try object.double("partial_rotary_factor"), factor != 1 {
      throw ModelFileError(.unsupported, "'partial_rotary_factor' \(factor) is not supported")
    }
    used.insert("partial_rotary_factor")
    return theta
  }

  private static let scalingParameters: Set<String> = [
    "factor", "original_max_position_embeddings", "low_freq_factor", "high_freq_factor", "attention_factor",
    "beta_fast",
    "beta_slow", "mscale", "mscale_all_dim", "finetuned", "truncate",
  ]

  /// Whether a `rope_scaling` leaves the positions as they are: no scaling at all, or scaling by 1.
  private static func isUnscaled(_ rope: JSONObject) -> Bool {
    switch (rope.present("rope_type") ?? rope.present("type"))?.stringValue {
    case "default": true
    case "linear", "dynamic": rope["factor"]?.doubleValue == 1
    default: false
    }
  }

  /// Refuses every key that was neither read nor is known to be without effect here.
  func finish() throws {
    if let quantization = object.present("quantization_config"), !HarmlessKeys.isOff(quantization) {
      throw ModelFileError(
        .unsupported, "'quantization_config' is not supported; use the model as it was before quantization")
    }
    for (key, value) in object.members
    where !used.contains(key) && !HarmlessKeys.modelConfigurationKeys.contains(key) {
      // A feature that is switched off changes nothing.
      if HarmlessKeys.isOff(value) { continue }
      throw ModelFileError(
        .unsupported,
        "the key '\(key)' (\(value.text().prefix(80))) is not known; if it does not change what the model computes, "
          + "remove it")
    }
  }
}
