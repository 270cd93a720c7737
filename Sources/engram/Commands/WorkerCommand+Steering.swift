import ArgumentParser
import Foundation
import Report
import Study
import StudyDatabase

extension WorkerCommand {
  struct ReinstateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "reinstate", abstract: "Let a worker take trials again that was taken out of service.",
      discussion: """
        A worker is taken out after several hardware failures in a row (study show and worker list name it). Repair the \
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
      commandName: "list", abstract: "The workers that have had trials: what became of them, who is out of service.")
    @Argument(help: "Name of the study, or its folder; may be left out when there is one.") var study: String?
    @OptionGroup var runs: RunsOptions
    @OptionGroup var options: FormatOptions

    struct Row: Encodable {
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
      /// Seconds since 1970 of its last lease or outcome.
      var lastTime = 0.0
    }

    func run() throws {
      let record = try runs.observer(study).load()
      let rows = Self.rows(record)
      if options.format == .json { return Terminal.print(try JSON.pretty(rows)) }
      var table = TextTable([
        ("worker", .left), ("host", .left), ("device", .left), ("runs", .left), ("succeeded", .right),
        ("failed", .right), ("hardware", .right), ("other", .right), ("state", .left), ("last seen", .left),
      ])
      for row in rows {
        table.add([
          row.name, row.host ?? "", row.device ?? "", row.running.map { "trial \($0)" } ?? "", "\(row.succeeded)",
          "\(row.failed)", "\(row.hardwareFailures)", "\(row.other)", row.isOutOfService ? "out of service" : "",
          row.lastTime > 0 ? Date(timeIntervalSince1970: row.lastTime).formatted(.iso8601) : "",
        ])
      }
      table.print(as: options.format)
    }

    /// One row per worker, by name.
    static func rows(_ record: StudyRecord) -> [Row] {
      var rows: [String: Row] = [:]
      for attempt in record.trials.flatMap(\.attempts).sorted(by: { $0.token < $1.token }) {
        var row = rows[attempt.worker.name] ?? Row(name: attempt.worker.name)
        row.host = attempt.worker.host ?? row.host
        row.device = attempt.worker.device ?? row.device
        row.lastTime = max(row.lastTime, attempt.endedTime ?? attempt.startedTime ?? attempt.leasedTime)
        switch attempt.state {
        case .succeeded: row.succeeded += 1
        case .failed:
          row.failed += 1
          if attempt.failure?.failureClass == .hardware { row.hardwareFailures += 1 }
        case .leased, .started: row.running = attempt.trial
        default: row.other += 1
        }
        rows[attempt.worker.name] = row
      }
      for name in record.header.quarantined { rows[name, default: Row(name: name)].isOutOfService = true }
      return rows.values.sorted { $0.name < $1.name }
    }
  }
}
