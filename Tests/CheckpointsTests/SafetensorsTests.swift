import Foundation
import ModelFiles
import TestSupport
import Testing

@testable import Checkpoints

@Suite(.bounded) struct SafetensorsTests {
  /// A file from header text and data.
  static func file(_ header: String, data: [UInt8], declared: UInt64? = nil, in folder: TemporaryFolder) throws -> URL {
    let url = folder.url.appendingPathComponent("\(UUID().uuidString).safetensors")
    var bytes = Data()
    withUnsafeBytes(of: (declared ?? UInt64(header.utf8.count)).littleEndian) { bytes.append(contentsOf: $0) }
    bytes.append(contentsOf: header.utf8)
    bytes.append(contentsOf: data)
    try bytes.write(to: url)
    return url
  }

  @Test func writesAndReadsEveryType() throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appendingPathComponent("a.safetensors")
    let values: [Float] = [1, -2.5, 0, 65504, 1e-7, -0.33325195]
    try SafetensorsWriter.write(
      [
        TensorSource(name: "f32", shape: [2, 3], values: values),
        TensorSource(name: "f16", shape: [6], values: values, type: .float16),
        TensorSource(name: "bf16", shape: [3, 2], values: values, type: .bfloat16),
        TensorSource(name: "bytes", type: .uint8, shape: [3]) { write in
          try [UInt8](arrayLiteral: 1, 2, 3).withUnsafeBytes { try write($0) }
        },
        TensorSource(name: "none", shape: [0, 4], values: []),
        TensorSource(name: "scalar", shape: [], values: [7]),
      ], to: url, metadata: ["format": "pt", "note": "ünï\"\n"])
    let file = try SafetensorsFile(url)
    #expect(file.metadata == ["format": "pt", "note": "ünï\"\n"])
    #expect(try file["f32"]?.float32Values() == values)
    #expect(file["f32"]?.mappedFloat32.map(Array.init) == values)
    #expect(file["none"]?.shape == [0, 4])
    #expect(try file["none"]?.float32Values() == [])
    #expect(try file["scalar"]?.float32Values() == [7])
    for (value, rounded) in zip(values, try file["bf16"]?.float32Values() ?? []) {
      #expect(abs(rounded - value) <= abs(value) / 256)
      #expect(rounded.bitPattern & 0xFFFF == 0)
    }
    #expect(try file["f16"]?.float32Values() == values.map { Float(Float16($0)) })
    #expect(throws: ModelFileError.self) { try file["bytes"]?.float32Values() }
    // Equal content, equal bytes.
    let again = folder.url.appendingPathComponent("b.safetensors")
    try SafetensorsWriter.write(
      file.tensors.reversed().map { TensorSource($0) }, to: again, metadata: file.metadata)
    #expect(try Data(contentsOf: url) == Data(contentsOf: again))
    // Nothing but the two files is left.
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).count == 2)
  }

  @Test func writerReproducesReferenceFiles() throws {
    let folder = try TemporaryFolder()
    for path in ["models/gpt2/model.safetensors", "adapters/gpt2-mixed/adapter_model.safetensors"] {
      let source = Fixtures.url("goldens/lm/\(path)")
      let copy = folder.url.appendingPathComponent("copy.safetensors")
      let file = try SafetensorsFile(source)
      try SafetensorsWriter.write(file.tensors.map { TensorSource($0) }, to: copy, metadata: file.metadata)
      #expect(try Data(contentsOf: source) == Data(contentsOf: copy), "\(path)")
    }
  }

  @Test func halfPrecisionAgainstSwift() {
    // Every f16 pattern forth and back, and rounding against the definition.
    let patterns = (0...UInt16.max).map { $0 }
    var floats = [Float](repeating: 0, count: patterns.count)
    patterns.withUnsafeBytes { input in
      floats.withUnsafeMutableBufferPointer {
        guard let start = input.baseAddress, let output = $0.baseAddress else { return }
        HalfPrecision.float16ToFloat32(start, output, patterns.count)
      }
    }
    var back = [UInt16](repeating: 0, count: patterns.count)
    HalfPrecision.float32ToFloat16(floats, &back, patterns.count)
    for pattern in patterns {
      let expected = Float(Float16(bitPattern: pattern))
      let value = floats[Int(pattern)]
      if expected.isNaN {
        #expect(value.isNaN)
        #expect(Float16(bitPattern: back[Int(pattern)]).isNaN)
      } else {
        #expect(value.bitPattern == expected.bitPattern)
        #expect(back[Int(pattern)] == pattern)
      }
    }
    var state: UInt64 = 3
    var samples: [Float] = [
      65519.99, 65520, 5.9604645e-8, 2.9802322e-8, Float(2.98023224e-8).nextUp, 6.1035e-5, .infinity,
    ]
    for _ in 0..<20_000 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let value = Float(bitPattern: UInt32(truncatingIfNeeded: state >> 32))
      if value.isFinite { samples += [value, value.truncatingRemainder(dividingBy: 70_000)] }
    }
    var halves = [UInt16](repeating: 0, count: samples.count)
    HalfPrecision.float32ToFloat16(samples, &halves, samples.count)
    for (sample, half) in zip(samples, halves) { #expect(half == Float16(sample).bitPattern, "\(sample)") }
    HalfPrecision.float32ToBFloat16(samples, &halves, samples.count)
    for (sample, half) in zip(samples, halves) where sample.isFinite {
      let value = Float(bitPattern: UInt32(half) << 16)
      let (below, above) = (sample.bitPattern & 0xFFFF_0000, (sample.bitPattern & 0xFFFF_0000) &+ 0x1_0000)
      #expect(value.bitPattern == below || value.bitPattern == above)
      let error = abs(Double(value) - Double(sample))
      let other = value.bitPattern == below ? above : below
      if value.isFinite, Float(bitPattern: other).isFinite {
        #expect(error <= abs(Double(Float(bitPattern: other)) - Double(sample)))
      }
    }
  }

  @Test func brokenFilesAreRefused() throws {
    let folder = try TemporaryFolder()
    func entry(_ begin: Int, _ end: Int, _ shape: String = "[2]", _ type: String = "F32") -> String {
      "{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":[\(begin),\(end)]}"
    }
    let cases: [(String, String, Int, UInt64?)] = [
      ("not start with", "[1]", 0, nil),
      ("ends before", "{}", 0, 1 << 20),
      ("limit", "{}", 0, 1 << 60),
      ("overlaps", "{\"a\":\(entry(0, 8)),\"b\":\(entry(4, 12))}", 12, nil),
      ("gap", "{\"a\":\(entry(0, 8)),\"b\":\(entry(12, 20))}", 20, nil),
      ("truncated", "{\"a\":\(entry(0, 8))}", 4, nil),
      ("belong to none", "{\"a\":\(entry(0, 8))}", 9, nil),
      ("unknown dtype", "{\"a\":\(entry(0, 8, "[2]", "F33"))}", 8, nil),
      ("needs 12 bytes", "{\"a\":\(entry(0, 8, "[3]"))}", 8, nil),
      ("overflows", "{\"a\":\(entry(0, 8, "[4611686018427387904,4]"))}", 8, nil),
      ("non-negative", "{\"a\":\(entry(0, 8, "[-2]"))}", 8, nil),
      ("[begin, end]", "{\"a\":\(entry(8, 0))}", 8, nil),
      ("duplicate key", "{\"a\":\(entry(0, 8)),\"a\":\(entry(0, 8))}", 8, nil),
      ("unknown key", "{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0],\"x\":1}}", 0, nil),
      ("must be a string", "{\"__metadata__\":{\"a\":1}}", 0, nil),
      ("nested deeper", "{\"a\":" + String(repeating: "[", count: 5000), 0, nil),
      ("unpaired surrogate", "{\"\\ud800\":1}", 0, nil),
    ]
    for (word, header, count, declared) in cases {
      let url = try Self.file(header, data: [UInt8](repeating: 0, count: count), declared: declared, in: folder)
      let error = #expect(throws: ModelFileError.self, "\(word)") { try SafetensorsFile(url) }
      #expect(error?.message.contains(word) == true, "\(word): \(error?.message ?? "")")
      #expect(error?.file == url.path)
    }
    let short = folder.url.appendingPathComponent("short")
    try Data([1, 2, 3]).write(to: short)
    #expect(throws: ModelFileError.self) { try SafetensorsFile(short) }
    #expect(throws: ModelFileError.self) { try SafetensorsFile(folder.url) }
    #expect(throws: ModelFileError.self) { try SafetensorsFile(folder.url.appendingPathComponent("absent")) }
  }

  @Test func failedWriteLeavesNothingBehind() throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appendingPathComponent("a.safetensors")
    struct Stop: Error {}
    #expect(throws: Stop.self) {
      try SafetensorsWriter.write(
        [TensorSource(name: "a", type: .uint8, shape: [1 << 20]) { _ in throw Stop() }], to: url)
    }
    #expect(throws: ModelFileError.self) {
      try SafetensorsWriter.write([TensorSource(name: "a", type: .uint8, shape: [4]) { _ in }], to: url)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
  }
}
