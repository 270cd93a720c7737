import BayesianOptimization
import Foundation
import Foundations
import StrictJSON
import Study
import WireProtocol

/// What a worker says to its trainer: one JSON object per line on the trainer's standard input.
///
///     {"type":"evaluate","attempt":7,"trial":3,"configuration":{…},"seed":1,"scratch":"/…"}
///     {"type":"cancel"}
///     {"type":"exit"}
package enum TrainerCommand: Sendable, Equatable {
  /// Evaluate a trial; only when the trainer is ready and idle.
  case evaluate(EvaluationRequest)
  /// End the present trial at its next step.
  case cancel
  /// Leave.
  case exit
}

/// What a trainer says to its worker: one JSON object per line on the trainer's standard output.
///
/// Everything that libraries print goes to standard error, so that nothing else ever stands here.
package enum TrainerMessage: Sendable, Equatable {
  /// Base and data are loaded; resident memory in bytes is the baseline.
  case ready(memoryBytes: Int)
  /// The evaluator cannot work: the worker stops with this text.
  case unavailable(message: String, nextStep: String?)
  /// The trial has begun.
  case started
  case progress(AttemptProgress)
  case report(step: Int, values: [String: Double])
  /// The trial is finished; its files are hashed.
  case result(EvaluationResult, files: [LocalArtifact], memoryBytes: Int)
  /// The trial failed; the process goes on. `lastWords`: the last lines of the log, which travel by another pipe and may
  /// come later than this.
  case failure(FailureClass, message: String, nextStep: String?, memoryBytes: Int, lastWords: [String] = [])
  /// The trial was cancelled, or has given itself back: `message` says why.
  case cancelled(checkpointStep: Int?, memoryBytes: Int, message: String? = nil)
}

/// Lines of the trainer protocol.
enum TrainerCodec {
  /// Longest line, in bytes; a line beyond it is a defect of the trainer.
  static let lineLimit = 1 << 20

  static let limits: WireLimits = {
    var limits = WireLimits()
    limits.frameBytes = lineLimit
    return limits
  }()

  /// Notes of a result that are passed on, and the length of one in characters.
  private static let noteCount = 8
  private static let noteLength = 600

  static func line(_ value: JSONValue) -> [UInt8] { value.serialized() + [UInt8(ascii: "\n")] }

  /// - Throws: what `JSONValue` throws for a configuration that has no JSON form.
  static func line(_ command: TrainerCommand) throws -> [UInt8] {
    switch command {
    case .cancel: line(["type": "cancel"])
    case .exit: line(["type": "exit"])
    case .evaluate(let request):
      line([
        "type": "evaluate", "attempt": .integer(request.attempt.rawValue),
        "trial": .integer(request.trial), "configuration": try JSONValue(encoding: request.configuration),
        "seed": .string(String(request.seed)), "scratch": .string(request.scratch.path),
      ])
    }
  }

  static func command(_ bytes: [UInt8]) throws -> TrainerCommand {
    var fields = try TrainerFields(bytes)
    switch try fields.text("type") {
    case "cancel": return .cancel
    case "exit": return .exit
    case "evaluate":
      let configuration = try fields.value("configuration")
      guard let seed = UInt64(try fields.text("seed")) else { throw TrainerProtocolError("seed is no number") }
      return .evaluate(
        EvaluationRequest(
          configuration: try configuration.decode(Configuration.self), seed: seed,
          trial: try fields.integer("trial"), attempt: AttemptToken(try fields.integer("attempt")),
          scratch: URL(fileURLWithPath: try fields.text("scratch"))))
    case let type: throw TrainerProtocolError("unknown command \(type)")
    }
  }

  static func line(_ message: TrainerMessage) -> [UInt8] {
    switch message {
    case .ready(let memory): line(["type": "ready", "memoryBytes": .integer(memory)])
    case .unavailable(let text, let next):
      line(["type": "unavailable", "message": Self.text(text), "nextStep": opt(next)])
    case .started: line(["type": "started"])
    case .progress(let progress):
      line([
        "type": "progress", "step": .integer(progress.step), "total": .integer(progress.total),
        "phase": .string(progress.phase),
      ])
    case .report(let step, let values):
      line(["type": "report", "step": .integer(step), "values": numbers(values)])
    case .result(let result, let files, let memory):
      line([
        "type": "result", "objectives": numbers(result.measured.objectives),
        "standardErrors": numbers(result.measured.standardErrors ?? [:]),
        "metrics": numbers(result.measured.metrics ?? [:]),
        "artifacts": .array(files.map(\.json)), "memoryBytes": .integer(memory),
        "notes": .array(result.notes.prefix(noteCount).map { .string($0.printable(limit: noteLength)) }),
      ])
    case .failure(let failureClass, let text, let next, let memory, let lastWords):
      line([
        "type": "failure", "class": .string(failureClass.name), "message": Self.text(text), "nextStep": opt(next),
        "memoryBytes": .integer(memory), "lastWords": .array(lastWords.map { Self.text($0) }),
      ])
    case .cancelled(let step, let memory, let message):
      line([
        "type": "cancelled", "checkpointStep": step.map { .integer($0) } ?? .null,
        "memoryBytes": .integer(memory), "message": opt(message),
      ])
    }
  }

  static func message(_ bytes: [UInt8]) throws -> TrainerMessage {
    var fields = try TrainerFields(bytes)
    switch try fields.text("type") {
    case "ready": return .ready(memoryBytes: try fields.integer("memoryBytes"))
    case "unavailable":
      return .unavailable(message: try fields.text("message"), nextStep: try fields.optionalText("nextStep"))
    case "started": return .started
    case "progress":
      return .progress(
        AttemptProgress(
          step: try fields.integer("step"), total: try fields.integer("total"), phase: try fields.text("phase")))
    case "report": return .report(step: try fields.integer("step"), values: try fields.numbers("values"))
    case "result":
      let result = EvaluationResult(
        TrialResult(
          objectives: try fields.numbers("objectives"), standardErrors: try fields.numbers("standardErrors"),
          metrics: try fields.numbers("metrics")),
        notes: try fields.optionalArray("notes", max: .max) { note, place throws(TrainerProtocolError) in
          try TrainerFields.string(note, max: .max, allowEmpty: true, at: place)
        } ?? [])
      return .result(
        result, files: try fields.files("artifacts"), memoryBytes: try fields.integer("memoryBytes"))
    case "failure":
      let name = try fields.text("class")
      guard let failureClass = FailureClass(name) else { throw TrainerProtocolError("unknown failure class \(name)") }
      return .failure(
        failureClass, message: try fields.text("message"), nextStep: try fields.optionalText("nextStep"),
        memoryBytes: try fields.integer("memoryBytes"),
        lastWords: try fields.strings("lastWords", max: .max, bytes: .max))
    case "cancelled":
      return .cancelled(
        checkpointStep: try fields.optionalInteger("checkpointStep", in: 0...Int64.max).map { Int($0) },
        memoryBytes: try fields.integer("memoryBytes"), message: try fields.optionalText("message"))
    case let type: throw TrainerProtocolError("unknown message \(type)")
    }
  }

  /// Longest message in characters: within the limit of a string of the line, whatever the characters.
  private static let textLength = 2000

  private static func text(_ text: String) -> JSONValue { .string(text.printable(limit: textLength)) }
  private static func opt(_ text: String?) -> JSONValue { text.map { Self.text($0) } ?? .null }
  private static func numbers(_ values: [String: Double]) -> JSONValue {
    .object(JSONObject(values.mapValues(JSONValue.finite)))
  }
}

/// A line that breaks the trainer protocol.
struct TrainerProtocolError: Error, FieldFailure, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
  init(field problem: FieldProblem, _ message: String, at location: String) {
    description = location.isEmpty ? message : "field \(location): \(message)"
  }
}

/// The fields of one line, or of an object of the worker's own files.
typealias TrainerFields = FieldReader<TrainerProtocolError>

extension TrainerFields {
  init(_ bytes: [UInt8]) throws { try self.init(JSONValue(parsing: bytes, limits: TrainerCodec.limits), at: "") }

  mutating func text(_ name: String) throws(TrainerProtocolError) -> String {
    try string(name, max: .max, allowEmpty: true)
  }

  mutating func optionalText(_ name: String) throws(TrainerProtocolError) -> String? {
    try optionalString(name, max: .max)
  }

  mutating func integer(_ name: String) throws(TrainerProtocolError) -> Int {
    Int(try integer(name, in: .min ... .max))
  }

  /// Numbers by name; null is read as not-a-number.
  mutating func numbers(_ name: String) throws(TrainerProtocolError) -> [String: Double] {
    try numbers(name, max: .max)
  }

  mutating func files(_ name: String) throws(TrainerProtocolError) -> [LocalArtifact] {
    try array(name, max: .max) { value, place throws(TrainerProtocolError) in try LocalArtifact(json: value, at: place)
    }
  }
}
