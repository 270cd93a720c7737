import Foundation
import StrictJSON
import TestSupport
import Testing

@testable import Checkpoints
@testable import LanguageModel

/// A tiny reference checkpoint in a folder of its own, to be changed.
struct ModelFolder {
  private let folder: TemporaryFolder
  let url: URL

  init(_ model: String) throws {
    folder = try TemporaryFolder()
    url = folder.url.appendingPathComponent("model")
    try FileManager.default.copyItem(at: Fixtures.url("goldens/lm/models/\(model)"), to: url)
    for name in ["generation_config.json"] {
      let file = url.appendingPathComponent(name)
      if FileManager.default.fileExists(atPath: file.path) { try FileManager.default.removeItem(at: file) }
    }
  }

  func file(_ name: String) -> URL { url.appendingPathComponent(name) }

  func write(_ text: String, _ name: String) throws {
    try FileManager.default.createDirectory(
      at: file(name).deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: file(name))
  }

  /// Sets keys of `config.json`; NSNull() writes null, a key in `without` goes.
  func configure(_ keys: [String: Any], without: [String] = []) throws {
    let data = try Data(contentsOf: file("config.json"))
    var root = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    for (key, value) in keys { root[key] = value }
    for key in without { root[key] = nil }
    try JSONSerialization.data(withJSONObject: root).write(to: file("config.json"))
  }

  /// Rewrites `model.safetensors`.
  func tensors(_ change: ([TensorView]) throws -> [TensorSource]) throws {
    let stored = try SafetensorsFile(file("model.safetensors")).tensors
    try SafetensorsWriter.write(try change(stored), to: file("model.safetensors"))
  }

  /// Adds or replaces tensors.
  func add(_ tensors: [String: TensorSource], without: [String] = []) throws {
    try self.tensors { stored in
      stored.filter { tensors[$0.name] == nil && !without.contains($0.name) }.map { TensorSource($0) } + tensors.values
    }
  }

  func model(_ backend: any Backend = ReferenceBackend()) throws -> CausalLanguageModel {
    try CausalLanguageModel(directory: url, backend: backend)
  }

  /// Loss of every token but the first.
  func loss(_ ids: [Int] = [3, 5, 9, 30, 77, 12, 40]) throws -> Double {
    try model().evaluate([TrainingExample(text: ids)]).loss
  }

  /// Numbers that a reference script makes, too: ((7 i) mod 11 − 5) / 20.
  static func numbers(_ shape: [Int]) -> [Float] {
    (0..<shape.reduce(1, *)).map { Float($0 * 7 % 11 - 5) / 20 }
  }

  static func tensor(_ name: String, _ shape: [Int]) -> TensorSource {
    TensorSource(name: name, shape: shape, values: numbers(shape))
  }

  /// A tensor with one number replaced, bytes as they are.
  static func tensor(_ view: TensorView, element: Int, value: Float) throws -> TensorSource {
    var values = try view.float32Values()
    values[element] = value
    return TensorSource(name: view.name, type: .float32, shape: view.shape) { write in
      try values.withUnsafeBytes { try write($0) }
    }
  }
}
