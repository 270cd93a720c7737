import Foundation
import ModelFiles
import StrictJSON

extension PEFTAdapter {
  /// Writes a PEFT directory that loads in PEFT with the same function and reads back bit by bit.
  ///
  /// Layers with another rank or alpha than the most common one get entries in `rank_pattern` and `alpha_pattern` by
  /// their full paths. Throws (`unsupported`) where PEFT's configuration cannot name exactly these layers.
  public func write(to directory: URL, for configuration: ModelConfiguration) throws {
    try check(configuration)
    let text = JSONValue.object(try configurationObject(configuration)).text(indent: 2) + "\n"
    // What was written must adapt these layers and no others.
    try verifyTargets(text, configuration)
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    let tensors = modules.flatMap { module in
      [
        TensorSource(
          name: "\(Self.tensorPrefix)\(module.name).lora_A.weight", shape: [module.rank, module.inputs],
          values: module.a),
        TensorSource(
          name: "\(Self.tensorPrefix)\(module.name).lora_B.weight", shape: [module.outputs, module.rank],
          values: module.b),
      ]
    }
    try SafetensorsWriter.write(tensors, to: directory.appendingPathComponent(FileName.weights))
    try writeSidecar(directory)
    try ModelFileError.writing(text, to: directory.appendingPathComponent(FileName.configuration))
  }

  /// The same function with one rank and scale 1 everywhere, for programs that know no patterns (vLLM, llama.cpp).
  ///
  /// Pairs are padded with zeros to the largest rank and s is folded into B (rounded to f32 unless s is a power of two).
  public func uniform() -> PEFTAdapter {
    let rank = modules.map(\.rank).max() ?? 1
    var result = self
    result.usesRankStabilizedScale = false
    result.modules = modules.map { module in
      var padded = module
      let scale = Float(scale(of: module))
      padded.alpha = Double(rank)
      padded.rank = rank
      padded.a = module.a + [Float](repeating: 0, count: (rank - module.rank) * module.inputs)
      padded.b = [Float](repeating: 0, count: module.outputs * rank)
      for row in 0..<module.outputs {
        for column in 0..<module.rank {
          padded.b[row * rank + column] = scale * module.b[row * module.rank + column]
        }
      }
      if rank > module.rank { padded.blocks.append(rank - module.rank) }
      return padded
    }
    return result
  }

  private func verifyTargets(_ text: String, _ configuration: ModelConfiguration) throws {
    guard case .object(let object) = try JSONParser.parse(Data(text.utf8)) else { return }
    let written = try naming(nil) { try PEFTConfiguration(object) }
    let names = Dictionary(modules.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    for (name, kind) in configuration.otherModules
    where written.adapts(name, kind: kind, of: configuration.architecture) {
      throw ModelFileError(.unsupported, "PEFT's target settings would also adapt '\(name)', which \(kind.refusal)")
    }
    for name in Self.linearLayers(of: configuration).keys {
      let isAdapted = written.adapts(name, kind: .blockLinear, of: configuration.architecture)
      guard isAdapted == (names[name] != nil) else {
        throw ModelFileError(.unsupported, "PEFT's target settings cannot name exactly these layers ('\(name)')")
      }
      if let module = names[name], written.rank(of: name) != module.rank || written.alpha(of: name) != module.alpha {
        throw ModelFileError(.unsupported, "PEFT's patterns cannot give '\(name)' its rank and alpha")
      }
    }
  }

  private func configurationObject(_ configuration: ModelConfiguration) throws -> JSONObject {
    let rank = Self.mostCommon(modules.map(\.rank))
    let alpha = Self.mostCommon(modules.map(\.alpha))
    func number(_ value: Double) -> JSONValue { Int(exactly: value).map { .integer($0) } ?? .number(value) }
    let ranks = modules.filter { $0.rank != rank }.map { ($0.name, JSONValue.integer($0.rank)) }
    let alphas = modules.filter { $0.alpha != alpha }.map { ($0.name, number($0.alpha)) }
    let targets = targetMembers(configuration)
    return JSONObject(
      [
        ("peft_type", .string("LORA")), ("task_type", .string("CAUSAL_LM")),
        ("base_model_name_or_path", baseModel.map { .string($0) } ?? .null), ("inference_mode", .bool(true)),
        ("r", .integer(rank)), ("lora_alpha", number(alpha)), ("lora_dropout", .number(dropout)),
        ("bias", .string("none")), ("fan_in_fan_out", .bool(configuration.architecture == .gpt2)),
        ("init_lora_weights", .bool(true)), ("use_rslora", .bool(usesRankStabilizedScale)), ("use_dora", .bool(false)),
        ("rank_pattern", .object(JSONObject(ranks))), ("alpha_pattern", .object(JSONObject(alphas))),
        ("modules_to_save", .null), ("revision", .null),
      ] + targets)
  }

  /// The value that occurs most often, the smallest among equals.
  private static func mostCommon<T: Hashable & Comparable>(_ values: [T]) -> T {
    var counts: [T: Int] = [:]
    for value in values { counts[value, default: 0] += 1 }
    let best = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }
    return best?.key ?? values[0]
  }

  /// `target_modules` with layers where the same paths are adapted in every active layer, else an expression.
  private func targetMembers(_ configuration: ModelConfiguration) -> [(String, JSONValue)] {
    let known = Self.linearLayers(of: configuration)
    var pathsOf: [Int: [String]] = [:]
    for module in modules {
      guard let layer = known[module.name] else { continue }
      pathsOf[layer.layer, default: []].append(layer.path)
    }
    let layers = pathsOf.keys.sorted()
    let order = configuration.linearModules.map(\.path)
    let sets = Set(pathsOf.values.map { Set($0) })
    guard sets.count == 1, let paths = sets.first else { return Self.expressionMembers(modules.map(\.name)) }
    let sorted = order.filter { paths.contains($0) }
    if configuration.architecture == .roberta {
      // `output.dense` also matches attention.output.dense: only a full expression is exact.
      let numbers = layers.map(String.init).joined(separator: "|")
      let choice: String
      if Set(sorted) == ["intermediate.dense", "output.dense"] {
        choice = "(intermediate|output)\\.dense"
      } else {
        choice = "(" + sorted.map { $0.replacing(".", with: "\\.") }.joined(separator: "|") + ")"
      }
      return [
        ("target_modules", .string("roberta\\.encoder\\.layer\\.(\(numbers))\\.\(choice)")),
        ("layers_to_transform", .null), ("layers_pattern", .null),
      ]
    }
    return [
      ("target_modules", .array(sorted.map { .string($0) })),
      ("layers_to_transform", .array(layers.map { .integer($0) })),
      ("layers_pattern", .string(configuration.architecture == .gpt2 ? "h" : "layers")),
    ]
  }

  private static func expressionMembers(_ names: [String]) -> [(String, JSONValue)] {
    let choices = names.map { $0.replacing(".", with: "\\.") }.joined(separator: "|")
    return [
      ("target_modules", .string("(\(choices))")), ("layers_to_transform", .null), ("layers_pattern", .null),
    ]
  }

  private func writeSidecar(_ directory: URL) throws {
    let blocks = modules.map { ($0.name, JSONValue.array($0.blocks.map { .integer($0) })) }
    let strings = provenance.sorted { $0.key < $1.key }.map { ($0.key, JSONValue.string($0.value)) }
    let object = JSONObject([
      ("version", .integer(1)), ("blocks", .object(JSONObject(blocks))), ("provenance", .object(JSONObject(strings))),
    ])
    let text = JSONValue.object(object).text(indent: 1) + "\n"
    try ModelFileError.writing(text, to: directory.appendingPathComponent(FileName.sidecar))
  }
}
