import Foundation
import ModelFiles
import StrictJSON

extension Checkpoint {
  /// Writes a new checkpoint: `config.json` and `model.safetensors`, or shards with an index.
  ///
  /// - Parameters:
  ///   - directory: created where it does not exist.
  ///   - configuration: the model's shape; it becomes `config.json`.
  ///   - storedType: type of the weights on disk: f32, f16 or bf16.
  ///   - maximumShardBytes: weights beyond this size are split over several files.
  ///   - values: called once per parameter, in order of names; returns its elements in the parameter's stored shape.
  public static func write(
    to directory: URL, configuration: ModelConfiguration, storedType: TensorType = .float32,
    maximumShardBytes: Int = 5 << 30, values: @escaping (ModelConfiguration.Parameter) throws -> [Float]
  ) throws {
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    let sources = configuration.parameters.map { parameter in
      TensorSource(name: parameter.name, type: storedType, shape: parameter.shape) { write in
        let elements = try values(parameter)
        guard elements.count == parameter.shape.reduce(1, *) else {
          throw ModelFileError(
            .mismatch, "'\(parameter.name)': \(elements.count) values for shape \(parameter.shape)",
            file: directory.path)
        }
        try elements.withUnsafeBufferPointer { try TensorSource.convert($0, storedType, parameter.name, write) }
      }
    }
    try writeWeights(
      withDecoderBias(sources, configuration), to: directory, maximumShardBytes: maximumShardBytes)
    try configuration.write(to: directory.appendingPathComponent("config.json"), storedType: storedType)
  }

  /// Writes this checkpoint with some weights replaced (an adapter merged into its base), with the base's settings,
  /// tokenizer, chat templates and generation settings.
  ///
  /// Weights that are not replaced are copied bit by bit; replaced ones are rounded to their stored type. Numbers that are
  /// infinite or none, and those that the stored type cannot hold, are refused with the tensor's name.
  ///
  /// - Parameters:
  ///   - directory: created where it does not exist.
  ///   - maximumShardBytes: weights beyond this size are split over several files.
  ///   - replacement: the new f32 elements of a weight in its stored shape, or nil to keep it.
  public func writeMerged(
    to directory: URL, maximumShardBytes: Int = 5 << 30, replacement: @escaping (TensorView) throws -> [Float]?
  ) throws {
    guard directory.standardizedFileURL.path != self.directory.standardizedFileURL.path else {
      throw ModelFileError(.unwritable, "refusing to overwrite the base in place", file: directory.path)
    }
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    let sources = tensors.map { view in
      TensorSource(name: view.name, type: view.type, shape: view.shape) { write in
        guard let elements = try replacement(view) else {
          if let element = view.firstNonFinite() { throw Self.notFinite(element, self.directory) }
          return try write(view.bytes)
        }
        guard elements.count == view.elementCount else {
          throw ModelFileError(.mismatch, "'\(view.name)': \(elements.count) values for shape \(view.shape)")
        }
        try elements.withUnsafeBufferPointer { try TensorSource.convert($0, view.type, view.name, write) }
      }
    }
    try Self.writeWeights(
      Self.withDecoderBias(sources, configuration), to: directory, maximumShardBytes: maximumShardBytes)
    try copyCompanions(to: directory)
    try ModelFileError.writing(derivedConfiguration, to: directory.appendingPathComponent("config.json"))
  }

  /// RoBERTa with a head of its own: the reference then adds `lm_head.decoder.bias`, and has `lm_head.bias` beside it.
  private static func withDecoderBias(_ sources: [TensorSource], _ configuration: ModelConfiguration) -> [TensorSource]
  {
    guard configuration.architecture == .roberta, !configuration.tiedHead else { return sources }
    return sources
      + sources.filter { $0.name == "lm_head.bias" }.map {
        TensorSource(name: "lm_head.decoder.bias", type: $0.type, shape: $0.shape, deliver: $0.deliver)
      }
  }

  private static func writeWeights(_ sources: [TensorSource], to directory: URL, maximumShardBytes: Int) throws {
    var shards: [[TensorSource]] = [[]]
    var size = 0
    for source in sources.sorted(by: { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }) {
      if size > 0, size + source.byteCount > maximumShardBytes {
        shards.append([])
        size = 0
      }
      shards[shards.count - 1].append(source)
      size += source.byteCount
    }
    guard shards.count > 1 else {
      return try SafetensorsWriter.write(shards[0], to: directory.appendingPathComponent("model.safetensors"))
    }
    func padded(_ number: Int) -> String { String(("0000" + String(number)).suffix(5)) }
    var map = JSONObject()
    for (number, shard) in shards.enumerated() {
      let name = "model-\(padded(number + 1))-of-\(padded(shards.count)).safetensors"
      for source in shard { map.append(source.name, .string(name)) }
      try SafetensorsWriter.write(shard, to: directory.appendingPathComponent(name))
    }
    let total = sources.reduce(0) { $0 + $1.byteCount }
    let index = JSONObject([
      ("metadata", .object(JSONObject([("total_size", .integer(total))]))), ("weight_map", .object(map)),
    ])
    let text = JSONValue.object(index).text(indent: 2) + "\n"
    try ModelFileError.writing(text, to: directory.appendingPathComponent("model.safetensors.index.json"))
  }
}
