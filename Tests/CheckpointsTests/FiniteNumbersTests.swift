import Foundation
import ModelFiles
import TestSupport
import Testing

@testable import Checkpoints
@testable import LanguageModel

/// NaN and infinity are never generated from, trained on, written or read as an adapter.
@Suite("Numbers that are not finite", .bounded)
struct FiniteNumbersTests {
  private static let weight = "model.layers.1.mlp.up_proj.weight"
  private static let bad: [Float] = [.nan, .infinity, -.infinity]

  private func broken(_ value: Float, _ model: String = "llama-mha", weight: String = weight) throws -> ModelFolder {
    let folder = try ModelFolder(model)
    let view = try #require(try SafetensorsFile(folder.file("model.safetensors"))[weight])
    try folder.add([weight: try ModelFolder.tensor(view, element: 5, value: value)])
    return folder
  }

  @Test("The first such element of a tensor is found in every floating-point type")
  func search() throws {
    for count in [1, 3, 4095, 4096, 10_000] {
      let place = count - 1
      var values = [Float](repeating: 1.5, count: count)
      for value in Self.bad {
        values[place] = value
        let folder = try TemporaryFolder()
        for type in [TensorType.float32, .float16, .bfloat16, .float64] {
          let url = folder.url.appendingPathComponent(type.rawValue)
          let bytes = Self.bytes(values, type)
          try SafetensorsWriter.write(
            [
              TensorSource(name: "t", type: type, shape: [count]) { write in try bytes.withUnsafeBytes { try write($0) }
              }
            ], to: url)
          let element = try #require(try SafetensorsFile(url).tensors[0].firstNonFinite())
          #expect(element.index == place && element.tensor == "t")
          #expect(element.value.isNaN == value.isNaN && (value.isNaN || element.value == value))
        }
      }
    }
    let finite = try SafetensorsFile(Fixtures.url("goldens/lm/models/gpt2/model.safetensors")).tensors
    #expect(finite.allSatisfy { $0.firstNonFinite() == nil })
  }

  private static func bytes(_ values: [Float], _ type: TensorType) -> [UInt8] {
    values.flatMap { value -> [UInt8] in
      var (number, half) = (value, UInt16(0))
      switch type {
      case .float64: return withUnsafeBytes(of: Double(value)) { Array($0) }
      case .float32: return withUnsafeBytes(of: value) { Array($0) }
      case .float16: HalfPrecision.float32ToFloat16(&number, &half, 1)
      default: HalfPrecision.float32ToBFloat16(&number, &half, 1)
      }
      return withUnsafeBytes(of: half) { Array($0) }
    }
  }

  @Test("A base with such a weight: generation, loss and training name the tensor", arguments: bad.indices)
  func base(_ index: Int) throws {
    let folder = try broken(Self.bad[index])
    for backend in [ReferenceBackend() as any Backend, try CPUBackend(precision: .float32, threads: 2)] {
      let model = try folder.model(backend)
      var errors = [#expect(throws: ModelFileError.self) { try model.generate([[3, 5]]) }]
      var options = GenerationOptions(maximumNewTokens: 2)
      options.choice = .sample(temperature: 1, topK: 5, topP: nil, seed: 1)
      errors.append(#expect(throws: ModelFileError.self) { try model.generate([[3, 5]], options: options) })
      errors.append(#expect(throws: ModelFileError.self) { try model.evaluate([TrainingExample(text: [3, 5, 9])]) })
      let adapter = try model.makeAdapter(AdapterPlan(layers: [0], count: 1, rank: 2), seed: 1)
      errors.append(
        #expect(throws: ModelFileError.self) { try model.train(adapter, on: [TrainingExample(text: [3, 5, 9])]) })
      for error in errors {
        #expect(error?.message.contains("'\(Self.weight)'") == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("learning rate") == false)
      }
    }
    let error = #expect(throws: ModelFileError.self) { try Checkpoint(folder.url).requireFinite() }
    #expect(error?.message.contains(Self.weight) == true)
    let target = folder.url.appendingPathComponent("merged")
    #expect(throws: ModelFileError.self) { try Checkpoint(folder.url).writeMerged(to: target) { _ in nil } }
  }

  @Test("A finite base is remembered as such until its file changes")
  func cache() throws {
    let folder = try ModelFolder("gpt2")
    let cache = folder.url.appendingPathComponent("cache")
    try Checkpoint(folder.url).requireFinite(cache: cache)
    #expect(try FileManager.default.contentsOfDirectory(atPath: cache.path).count == 1)
    let name = "transformer.ln_f.bias"
    let view = try #require(try SafetensorsFile(folder.file("model.safetensors"))[name])
    try folder.add([name: try ModelFolder.tensor(view, element: 0, value: .nan)])
    #expect(throws: ModelFileError.self) { try Checkpoint(folder.url).requireFinite(cache: cache) }
  }

  @Test("An adapter with such a number is refused by the tensor's name", arguments: bad.indices)
  func adapter(_ index: Int) throws {
    let source = Fixtures.url("goldens/lm/adapters/llama-mha-two-active")
    let folder = try TemporaryFolder()
    let url = folder.url.appendingPathComponent("adapter")
    try FileManager.default.copyItem(at: source, to: url)
    let file = url.appendingPathComponent("adapter_model.safetensors")
    let tensors = try SafetensorsFile(file).tensors
    let changed = try ModelFolder.tensor(tensors[1], element: 3, value: Self.bad[index])
    try SafetensorsWriter.write(
      tensors.map { $0.name == changed.name ? changed : TensorSource($0) }, to: file)
    let configuration = try Checkpoint(Fixtures.url("goldens/lm/models/llama-mha")).configuration
    let error = #expect(throws: ModelFileError.self) { try PEFTAdapter(directory: url, for: configuration) }
    #expect(error?.message.contains("'\(changed.name)'") == true)
    #expect(error?.file == file.path)
  }

  @Test("An adapter whose values or scale overflow: no token, no file")
  func overflow() throws {
    let model = try CausalLanguageModel(
      directory: Fixtures.url("goldens/lm/models/llama-mha"), backend: ReferenceBackend())
    let configuration = model.configuration
    let source = Fixtures.url("goldens/lm/adapters/llama-mha-two-active")
    var peft = try PEFTAdapter(directory: source, for: configuration)
    for index in peft.modules.indices {
      peft.modules[index].a = peft.modules[index].a.map { _ in 10 }
      peft.modules[index].b = peft.modules[index].b.map { _ in 3e38 }
    }
    let adapter = try model.makeAdapter(peft)
    let error = #expect(throws: GenerationError.self) { try model.generate([[3, 5]], adapters: [adapter]) }
    #expect(error?.message.contains("adapter") == true, "\(error?.message ?? "")")
    #expect(throws: TrainingError.self) { try model.evaluate([TrainingExample(text: [3, 5])], adapters: [adapter]) }
    let folder = try TemporaryFolder()
    #expect(throws: ModelFileError.self) {
      try model.writeMerged([adapter], to: folder.url.appendingPathComponent("m"))
    }
    peft.modules[0].alpha = 1e308
    #expect(throws: ModelFileError.self) {
      try peft.write(to: folder.url.appendingPathComponent("a"), for: configuration)
    }
    peft.modules[0].alpha = 8
    peft.modules[0].a[0] = .nan
    #expect(throws: ModelFileError.self) {
      try peft.write(to: folder.url.appendingPathComponent("a"), for: configuration)
    }
    #expect(!FileManager.default.fileExists(atPath: folder.url.appendingPathComponent("a").path))
  }

  @Test("What does not fit into 16 bits is refused with tensor, value and place")
  func halfPrecision() throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appendingPathComponent("t.safetensors")
    for (type, value) in [(TensorType.float16, Float(65_520)), (.float16, -70_000), (.bfloat16, 3.4e38)] {
      let source = TensorSource(name: "w", shape: [3], values: [1, 2, value], type: type)
      let error = #expect(throws: ModelFileError.self) { try SafetensorsWriter.write([source], to: url) }
      #expect(error?.message.contains("'w'") == true && error?.message.contains("element 2") == true)
      #expect(!FileManager.default.fileExists(atPath: url.path))
    }
    let largest = TensorSource(name: "w", shape: [2], values: [65_504, -65_519], type: .float16)
    try SafetensorsWriter.write([largest], to: url)
    #expect(try SafetensorsFile(url).tensors[0].float32Values() == [65_504, -65_504])
    for type in [TensorType.float32, .float16, .bfloat16, .float64] {
      let source = TensorSource(name: "w", shape: [2], values: [1, .nan], type: type)
      #expect(throws: ModelFileError.self) { try SafetensorsWriter.write([source], to: url) }
    }
  }

  @Test("Backends give no token for a row that is not finite")
  func choice() throws {
    let backends: [any Backend] = [ReferenceBackend(), try CPUBackend(precision: .float32, threads: 2)]
    for backend in backends {
      for columns in [1, 5, 8, 31, 333] {
        for value in Self.bad {
          for place in Set([0, columns / 2, columns - 1]) {
            var numbers = (0..<(2 * columns)).map { Float($0 % 7) }
            numbers[columns + place] = value
            let logits = try backend.upload(numbers, rows: 2, columns: columns, kind: .parameter)
            let best = try backend.upload(indices: [7, 7])
            try backend.argmax(logits, into: best)
            #expect(
              try backend.download(indices: best) == [Int32(min(6, columns - 1)), -1], "\(columns) \(value) \(place)")
          }
        }
      }
    }
  }
}
