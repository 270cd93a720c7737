import BayesianOptimization
import StrictJSON
import Study

extension TrialResult {
  init(reading reader: inout FieldReader) throws(WireError) {
    let objectives = try reader.numbers("objectives", max: WireLimits.objectives)
    let standardErrors = try reader.optionalNumbers("standardErrors", max: WireLimits.objectives)
    let metrics = try reader.optionalNumbers("metrics", max: WireLimits.metrics)
    let artifacts = try reader.optionalArray("artifacts", max: WireLimits.artifacts) {
      value, location throws(WireError) in try ArtifactReference(wire: value, at: location)
    }
    self.init(
      objectives: objectives, standardErrors: standardErrors, metrics: metrics, artifacts: artifacts)
  }
}

extension ArtifactReference {
  init(wire value: JSONValue, at location: String) throws(WireError) {
    var reader = try FieldReader(value, at: location)
    let name = try reader.string("name", max: 128)
    guard name.isPlainName else {
      throw WireError(.outOfRange, "an artifact's name has letters, digits, '.', '_' and '-' only", at: location)
    }
    self.init(
      name: name, sha256: try reader.digest("sha256"),
      bytes: try reader.integer("bytes", in: 0...MessageCodec.largestInteger))
    try reader.finish()
  }
}

extension FailureReport {
  init(reading reader: inout FieldReader) throws(WireError) {
    attempt = try reader.token("attempt")
    started = try reader.bool("started")
    var inner = try reader.object("record")
    record = try FailureRecord(reading: &inner)
    try inner.finish()
  }
}

extension FailureRecord {
  init(reading reader: inout FieldReader) throws(WireError) {
    let name = try reader.string("class", max: 32)
    guard let failureClass = FailureClass(name) else {
      let known = FailureClass.all.map(\.name).joined(separator: ", ")
      throw WireError(.outOfRange, "unknown failure class; known: \(known)", at: reader.location("class"))
    }
    let small: ClosedRange<Int64> = -65_536...65_536
    self.init(
      failureClass: failureClass, message: try reader.string("message", max: 4096, allowEmpty: true),
      host: try reader.optionalString("host", max: 256), device: try reader.optionalString("device", max: 64),
      deviceBytes: try reader.optionalInteger("deviceBytes", in: 0...MessageCodec.largestInteger),
      exitStatus: try reader.optionalInteger("exitStatus", in: small).map { Int($0) },
      signal: try reader.optionalInteger("signal", in: 0...128).map { Int($0) },
      logLines: try reader.strings("logLines", max: 100, bytes: 2048),
      nextStep: try reader.optionalString("nextStep", max: 2048))
  }

  /// The record cut to what a study keeps of it: the last 40 lines of the log with 500 bytes each.
  ///
  /// An honest worker sends 20 lines.
  package func clippedForStudy() -> FailureRecord {
    var record = clippedForWire()
    record.logLines = record.logLines.suffix(40).map { $0.clipped(toBytes: 500) }
    return record
  }

  /// The record cut to what one message may carry.
  package func clippedForWire() -> FailureRecord {
    var record = self
    record.message = message.clipped(toBytes: 4000)
    record.logLines = logLines.suffix(100).map { $0.clipped(toBytes: 1000) }
    record.nextStep = nextStep?.clipped(toBytes: 2000)
    record.host = host?.clipped(toBytes: 256)
    record.device = device?.clipped(toBytes: 64)
    return record
  }
}

extension String {
  /// The longest prefix of whole characters that takes at most `bytes` bytes in UTF-8, with `…` where it was cut.
  func clipped(toBytes bytes: Int) -> String {
    guard utf8.count > bytes else { return self }
    var text = ""
    var size = 3
    for character in self {
      size += character.utf8.count
      if size > bytes { break }
      text.append(character)
    }
    return text + "…"
  }
}

extension Configuration {
  /// Reads a configuration, with the rules of its JSON form.
  init(wire value: JSONValue, at location: String) throws(WireError) {
    var reader = try FieldReader(value, at: location)
    if let factors = reader.take("factors") {
      try reader.finish()
      guard case .object(let fields) = factors else {
        throw WireError(.wrongType, "expected an object, found \(factors.kind)", at: "\(location).factors")
      }
      var values: [String: FactorValue] = [:]
      for (name, field) in fields { values[name] = try FactorValue(wire: field, at: "\(location).factors.\(name)") }
      self = .factors(values)
      return
    }
    let layers = try reader.array("layers", max: 1024) { value, place throws(WireError) in
      guard case .integer(let layer) = value, (0...65_535).contains(layer) else {
        throw WireError(.wrongType, "expected a layer's number", at: place)
      }
      return layer
    }
    guard Set(layers).count == layers.count else {
      throw WireError(.outOfRange, "a layer stands twice", at: "\(location).layers")
    }
    let count = Int(try reader.integer("count", in: 0...1_000_000))
    let rank = Int(try reader.integer("rank", in: 0...1_000_000))
    try reader.finish()
    self = .memory(layers: layers, count: count, rank: rank)
  }
}

extension FactorValue {
  init(wire value: JSONValue, at location: String) throws(WireError) {
    switch value {
    case .bool(let flag): self = .flag(flag)
    case .integer(let integer): self = .integer(integer)
    case .number(let number): self = .number(number)
    case .string(let text): self = .text(text)
    default: throw WireError(.wrongType, "expected a value of a factor, found \(value.kind)", at: location)
    }
  }
}
