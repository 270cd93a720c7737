import Foundation
import ModelFiles
import StrictJSON

/// A Hugging Face model directory: `config.json` and mapped weights under canonical names.
///
/// Opening reads headers only; the weights stay in the files until they are used. Every weight of the configuration
/// must be there in the right shape; what does not belong to the model is refused, except for buffers that carry
/// no information (causal masks, rotary tables, copies of a tied head, the unused pooler of RoBERTa, heads of other tasks).
public struct Checkpoint: Sendable {
  /// The folder that it was read from.
  public let directory: URL
  /// As in `config.json`, but that the head is not tied to the embedding where the file holds another one.
  public let configuration: ModelConfiguration
  /// The weights in the order of ``ModelConfiguration/parameters``, under canonical names.
  public let tensors: [TensorView]
  /// Stored tensors without effect, by their names in the file.
  public let ignoredTensors: [String]

  /// What `generation_config.json` says, or `config.json` where there is none.
  public let generation: GenerationDefaults

  /// `config.json` as it is.
  let configurationObject: JSONObject
  private let index: [String: Int]

  /// Opens the model in `directory` (`config.json` with `model.safetensors` or `model.safetensors.index.json`).
  public init(_ directory: URL) throws {
    self.directory = directory
    try Self.requireFolder(directory)
    let file = directory.appendingPathComponent("config.json")
    let object = try JSONObject(contentsOf: file, limit: ModelConfiguration.maximumBytes)
    configurationObject = object
    let stated = try naming(file.path) { try ModelConfiguration(object) }
    let stored = try Self.storedTensors(directory)
    let arrangement = try naming(directory.path) { try Self.arrange(stored, stated) }
    (tensors, ignoredTensors) = (arrangement.tensors, arrangement.ignored)
    configuration = arrangement.configuration
    generation = try GenerationDefaults(directory: directory, configuration: configuration, object: object)
    index = Dictionary(tensors.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// The weight with a canonical name (``ModelConfiguration/parameters``).
  ///
  /// Throws (`missing`) for any other name.
  public func tensor(_ name: String) throws -> TensorView {
    guard let position = index[name] else {
      throw ModelFileError(.missing, "the model has no weight '\(name)'", file: directory.path)
    }
    return tensors[position]
  }

  /// The type of the stored weights: that of most elements.
  public var storedType: TensorType {
    var counts: [TensorType: Int] = [:]
    for tensor in tensors { counts[tensor.type, default: 0] += tensor.elementCount }
    return counts.max { ($0.value, $0.key.rawValue) < ($1.value, $1.key.rawValue) }?.key ?? .float32
  }

  /// Bytes of all weights as stored.
  public var byteCount: Int { tensors.reduce(0) { $0 + $1.bytes.count } }

  // MARK: - Files

  private static func storedTensors(_ directory: URL) throws -> [TensorView] {
    let single = directory.appendingPathComponent("model.safetensors")
    let index = directory.appendingPathComponent("model.safetensors.index.json")
    let manager = FileManager.default
    if manager.fileExists(atPath: single.path) { return try SafetensorsFile(single).tensors }
    guard manager.fileExists(atPath: index.path) else {
      let pickled = manager.fileExists(atPath: directory.appendingPathComponent("pytorch_model.bin").path)
      let remedy = pickled ? "; pytorch_model.bin is not read (pickles run code): convert it to safetensors" : ""
      throw ModelFileError(
        .missing, "neither model.safetensors nor model.safetensors.index.json\(remedy)", file: directory.path)
    }
    return try shardedTensors(directory, index)
  }

  /// Opens the shards that an index names and checks that index and shards agree on every tensor.
  private static func shardedTensors(_ directory: URL, _ url: URL) throws -> [TensorView] {
    let object = try JSONObject(contentsOf: url, limit: 100 << 20)
    return try naming(url.path) {
      guard let map = try object.object("weight_map") else {
        throw ModelFileError(.missing, "'weight_map' is missing")
      }
      var shardOf: [String: String] = [:]
      var shards: [String] = []
      var seen: Set<String> = []
      for (name, value) in map.members {
        guard let shard = value.stringValue, isPlainFileName(shard) else {
          throw ModelFileError(.malformed, "'weight_map' entry '\(name)' must be a file name in the same folder")
        }
        shardOf[name] = shard
        if seen.insert(shard).inserted { shards.append(shard) }
      }
      var tensors: [TensorView] = []
      for shard in shards.sorted() {
        guard FileManager.default.fileExists(atPath: directory.appendingPathComponent(shard).path) else {
          throw ModelFileError(
            .missing, "it names \(shard), which is not there; the model's files are not complete: get them again")
        }
        for tensor in try SafetensorsFile(directory.appendingPathComponent(shard)).tensors {
          guard shardOf.removeValue(forKey: tensor.name) == shard else {
            throw ModelFileError(.mismatch, "tensor '\(tensor.name)' of \(shard) is not assigned to it by the index")
          }
          tensors.append(tensor)
        }
      }
      if let (name, shard) = shardOf.min(by: { $0.key < $1.key }) {
        throw ModelFileError(.missing, "tensor '\(name)' is not in \(shard) as the index says")
      }
      return tensors
    }
  }

  /// Whether a name stays inside its folder.
  static func isPlainFileName(_ name: String) -> Bool {
    !name.isEmpty && name != "." && name != ".." && !name.utf8.contains { $0 == UInt8(ascii: "/") || $0 == 0 }
  }
}
