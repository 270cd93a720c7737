/// The fields of `adapter_config.json` that decide what an adapter computes.
struct PEFTConfiguration {
  /// `target_modules` and the filters beside it.
  enum Targets {
    /// Paths that equal or end (after a dot) with one of these.
    case suffixes([String])
    /// Paths that a regular expression matches completely.
    case expression(SimpleExpression)
    /// Every linear layer of the blocks.
    case allLinear
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
  var rankPattern: [(key: String, value: Int)]
  var alphaPattern: [(key: String, value: Double)]

  /// Keys without effect on what a finished adapter computes: training, initialisation, provenance.
  private static let withoutEffect: Set<String> = [
    "auto_mapping", "inference_mode", "revision", "megatron_core", "qalora_group_size", "peft_version",
    "runtime_config", "ensure_weight_tying", "task_type", "fan_in_fan_out",
  ]

  /// Keys of features that are not supported: allowed only where switched off.
  private static let mustBeOff: Set<String> = [
    "modules_to_save", "use_dora", "lora_bias", "layer_replication", "megatron_config", "trainable_token_indices",
    "eva_config", "corda_config", "lora_ga_config", "velora_config", "alora_invocation_tokens", "use_qalora",
    "monteclora_config", "target_parameters", "use_bdlora", "arrow_config", "kasa_config", "loftq_config",
  ]

  private static let understood: Set<String> = [
    "peft_type", "base_model_name_or_path", "r", "lora_alpha", "lora_dropout", "bias", "init_lora_weights",
    "use_rslora", "rank_pattern", "alpha_pattern", "target_modules", "exclude_modules", "layers_to_transform",
    "layers_pattern",
  ]

  init(_ object: JSONObject) throws {
    for (key, value) in object.members where !Self.understood.contains(key) && !Self.withoutEffect.contains(key) {
      guard Self.mustBeOff.contains(key) else {
        throw ModelFileError(.unsupported, "the key '\(key)' is not known; this adapter may compute something else")
      }
      guard Self.isOff(value) else { throw ModelFileError(.unsupported, "'\(key)' is not supported") }
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
    guard (1...(1 << 20)).contains(rank), alpha.isFinite, (0...1).contains(dropout) else {
      throw ModelFileError(.malformed, "'r', 'lora_alpha' or 'lora_dropout' is out of range")
    }
    guard let targets = try Self.targets(object, "target_modules") else {
      throw ModelFileError(.missing, "'target_modules' is missing")
    }
    self.targets = targets
    excluded = try Self.targets(object, "exclude_modules")
    layers = try Self.layers(object)
    layerPatterns = try Self.layerPatterns(object)
    rankPattern = try Self.pattern(object, "rank_pattern") { $0.integerValue }
    alphaPattern = try Self.pattern(object, "alpha_pattern") { $0.doubleValue }
  }

  private static func isOff(_ value: JSONValue) -> Bool {
    switch value {
    case .null, .bool(false): true
    case .array(let items): items.isEmpty
    case .object(let object): object.members.isEmpty
    default: false
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
      return text == "all-linear" ? .allLinear : .expression(try SimpleExpression(text, key: key))
    }
    let items = try object.array(key) ?? []
    return .suffixes(
      try items.map {
        guard let text = $0.stringValue else { throw ModelFileError(.malformed, "'\(key)' must hold strings") }
        return text
      })
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
    -> [(key: String, value: T)]
  {
    try (object.object(key) ?? JSONObject()).members.map { name, value in
      guard let value = get(value) else {
        throw ModelFileError(.malformed, "'\(key)' entry '\(name)' must be a number")
      }
      // PEFT treats keys as regular expressions; plain paths mean the same in both readings.
      guard name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ".") }) else {
        throw ModelFileError(.unsupported, "'\(key)' entry '\(name)': only plain module paths are supported")
      }
      return (name, value)
    }
  }

  // MARK: - Matching

  /// Whether PEFT adapts the module with that path.
  func adapts(_ name: String) -> Bool {
    if let excluded, Self.matches(excluded, name) { return false }
    guard Self.matches(targets, name) else { return false }
    guard let layers, case .suffixes = targets else { return true }
    guard let layer = layerNumber(name) else { return false }
    return layers.contains(layer)
  }

  private static func matches(_ targets: Targets, _ name: String) -> Bool {
    switch targets {
    case .suffixes(let suffixes): suffixes.contains { name == $0 || name.hasSuffix("." + $0) }
    case .expression(let expression): expression.matches(name)
    case .allLinear: true
    }
  }

  /// The last number in a path that follows one of the layer patterns and is followed by something.
  private func layerNumber(_ name: String) -> Int? {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count > 3 || (parts.count == 3 && !parts[0].isEmpty) else { return nil }
    for index in stride(from: parts.count - 2, through: 2, by: -1) {
      guard let number = Int(parts[index]) else { continue }
      if layerPatterns.isEmpty || layerPatterns.contains(String(parts[index - 1])) { return number }
    }
    return nil
  }

  func rank(of name: String) -> Int { Self.find(rankPattern, name) ?? rank }
  func alpha(of name: String) -> Double { Self.find(alphaPattern, name) ?? alpha }

  private static func find<T>(_ pattern: [(key: String, value: T)], _ name: String) -> T? {
    pattern.first { name == $0.key || name.hasSuffix("." + $0.key) }?.value
  }
}
