import ModelFiles
import StrictJSON

/// The fields of `adapter_config.json` that decide what an adapter computes.
struct PEFTConfiguration {
  /// `target_modules` and the filters beside it.
  enum Targets {
    /// Paths that equal or end (after a dot) with one of these.
    case suffixes([String])
    /// Paths that a regular expression matches completely.
    case expression(SimpleExpression)
    /// Every linear layer but the one that makes logits.
    case allLinear
    /// Nothing is said: what PEFT takes for the model's architecture.
    case usual
  }

  var baseModel: String?
  var rank: Int
  var alpha: Double
  var dropout: Double
  var usesRankStabilizedScale: Bool
  var targets: Targets
  var excluded: Targets?
  /// Layer numbers, nil for all.
  var layers: [Int]?
  /// Names in front of the layer number (`h`, `layers`), empty for any.
  var layerPatterns: [String]
  var rankPattern: [PatternEntry<Int>]
  var alphaPattern: [PatternEntry<Double>]

  /// An entry of `rank_pattern` or `alpha_pattern`: a regular expression for paths, and their value.
  struct PatternEntry<Value> {
    let key: String
    let expression: SimpleExpression
    let value: Value
  }

  /// Keys of features that are not supported: allowed only where switched off.
  private static let mustBeOff: Set<String> = [
    "modules_to_save", "use_dora", "lora_bias", "layer_replication", "megatron_config", "trainable_token_indices",
    "velora_config", "alora_invocation_tokens", "use_qalora", "monteclora_config", "target_parameters", "use_bdlora",
    "arrow_config", "kasa_config", "enable_lora",
  ]

  private static let understood: Set<String> = [
    "peft_type", "base_model_name_or_path", "r", "lora_alpha", "lora_dropout", "bias", "init_lora_weights",
    "use_rslora", "rank_pattern", "alpha_pattern", "target_modules", "exclude_modules", "layers_to_transform",
    "layers_pattern",
  ]

  init(_ object: JSONObject) throws {
    for (key, value) in object.members
    where !Self.understood.contains(key) && !HarmlessKeys.adapterConfigurationKeys.contains(key) {
      // A feature that is switched off changes nothing, whether it is known here or not.
      if HarmlessKeys.isOff(value) { continue }
      guard Self.mustBeOff.contains(key) else {
        throw ModelFileError(
          .unsupported,
          "the key '\(key)' (\(value.text().prefix(80))) is not known; this adapter may compute something else")
      }
      throw ModelFileError(.unsupported, "'\(key)' (\(value.text().prefix(80))) is not supported")
    }
    guard try object.string("peft_type") == "LORA" else {
      throw ModelFileError(.unsupported, "'peft_type' must be LORA")
    }
    if let task = try object.string("task_type"), task != "CAUSAL_LM" {
      throw ModelFileError(.unsupported, "'task_type' \(task) is not supported, only CAUSAL_LM")
    }
    if let bias = try object.string("bias"), bias != "none" {
      throw ModelFileError(.unsupported, "'bias' \(bias) is not supported, only none")
    }
    try Self.checkInitialisation(object["init_lora_weights"])
    baseModel = try object.string("base_model_name_or_path")
    rank = try object.integer("r") ?? 8
    alpha = try object.double("lora_alpha") ?? 8
    dropout = try object.double("lora_dropout") ?? 0
    usesRankStabilizedScale = try object.bool("use_rslora") ?? false
    guard Self.ranks.contains(rank), alpha.isFinite, (0...1).contains(dropout) else {
      throw ModelFileError(
        .malformed,
        "'r' (\(rank)), 'lora_alpha' (\(alpha)) or 'lora_dropout' (\(dropout)) is out of range: r is 1 to "
          + "\(Self.ranks.upperBound), dropout 0 to 1")
    }
    targets = try Self.targets(object, "target_modules") ?? .usual
    excluded = try Self.excluded(object)
    layers = try Self.layers(object)
    layerPatterns = try Self.layerPatterns(object)
    rankPattern = try Self.pattern(object, "rank_pattern") { $0.integerValue }
    alphaPattern = try Self.pattern(object, "alpha_pattern") { $0.doubleValue }
    for entry in rankPattern where !Self.ranks.contains(entry.value) {
      throw ModelFileError(.malformed, "'rank_pattern' entry '\(entry.key)' is \(entry.value), expected a rank")
    }
    try checkCombination(object)
  }

  /// Ranks that are read.
  static let ranks = 1...(1 << 20)

  /// Refuses settings that PEFT refuses together.
  private func checkCombination(_ object: JSONObject) throws {
    let (hasLayers, hasPatterns) = (object.present("layers_to_transform") != nil, !layerPatterns.isEmpty)
    switch targets {
    case .expression, .allLinear:
      if hasLayers || object.present("layers_pattern") != nil {
        throw ModelFileError(
          .mismatch,
          "'layers_to_transform' and 'layers_pattern' go with a list of target_modules, not with an expression")
      }
    case .suffixes, .usual:
      if hasPatterns, !hasLayers {
        throw ModelFileError(.mismatch, "'layers_pattern' needs 'layers_to_transform' beside it")
      }
    }
  }

  /// Some initialisations change the base's weights; an adapter that was trained so does not fit the plain base.
  private static func checkInitialisation(_ value: JSONValue?) throws {
    switch value {
    case nil, .null?, .bool?: return
    case .string("gaussian")?, .string("orthogonal")?, .string("eva")?: return
    case .some(let other):
      throw ModelFileError(.unsupported, "'init_lora_weights' \(other.text()) changes the base and is not supported")
    }
  }

  private static func targets(_ object: JSONObject, _ key: String) throws -> Targets? {
    guard let value = object.present(key) else { return nil }
    if let text = value.stringValue {
      return text.lowercased() == "all-linear" ? .allLinear : .expression(try SimpleExpression(text, key: key))
    }
    let items = try object.array(key) ?? []
    return .suffixes(
      try items.map {
        guard let text = $0.stringValue else { throw ModelFileError(.malformed, "'\(key)' must hold strings") }
        return text
      })
  }

  /// `exclude_modules`, where "all-linear" has no meaning of its own; an empty one excludes nothing.
  private static func excluded(_ object: JSONObject) throws -> Targets? {
    guard let value = object.present("exclude_modules") else { return nil }
    guard let text = value.stringValue else { return try targets(object, "exclude_modules") }
    return text.isEmpty ? nil : .expression(try SimpleExpression(text, key: "exclude_modules"))
  }

  private static func layers(_ object: JSONObject) throws -> [Int]? {
    guard let value = object.present("layers_to_transform") else { return nil }
    let numbers = (value.arrayValue ?? [value]).map(\.integerValue)
    guard numbers.allSatisfy({ $0 != nil }) else {
      throw ModelFileError(.malformed, "'layers_to_transform' must be a layer number or an array of them")
    }
    // As in PEFT, an empty list means all layers.
    return numbers.isEmpty ? nil : numbers.compactMap { $0 }
  }

  private static func layerPatterns(_ object: JSONObject) throws -> [String] {
    guard let value = object.present("layers_pattern") else { return [] }
    return try (value.arrayValue ?? [value]).compactMap {
      guard let text = $0.stringValue else {
        throw ModelFileError(.malformed, "'layers_pattern' must be a string or an array of strings")
      }
      guard text.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }) else {
        throw ModelFileError(.unsupported, "'layers_pattern' \(text): only plain names are supported")
      }
      return text.isEmpty ? nil : text
    }
  }

  private static func pattern<T>(_ object: JSONObject, _ key: String, _ get: (JSONValue) -> T?) throws
    -> [PatternEntry<T>]
  {
    try (object.object(key) ?? JSONObject()).members.map { name, value in
      guard let value = get(value) else {
        throw ModelFileError(.malformed, "'\(key)' entry '\(name)' must be a number, found \(value.kind)")
      }
      // As in PEFT: the whole path, or what stands behind one of its dots.
      return PatternEntry(
        key: name, expression: try SimpleExpression("(.*\\.)?(\(name))$", key: key), value: value)
    }
  }
}
