import BayesianOptimization
import StrictJSON
import Study

extension Message {
  /// The lowest version of the protocol that has all fields of this message.
  var version: Int64 {
    if case .heartbeat(let heartbeat) = self, heartbeat.device != nil { return 2 }
    return ProtocolVersion.oldest
  }

  /// The body of the JSON frame.
  var fields: JSONObject {
    switch self {
    case .ready: [:]
    case .hello(let hello): hello.fields
    case .accepted(let reference), .start(let reference): ["attempt": reference.attempt.wire]
    case .report(let report):
      [
        "attempt": report.token.wire, "trial": .integer(report.trial), "step": .integer(report.step),
        "values": .numbers(report.values),
      ]
    case .heartbeat(let heartbeat): heartbeat.fields
    case .result(let report): report.result.fields.adding("attempt", report.attempt.wire)
    case .failure(let report):
      ["attempt": report.attempt.wire, "started": .bool(report.started), "record": .object(report.record.fields)]
    case .released(let report):
      [
        "attempt": report.attempt.wire, "reason": .string(report.reason.rawValue),
        "checkpointStep": .optional(report.checkpointStep),
      ]
    case .goodbye(let notice): ["reason": .string(notice.reason)]
    case .artifactChunk(let chunk):
      [
        "sha256": .string(chunk.sha256), "totalBytes": .integer(chunk.totalBytes),
        "offset": .integer(chunk.offset), "chunkSHA256": .string(chunk.chunkSHA256),
        "chunkBytes": .integer(chunk.bytes.count),
      ]
    case .welcome(let welcome): welcome.fields
    case .refused(let refusal): ["code": .string(refusal.code.rawValue), "message": .string(refusal.message)]
    case .assign(let assignment): assignment.fields
    case .cancel(let cancellation):
      ["attempt": cancellation.attempt.wire, "reason": .string(cancellation.reason.rawValue)]
    case .drain(let drain): ["immediately": .bool(drain.immediately), "reason": .string(drain.reason)]
    case .ack(let ack): ["of": .integer(Int(ack.of)), "verdict": .string(ack.verdict.rawValue)]
    }
  }
}

extension JSONValue {
  /// Numbers by name; what is not finite becomes null.
  static func numbers(_ values: [String: Double]) -> JSONValue {
    .object(JSONObject(values.mapValues(JSONValue.finite)))
  }
  static func optional(_ value: Int?) -> JSONValue { value.map { .integer($0) } ?? .null }
  static func optional(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
}

extension AttemptToken {
  var wire: JSONValue { .integer(rawValue) }
}

extension Hello {
  var fields: JSONObject {
    [
      "worker": .string(worker), "incarnation": .string(incarnation), "study": .string(study),
      "build": .string(build),
      "fingerprints": [
        "base": .string(fingerprints.base), "data": .string(fingerprints.data),
        "settings": .string(fingerprints.settings),
      ],
      "host": .string(host), "device": .string(device), "pid": .integer(pid),
      "capabilities": [
        "memoryBytes": .integer(Int(capabilities.memoryBytes)), "cores": .integer(capabilities.cores),
        "evaluator": .string(capabilities.evaluator),
      ],
      "studyIdentifier": .optional(studyIdentifier), "running": running?.wire ?? .null,
      "retained": .array(retained.map(\.wire)),
    ]
  }
}

extension Welcome {
  var fields: JSONObject {
    [
      "study": .string(study), "studyIdentifier": .string(studyIdentifier), "session": .string(session),
      "heartbeatMilliseconds": .integer(heartbeatMilliseconds),
      "leaseMilliseconds": .integer(leaseMilliseconds), "warnings": .array(warnings.map { .string($0) }),
    ]
  }
}

extension Assignment {
  var fields: JSONObject {
    [
      "attempt": attempt.wire, "trial": .integer(trial), "configuration": configuration.wire,
      "seed": .integer(Int(clamping: seed)), "leaseMilliseconds": .integer(leaseMilliseconds),
    ]
  }
}

extension Heartbeat {
  var fields: JSONObject {
    var fields: JSONObject = [
      "phase": .string(phase.rawValue), "attempt": attempt?.wire ?? .null,
      "progress": progress.map { .object($0.fields) } ?? .null,
    ]
    // A field of the second version of the protocol.
    fields["device"] = device.map { .object($0.fields) }
    return fields
  }
}

extension DeviceStatus {
  var fields: JSONObject {
    [
      "name": .string(name.clipped(toBytes: 120)), "memoryBytes": .integer(Int(memoryBytes)),
      "memoryUsedBytes": memoryUsedBytes.map { .integer(Int($0)) } ?? .null,
      "utilizationPercent": .optional(utilizationPercent),
    ]
  }
}

extension AttemptProgress {
  var fields: JSONObject {
    ["step": .integer(step), "total": .integer(total), "phase": .string(phase)]
  }
}

extension TrialResult {
  var fields: JSONObject {
    [
      "objectives": .numbers(objectives), "standardErrors": standardErrors.map(JSONValue.numbers) ?? .null,
      "metrics": metrics.map(JSONValue.numbers) ?? .null,
      "artifacts": artifacts.map { list in
        .array(
          list.map {
            ["name": .string($0.name), "sha256": .string($0.sha256), "bytes": .integer(Int($0.bytes))]
          })
      } ?? .null,
    ]
  }
}

extension FailureRecord {
  var fields: JSONObject {
    [
      "class": .string(failureClass.name), "message": .string(message), "host": .optional(host),
      "device": .optional(device), "deviceBytes": deviceBytes.map { .integer(Int($0)) } ?? .null,
      "exitStatus": .optional(exitStatus), "signal": .optional(signal),
      "logLines": .array(logLines.map { .string($0) }), "nextStep": .optional(nextStep),
    ]
  }
}

extension Configuration {
  /// The JSON form of the configuration.
  var wire: JSONValue {
    switch content {
    case .memory(let layers, let count, let rank):
      [
        "layers": .array(layers.map { .integer($0) }), "count": .integer(count),
        "rank": .integer(rank),
      ]
    case .factors(let values): ["factors": .object(JSONObject(values.mapValues(\.wire)))]
    }
  }
}

extension FactorValue {
  var wire: JSONValue {
    switch self {
    case .flag(let flag): .bool(flag)
    case .integer(let integer): .integer(integer)
    case .number(let number): .finite(number)
    case .text(let text): .string(text)
    }
  }
}
