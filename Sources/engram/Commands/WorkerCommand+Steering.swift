import ArgumentParser
import Console
import Coordinator
import Foundation
import Report
import Study
import StudyDatabase
import WireProtocol

extension WorkerCommand {
  struct ReinstateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "reinstate", abstract: "Let a worker take trials again that was taken out of service.",
      discussion: """
        A worker is taken out after several hardware failures in a row, or after more failures of any kind while others \
        succeed (study show and worker list name it, with its last words). Repair the \
        machine first; a worker that has left is started again by hand. Exit status 3: no such worker is out of service.
        """)
    @Argument(help: "The worker's name.") var worker: String
    @Option(help: "Name of the study, or its folder; may be left out when there is one.") var study: String?
    @OptionGroup var runs: RunsOptions

    func run() throws {
      Terminal.print(try StoredStudy(study, runs: runs).control.carryOut(.reinstate(worker: worker)).message)
    }
  }

  struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list",
      abstract: "The workers that are connected or have had trials: what became of them, who is out of service.")
    @Argument(help: "Name of the study, or its folder; may be left out when there is one.") var study: String?
    @OptionGroup var runs: RunsOptions
    @OptionGroup var options: FormatOptions

    struct Row: CompleteRow {
      var name: String
      var host: String?
      var device: String?
      var running: Int?
      var succeeded = 0
      var failed = 0
      var hardwareFailures = 0
      /// Given back, expired, interrupted, cancelled.
      var other = 0
      var isOutOfService = false
      /// Failures since its last success.
      var failuresInARow = 0
      /// What its last failure said, unless it has succeeded since.
      var lastWords: String?
      /// Seconds since 1970 of its last lease or outcome.
      var lastTime = 0.0
      /// Whether it is connected to the coordinator that runs now.
      var isConnected = false
      /// How its device stands, where it said so in its last heartbeat.
      var status: DeviceStatus?
    }

    func run() throws {
      let record = try runs.observer(study).load()
      let mailbox = ControlMailbox(runs.study(study ?? record.definition.name))
      let rows = Self.rows(record, mailbox.roster(now: Date().timeIntervalSince1970))
      if options.format == .json { return Terminal.print(try JSON.pretty(rows)) }
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
          options.format == .csv ? row.lastWords ?? "" : String((row.lastWords ?? "").prefix(80)),
        ])
      }
      table.print(as: options.format)
    }

    /// Such as "NVIDIA H200, 61 %, 84 of 140 GiB"; what the device does not say is left out.
    static func text(_ status: DeviceStatus) -> String {
      func gibibytes(_ bytes: Int64) -> String { "\((max(0, bytes) + (1 << 29)) >> 30)" }
      let memory = gibibytes(status.memoryBytes) + " GiB"
      return [
        status.name, status.utilizationPercent.map { "\($0) %" },
        status.memoryUsedBytes.map { "\(gibibytes($0)) of \(memory)" } ?? memory,
      ].compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: ", ")
    }

    /// One row per worker, by name.
    static func rows(_ record: StudyRecord, _ roster: WorkerRoster? = nil) -> [Row] {
      var rows: [String: Row] = [:]
      for attempt in record.trials.flatMap(\.attempts).sorted(by: { $0.token < $1.token }) {
        var row = rows[attempt.worker.name] ?? Row(name: attempt.worker.name)
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
        var row = rows[worker.name] ?? Row(name: worker.name)
        row.host = worker.host ?? row.host
        row.device = worker.device ?? row.device
        row.isConnected = true
        row.status = worker.status
        rows[worker.name] = row
      }
      for name in record.header.quarantined { rows[name, default: Row(name: name)].isOutOfService = true }
      return rows.values.sorted { $0.name < $1.name }
    }
  }
}
