import Foundation
import StrictJSON
import Study
import TestSupport
import Testing

@testable import WireProtocol

@Suite(.ownThread, .bounded) struct MessageCodecTests {
  let codec = MessageCodec()

  private func code(_ text: String, from side: Side = .worker, attachment: [UInt8]? = nil) -> WireError.Code? {
    do {
      _ = try codec.decode(WireFrames(json: Array(text.utf8), attachment: attachment), from: side)
      return nil
    } catch {
      return error.code
    }
  }

  @Test func everyMessageComesBackAsItWasSent() throws {
    for (index, message) in Samples.all.enumerated() {
      let envelope = Envelope(id: Int64(index + 1), message: message)
      let frames = codec.encode(envelope)
      #expect(try codec.decode(frames, from: message.type.sender) == envelope)
    }
    #expect(Set(Samples.all.map(\.type)) == Set(MessageType.allCases))
  }

  @Test func aMessageOfTheOtherSideIsRefused() {
    for message in Samples.all {
      let other: Side = message.type.sender == .worker ? .coordinator : .worker
      #expect(throws: WireError.self) { try codec.decode(codec.encode(Envelope(id: 1, message: message)), from: other) }
    }
  }

  @Test func refusals() {
    #expect(code(#"{"v":1,"type":"ready","id":1,"body":{}}"#) == nil)
    #expect(code(#"{"v":2,"type":"ready","id":1,"body":{}}"#) == nil)
    #expect(code(#"{"v":3,"type":"ready","id":1,"body":{}}"#) == .unsupportedVersion)
    #expect(code(#"{"v":0,"type":"ready","id":1,"body":{}}"#) == .unsupportedVersion)
    #expect(code(#"{"v":1,"type":"shutdown","id":1,"body":{}}"#) == .unknownType)
    #expect(code(#"{"v":1,"type":"ready","id":1,"body":{},"x":0}"#) == .unknownField)
    #expect(code(#"{"v":1,"type":"ready","id":1,"body":{"x":0}}"#) == .unknownField)
    #expect(code(#"{"v":1,"type":"ready","id":0,"body":{}}"#) == .outOfRange)
    #expect(code(#"{"v":1,"type":"ready","body":{}}"#) == .missingField)
    #expect(code(#"{"v":1,"type":"accepted","id":1,"body":{"attempt":"9"}}"#) == .wrongType)
    #expect(code(#"{"v":1,"type":"accepted","id":1,"body":{"attempt":1e400}}"#) == .outOfRange)
    #expect(code(#"{"v":1,"type":"ready","id":1,"body":{}} "#) == nil)
    #expect(code(#"{"v":1,"type":"ready","id":1,"body":{}}}"#) == .notJSON)
    #expect(code(#"{"v":1,"v":1,"type":"ready","id":1,"body":{}}"#) == .notJSON)
    #expect(code(#"{"v":1,"type":"ready","id":1,"body":{}}"#, attachment: [1]) == .badAttachment)
    #expect(code("") == .notJSON)
    #expect(code(String(repeating: "[", count: 1000)) == .tooDeep)
    #expect(code("\"" + String(repeating: "a", count: 10_000) + "\"") == .tooMany)
    #expect(code("[" + String(repeating: "0,", count: 2000) + "0]") == .tooMany)
    #expect(code(String(repeating: " ", count: 300_000)) == .tooLarge)
  }

  @Test func artifactNamesAreNeverPaths() throws {
    for name in ["../x", "a/b", ".hidden", "", "a\u{0}b", "ü"] {
      var result = Samples.result
      result.artifacts?[0].name = name
      let frames = codec.encode(
        Envelope(id: 1, message: .result(ResultReport(attempt: AttemptToken(1), result: result))))
      #expect(throws: WireError.self) { try codec.decode(frames, from: .worker) }
    }
  }

  @Test func notANumberTravelsAsNull() throws {
    let report = ResultReport(
      attempt: AttemptToken(1), result: TrialResult(objectives: ["loss": .nan, "b": .infinity, "c": 1]))
    let frames = codec.encode(Envelope(id: 1, message: .result(report)))
    #expect(!String(decoding: frames.json, as: UTF8.self).lowercased().contains("nan"))
    let message = try codec.decode(frames, from: .worker).message
    guard case .result(let back) = message else {
      Issue.record("not a result")
      return
    }
    #expect(back.result.nonFiniteNames == ["b", "loss"])
    #expect(back.result.objectives["c"] == 1)
  }

  @Test func aLongFailureIsCutToWhatTheWireCarries() throws {
    let long = String(repeating: "ä", count: 50_000)
    let record = FailureRecord(
      failureClass: .bug, message: long, host: long, logLines: Array(repeating: long, count: 300), nextStep: long)
    let report = FailureReport(attempt: AttemptToken(1), started: true, record: record.clippedForWire())
    let envelope = Envelope(id: 1, message: .failure(report))
    #expect(try codec.decode(codec.encode(envelope), from: .worker) == envelope)
  }

  @Test func doublesKeepEveryBit() throws {
    for value in [
      0.1, -0.0, 1e-308, Double.leastNonzeroMagnitude, .greatestFiniteMagnitude, 1 / 3.0, 123_456_789_012_345_680,
    ] {
      let bytes = JSONValue.number(value).serialized()
      guard case .number(let back) = try JSONValue(parsing: bytes) else {
        Issue.record("\(value) came back as another type")
        continue
      }
      #expect(back.bitPattern == value.bitPattern)
    }
  }

  /// A frame says the lowest version that has its fields, and a field belongs to its version.
  @Test func versions() throws {
    func text(_ heartbeat: Heartbeat) -> String {
      String(decoding: codec.encode(Envelope(id: 1, message: .heartbeat(heartbeat))).json, as: UTF8.self)
    }
    let device = DeviceStatus(name: "GPU", memoryBytes: 80)
    #expect(text(Heartbeat(phase: .idle)).contains(#""v":1"#))
    #expect(!text(Heartbeat(phase: .idle)).contains("device"))
    let newer = text(Heartbeat(phase: .idle, device: device))
    #expect(newer.contains(#""v":2"#))
    let older = newer.replacingOccurrences(of: #""v":2"#, with: #""v":1"#)
    let error = #expect(throws: WireError.self) {
      _ = try codec.decode(WireFrames(json: Array(older.utf8)), from: .worker)
    }
    #expect(error?.code == .unknownField)
    let read = try codec.decode(WireFrames(json: Array(newer.utf8)), from: .worker)
    #expect(read.message == .heartbeat(Heartbeat(phase: .idle, device: device)))
    // Frames of the first version, as they have always been.
    let first = #"{"v":1,"type":"heartbeat","id":12,"body":{"attempt":7,"phase":"running","progress":null}}"#
    #expect(
      try codec.decode(WireFrames(json: Array(first.utf8)), from: .worker).message
        == .heartbeat(Heartbeat(phase: .running, attempt: AttemptToken(7))))
    let wrong = newer.replacingOccurrences(of: #""utilizationPercent":null"#, with: #""utilizationPercent":101"#)
    #expect(wrong != newer)
    #expect(throws: WireError.self) { _ = try codec.decode(WireFrames(json: Array(wrong.utf8)), from: .worker) }
  }
}
