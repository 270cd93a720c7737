import RandomStreams
import TestSupport
import Testing

@testable import WireProtocol

/// Mutated frames: the decoder answers with a message or a ``WireError``, and never with anything else.
@Suite("Mutated frames", .bounded) struct MutatedFrameTests {
  @Test("R10: mutated frames are read or refused") func mutatedFramesAreReadOrRefused() async {
    let outcome = await FaultRun.perform("R10", seed: 20_261_122) { run in
      let count = FaultForm.count(short: 20_000, full: 1_000_000)
      try Self.decode(count, run)
      run.outcome.count = count
      run.outcome.what = "\(count) structured and byte mutations into the decoder, both directions"
    }
    #expect(outcome.problems == [])
  }

  private static func decode(_ count: Int, _ run: FaultRun) throws {
    let codec = MessageCodec()
    let originals = Samples.all.map { codec.encode(Envelope(id: 7, message: $0)).json }
    let tokens = [
      "null", "-1", "1e999", "9007199254740993", "[]", "{}", "\"\"", "\\u0000", "\\ud800", "[[[[[[[[[[[[[[", "\u{FF}",
    ].map { Array($0.utf8) }
    var stream = RandomStream(seed: run.seed, purpose: "wire/fuzz")
    var accepted = 0
    var refused: [WireError.Code: Int] = [:]
    for _ in 0..<count {
      var bytes = originals[stream.integer(below: originals.count)]
      for _ in 0...stream.integer(below: 3) { mutate(&bytes, &stream, tokens, originals) }
      for side in [Side.worker, .coordinator] {
        let frames = WireFrames(json: bytes, attachment: stream.integer(below: 8) == 0 ? [1, 2, 3] : nil)
        do {
          let envelope = try codec.decode(frames, from: side)
          accepted += 1
          // What is accepted can be sent on and means the same.
          let again = try codec.decode(codec.encode(envelope), from: side)
          run.check(again.message.type == envelope.message.type, "\(envelope) changed on the way")
        } catch {
          refused[error.code, default: 0] += 1
        }
      }
    }
    // The mutations reach every kind of refusal that a byte change can cause, and some leave the frame valid.
    run.check(accepted > 0, "no mutation left a frame valid")
    run.fire("mutated frame", count)
    run.fire("refusal", refused.values.reduce(0, +))
    let reached: [WireError.Code] = [
      .notJSON, .tooDeep, .unknownType, .unknownField, .missingField, .wrongType, .outOfRange, .unsupportedVersion,
      .wrongDirection, .badAttachment,
    ]
    for code in reached { run.check(refused[code, default: 0] > 0, "\(code) was never reached") }
  }

  private static func mutate(
    _ bytes: inout [UInt8], _ stream: inout RandomStream, _ tokens: [[UInt8]], _ originals: [[UInt8]]
  ) {
    guard !bytes.isEmpty else { return }
    let at = stream.integer(below: bytes.count)
    switch stream.integer(below: 8) {
    case 0: bytes[at] = UInt8(truncatingIfNeeded: stream.next())
    case 1: bytes[at] ^= 1 << UInt8(stream.integer(below: 8))
    case 2: bytes.removeSubrange(at..<min(bytes.count, at + 1 + stream.integer(below: 8)))
    case 3: bytes.insert(contentsOf: tokens[stream.integer(below: tokens.count)], at: at)
    case 4: bytes.removeSubrange(at...)
    case 5: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 20)], at: at)
    case 6: replaceValue(&bytes, &stream, tokens)
    default:
      let other = originals[stream.integer(below: originals.count)]
      let from = stream.integer(below: other.count)
      bytes.replaceSubrange(at..<min(bytes.count, at + 16), with: other[from..<min(other.count, from + 16)])
    }
  }

  /// Puts another value behind a colon: keeps the JSON valid, so that the field checks are reached.
  private static func replaceValue(_ bytes: inout [UInt8], _ stream: inout RandomStream, _ tokens: [[UInt8]]) {
    let colons = bytes.indices.filter { bytes[$0] == UInt8(ascii: ":") }
    guard !colons.isEmpty else { return }
    let start = colons[stream.integer(below: colons.count)] + 1
    var end = start
    while end < bytes.count, bytes[end] != UInt8(ascii: ","), bytes[end] != UInt8(ascii: "}") { end += 1 }
    let values = tokens + ["true", "0", "2", "\"ready\"", "\"assign\"", "0.5"].map { Array($0.utf8) }
    bytes.replaceSubrange(start..<end, with: values[stream.integer(below: values.count)])
  }
}
