import BayesianOptimization
import Foundation
import GRDB
import Study

/// JSON text of the values that have no columns of their own; keys sorted, so that equal values have equal texts.
struct RowEncoder {
  private let encoder: JSONEncoder

  init() {
    encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  }

  func text(_ value: some Encodable) throws -> String { String(decoding: try encoder.encode(value), as: UTF8.self) }

  func text(ifPresent value: (some Encodable)?) throws -> String? { try value.map { try text($0) } }
}

/// Reads rows; texts that recur (workers) are decoded once.
struct RowDecoder {
  private let decoder = JSONDecoder()
  private var workers: [String: WorkerIdentity] = [:]
  let path: String

  init(path: String) { self.path = path }

  func value<T: Decodable>(_ type: T.Type, _ text: String, _ place: @autoclosure () -> String) throws -> T {
    do {
      return try decoder.decode(type, from: Data(text.utf8))
    } catch {
      throw StudyError(
        .corrupt,
        "\(place()) of \(path) cannot be read: \(Self.describe(error)). Was it edited by hand, or is the disk failing? To "
          + "go on, \(StudyFolder(database: path).remedy)")
    }
  }

  /// A decoding error in short, without the text itself.
  private static func describe(_ error: any Error) -> String {
    guard let error = error as? DecodingError else { return "\(error)" }
    func place(_ context: DecodingError.Context) -> String {
      let keys = context.codingPath.map(\.stringValue).joined(separator: ".")
      return keys.isEmpty ? context.debugDescription : "\(keys): \(context.debugDescription)"
    }
    switch error {
    case .dataCorrupted(let context), .typeMismatch(_, let context), .valueNotFound(_, let context):
      return place(context)
    case .keyNotFound(let key, _): return "'\(key.stringValue)' is missing"
    @unknown default: return "\(error)"
    }
  }

  func state<T: RawRepresentable>(_ type: T.Type, _ text: String, _ place: @autoclosure () -> String) throws -> T
  where T.RawValue == String {
    guard let value = T(rawValue: text) else {
      throw StudyError(
        .corrupt, "\(place()) of \(path) holds the unknown state \"\(text)\"; \(StudyFolder(database: path).remedy)")
    }
    return value
  }

  mutating func attempt(_ row: Row) throws -> Attempt {
    let token: Int = row[0]
    let workerText: String = row[3]
    let worker: WorkerIdentity
    if let known = workers[workerText] {
      worker = known
    } else {
      worker = try value(WorkerIdentity.self, workerText, "the worker of attempt \(token)")
      workers[workerText] = worker
    }
    var attempt = Attempt(
      token: AttemptToken(token), trial: row[1], ordinal: row[2], worker: worker,
      state: try state(AttemptState.self, row[4], "attempt \(token)"), leaseSeconds: row[5], leasedTime: row[6])
    attempt.startedTime = row[7]
    attempt.endedTime = row[8]
    attempt.isCounted = row[9]
    if let text: String = row[10] {
      attempt.result = try QuickJSON.result(text) ?? value(TrialResult.self, text, "attempt \(token)")
    }
    if let text: String = row[11] { attempt.failure = try value(FailureRecord.self, text, "attempt \(token)") }
    attempt.hasConflict = row[12]
    return attempt
  }

  /// A trial without its attempts; the result of an attempt is not repeated in its row.
  func trial(_ row: Row) throws -> Trial {
    let number: Int = row[0]
    let seed: Int64 = row[5]
    let configurationText: String = row[4]
    let provenanceText: String = row[6]
    var trial = Trial(
      number: number, kind: try state(TrialKind.self, row[2], "trial \(number)"),
      configuration: try QuickJSON.configuration(configurationText)
        ?? value(BayesianOptimization.Configuration.self, configurationText, "trial \(number)"),
      configurationKey: row[1], seed: UInt64(bitPattern: seed),
      provenance: try QuickJSON.provenance(provenanceText)
        ?? value(Provenance.self, provenanceText, "trial \(number)"))
    trial.state = try state(TrialState.self, row[3], "trial \(number)")
    if let text: String = row[7] { trial.result = try value(TrialResult.self, text, "trial \(number)") }
    if let text: String = row[8] { trial.failure = try value(FailureRecord.self, text, "trial \(number)") }
    trial.endedEvent = row[9]
    trial.needsMoreThanBytes = row[10]
    trial.forgivenAttempts = row[11]
    trial.hypervolume = row[12]
    return trial
  }
}
