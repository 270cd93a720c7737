import Coordinator
import Foundation
import Report
import Study
import WireProtocol

/// A worker of a study: what became of it.
package struct WorkerRow: CompleteRow {
  package var name: String
  package var host: String?
  package var device: String?
  package var running: Int?
  package var succeeded = 0
  package var failed = 0
  package var hardwareFailures = 0
  /// Given back, expired, interrupted, cancelled.
  package var other = 0
  package var isOutOfService = false
  /// Failures since its last success.
  package var failuresInARow = 0
  /// What its last failure said, unless it has succeeded since.
  package var lastWords: String?
  /// Seconds since 1970 of its last lease or outcome.
  package var lastTime = 0.0
  /// Whether it is connected to the coordinator that runs now.
  package var isConnected = false
  /// How its device stands, where it said so in its last heartbeat.
  package var status: DeviceStatus?

  /// A row for every worker as a table for people and programs.
  ///
  /// - Parameter cutsWords: whether long last words are cut, for people.
  package static func table(_ rows: [WorkerRow], cutsWords: Bool) -> TextTable {
    var table = TextTable([
      ("worker", .left), ("host", .left), ("device", .left), ("runs", .left), ("succeeded", .right),
      ("failed", .right), ("hardware", .right), ("other", .right), ("state", .left), ("last trial", .left),
      ("GPU", .left), ("last words", .left),
    ])
    for row in rows {
      table.add([
        row.name, row.host ?? "", row.device ?? "", row.running.map { "trial \($0)" } ?? "", "\(row.succeeded)",
        "\(row.failed)", "\(row.hardwareFailures)", "\(row.other)",
        row.isOutOfService ? "out of service" : row.isConnected ? "connected" : "",
        row.lastTime > 0 ? Date(timeIntervalSince1970: row.lastTime).formatted(.iso8601) : "",
        row.status.map(Self.text) ?? "",
        cutsWords ? String((row.lastWords ?? "").prefix(80)) : row.lastWords ?? "",
      ])
    }
    return table
  }

  /// Such as "NVIDIA H200, 61 %, 84 of 140 GiB"; what the device does not say is left out.
  package static func text(_ status: DeviceStatus) -> String {
    func gibibytes(_ bytes: Int64) -> String { "\((max(0, bytes) + (1 << 29)) >> 30)" }
    let memory = gibibytes(status.memoryBytes) + " GiB"
    return [
      status.name, status.utilizationPercent.map { "\($0) %" },
      status.memoryUsedBytes.map { "\(gibibytes($0)) of \(memory)" } ?? memory,
    ].compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: ", ")
  }

  /// One row per worker, by name.
  package static func rows(_ record: StudyRecord, _ roster: WorkerRoster? = nil) -> [WorkerRow] {
    var rows: [String: WorkerRow] = [:]
    for attempt in record.trials.flatMap(\.attempts).sorted(by: { $0.token < $1.token }) {
      var row = rows[attempt.worker.name] ?? WorkerRow(name: attempt.worker.name)
      row.host = attempt.worker.host ?? row.host
      row.device = attempt.worker.device ?? row.device
      row.lastTime = max(row.lastTime, attempt.endedTime ?? attempt.startedTime ?? attempt.leasedTime)
      switch attempt.state {
      case .succeeded:
        row.succeeded += 1
        row.failuresInARow = 0
        row.lastWords = nil
      case .failed:
        row.failed += 1
        row.failuresInARow += 1
        row.lastWords = attempt.failure.map { "\($0.failureClass): \($0.message)" }
        if attempt.failure?.failureClass == .hardware { row.hardwareFailures += 1 }
      case .leased, .started: row.running = attempt.trial
      default: row.other += 1
      }
      rows[attempt.worker.name] = row
    }
    for worker in roster?.workers ?? [] {
      var row = rows[worker.name] ?? WorkerRow(name: worker.name)
      row.host = worker.host ?? row.host
      row.device = worker.device ?? row.device
      row.isConnected = true
      row.status = worker.status
      rows[worker.name] = row
    }
    for name in record.header.quarantined { rows[name, default: WorkerRow(name: name)].isOutOfService = true }
    return rows.values.sorted { $0.name < $1.name }
  }
}
