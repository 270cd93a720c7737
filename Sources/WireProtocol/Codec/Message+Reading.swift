import Foundations
import BayesianOptimization
import StrictJSON
import Study

extension Message {
  private static let integers = 0...MessageCodec.largestInteger

  /// Takes the fields that a message of `type` has in a version; the caller refuses what is left over.
  static func read(
    _ type: MessageType, _ reader: inout FieldReader, version: Int64, attachment: [UInt8]
  ) throws(WireError) -> Message {
    switch type {
    case .ready: return .ready
    case .hello: return .hello(try Hello(reading: &reader))
    case .accepted: return .accepted(AttemptReference(attempt: try reader.token("attempt")))
    case .start: return .start(AttemptReference(attempt: try reader.token("attempt")))
    case .report:
      return .report(
        IntermediateReport(
          token: try reader.token("attempt"), trial: try reader.count("trial"), step: try reader.count("step"),
          values: try reader.numbers("values", max: WireLimits.reportValues)))
    case .heartbeat: return .heartbeat(try Heartbeat(reading: &reader, version: version))
    case .result:
      return .result(ResultReport(attempt: try reader.token("attempt"), result: try TrialResult(reading: &reader)))
    case .failure: return .failure(try FailureReport(reading: &reader))
    case .released:
      return .released(
        ReleaseReport(
          attempt: try reader.token("attempt"), reason: try reader.choice("reason", ReleaseReport.Reason.self),
          checkpointStep: try reader.optionalInteger("checkpointStep", in: integers).map { Int($0) }))
    case .goodbye: return .goodbye(Notice(reason: try reader.string("reason", max: 1024, allowEmpty: true)))
    case .artifactChunk: return .artifactChunk(try ArtifactChunk(reading: &reader, bytes: attachment))
    case .welcome: return .welcome(try Welcome(reading: &reader))
    case .refused:
      return .refused(
        Refusal(
          try reader.choice("code", Refusal.Code.self), try reader.string("message", max: 4096, allowEmpty: true)))
    case .assign: return .assign(try Assignment(reading: &reader))
    case .cancel:
      return .cancel(
        Cancellation(
          attempt: try reader.token("attempt"), reason: try reader.choice("reason", Cancellation.Reason.self)))
    case .drain:
      return .drain(
        Drain(
          immediately: try reader.bool("immediately"),
          reason: try reader.string("reason", max: 1024, allowEmpty: true)))
    case .ack:
      return .ack(
        Acknowledgement(
          of: try reader.integer("of", in: integers),
          verdict: try reader.choice("verdict", Acknowledgement.Verdict.self)))
    }
  }
}

extension FieldReader {
  /// An attempt's fencing token.
  mutating func token(_ name: String) throws(WireError) -> AttemptToken {
    AttemptToken(Int(try integer(name, in: 1...MessageCodec.largestInteger)))
  }

  mutating func optionalToken(_ name: String) throws(WireError) -> AttemptToken? {
    try optionalInteger(name, in: 1...MessageCodec.largestInteger).map { AttemptToken(Int($0)) }
  }

  /// An integer that is not negative.
  mutating func count(_ name: String) throws(WireError) -> Int {
    Int(try integer(name, in: 0...MessageCodec.largestInteger))
  }

  /// A digest: 64 lower-case hexadecimal digits.
  mutating func digest(_ name: String) throws(WireError) -> String {
    let text = try string(name, max: 64)
    guard text.isSHA256 else {
      throw WireError(.outOfRange, "not 64 lower-case hexadecimal digits", at: location(name))
    }
    return text
  }
}

extension String {
  /// Whether the text can name a file inside a folder and nothing else.
  var isPlainName: Bool {
    !isEmpty && utf8.count <= 128 && !hasPrefix(".")
      && utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
          true
        default: false
        }
      }
  }
}

extension Hello {
  init(reading reader: inout FieldReader) throws(WireError) {
    let worker = try reader.string("worker", max: 256)
    let incarnation = try reader.string("incarnation", max: 64)
    let study = try reader.string("study", max: 256)
    let build = try reader.string("build", max: 256)
    var prints = try reader.object("fingerprints")
    let fingerprints = Fingerprints(
      base: try prints.string("base", max: 128, allowEmpty: true),
      data: try prints.string("data", max: 128, allowEmpty: true),
      settings: try prints.string("settings", max: 128, allowEmpty: true))
    try prints.finish()
    let host = try reader.string("host", max: 256)
    let device = try reader.string("device", max: 64)
    let pid = try reader.count("pid")
    var able = try reader.object("capabilities")
    let capabilities = Capabilities(
      memoryBytes: try able.integer("memoryBytes", in: 0...MessageCodec.largestInteger),
      cores: try able.count("cores"), evaluator: try able.string("evaluator", max: 64))
    try able.finish()
    self.init(
      worker: worker, incarnation: incarnation, study: study, build: build, fingerprints: fingerprints, host: host,
      device: device, pid: pid, capabilities: capabilities,
      studyIdentifier: try reader.optionalString("studyIdentifier", max: 64),
      running: try reader.optionalToken("running"),
      retained: try reader.array("retained", max: 256) { value, location throws(WireError) in
        guard case .integer(let token) = value, (1...MessageCodec.largestInteger).contains(Int64(token)) else {
          throw WireError(.wrongType, "expected an attempt's token", at: location)
        }
        return AttemptToken(token)
      })
  }
}

extension Welcome {
  init(reading reader: inout FieldReader) throws(WireError) {
    self.init(
      study: try reader.string("study", max: 256), studyIdentifier: try reader.string("studyIdentifier", max: 64),
      session: try reader.string("session", max: 64),
      heartbeatMilliseconds: Int(try reader.integer("heartbeatMilliseconds", in: 1...86_400_000)),
      leaseMilliseconds: Int(try reader.integer("leaseMilliseconds", in: 1...864_000_000)),
      warnings: try reader.strings("warnings", max: 16, bytes: 1024))
  }
}

extension Assignment {
  init(reading reader: inout FieldReader) throws(WireError) {
    self.init(
      attempt: try reader.token("attempt"), trial: try reader.count("trial"),
      configuration: try Configuration(wire: reader.value("configuration"), at: reader.location("configuration")),
      seed: UInt64(try reader.integer("seed", in: 0...MessageCodec.largestInteger)),
      leaseMilliseconds: Int(try reader.integer("leaseMilliseconds", in: 1...864_000_000)))
  }
}

extension Heartbeat {
  init(reading reader: inout FieldReader, version: Int64) throws(WireError) {
    phase = try reader.choice("phase", WorkerPhase.self)
    attempt = try reader.optionalToken("attempt")
    progress = nil
    if var inner = try reader.optionalObject("progress") {
      progress = AttemptProgress(
        step: try inner.count("step"), total: try inner.count("total"),
        phase: try inner.string("phase", max: 64, allowEmpty: true))
      try inner.finish()
    }
    device = nil
    if version >= 2, var inner = try reader.optionalObject("device") {
      device = DeviceStatus(
        name: try inner.string("name", max: 128, allowEmpty: true),
        memoryBytes: try inner.integer("memoryBytes", in: 0...MessageCodec.largestInteger),
        memoryUsedBytes: try inner.optionalInteger("memoryUsedBytes", in: 0...MessageCodec.largestInteger),
        utilizationPercent: try inner.optionalInteger("utilizationPercent", in: 0...100).map { Int($0) })
      try inner.finish()
    }
  }
}

extension ArtifactChunk {
  init(reading reader: inout FieldReader, bytes: [UInt8]) throws(WireError) {
    sha256 = try reader.digest("sha256")
    totalBytes = try reader.count("totalBytes")
    offset = try reader.count("offset")
    chunkSHA256 = try reader.digest("chunkSHA256")
    self.bytes = bytes
    let announced = try reader.count("chunkBytes")
    guard announced == bytes.count, offset + announced <= totalBytes else {
      throw WireError(
        .badAttachment, "\(announced) bytes announced, \(bytes.count) received, at offset \(offset) of \(totalBytes)")
    }
  }
}
