import ArgumentParser
import Console
import Experiment
import Foundation
import Foundations
import MemoryRecipe
import Personalization
import Report

struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "Import, count and split personal records (JSON Lines).",
    subcommands: [ImportCommand.self, StatsCommand.self, SplitCommand.self, TimeCommand.self])

  struct ImportCommand: ParsableCommand {
    enum Format: String, ExpressibleByArgument, CaseIterable {
      case malpMedical = "malp-medical"
    }

    static let configuration = CommandConfiguration(
      commandName: "import", abstract: "Turn a public dataset's raw files into users.jsonl and samples.jsonl.",
      discussion: """
        malp-medical: MaLP's MedicalDialogue (profiles_4.json and the dialogues*.json files in one folder). That release \
        links no dialogue to a profile: dialogue k, files in name order, goes to profile k mod P.
        """)

    @Argument(help: "Which raw format: malp-medical.") var dataset: Format
    @Argument(help: "Folder with the raw files.") var input: String
    @Option(help: "Folder that receives users.jsonl and samples.jsonl.") var output: String

    func run() throws {
      let folder = try DataCommand.vacant(output)
      let result = try MedicalDialogueImporter.read(folder: URL(fileURLWithPath: input, isDirectory: true))
      try result.dataset.write(to: folder)
      let source = DataSource(format: dataset.rawValue, association: result.association)
      try AtomicFile.write(JSON.pretty(source), to: DataSource.file(beside: folder), mode: nil)
      Terminal.print(
        """
        \(result.dataset.users.count) users, \(result.dataset.samples.count) samples from \(result.dialogues) dialogues \
        and \(result.profiles) profiles
        \(result.unparsableProfiles) unparsable profiles left out, \(result.swappedTurns) turns with swapped speakers \
        corrected, \(result.emptyPairs) empty pairs dropped
        association: \(result.association) (the release links no dialogue to a profile)
        written to \(output)/users.jsonl and \(output)/samples.jsonl
        """)
    }
  }

  /// The folder for new records; one that holds records already is refused.
  static func vacant(_ path: String) throws -> URL {
    let folder = URL(fileURLWithPath: path, isDirectory: true)
    for name in ["users.jsonl", "samples.jsonl"]
    where FileManager.default.fileExists(atPath: folder.appendingPathComponent(name).path) {
      throw CommandError(.conflict, "\(path)/\(name) exists already. Choose another folder, or remove it first")
    }
    return folder
  }

  /// Says on standard error what of the records is odd.
  static func say(_ notes: [DataReport.Note]) {
    for note in notes { Terminal.printError("\(note.isWarning ? "warning" : "note"): \(note.text)") }
  }

  /// Where imported records came from; `source.json` beside them.
  struct DataSource: Codable {
    var format: String
    var association: String

    static func file(beside folder: URL) -> URL { folder.appendingPathComponent("source.json") }
    static func read(beside folder: URL) -> DataSource? {
      // Records need not be imported; without the file their association stands in no column.
      (try? Data(contentsOf: file(beside: folder))).flatMap { try? JSONDecoder().decode(DataSource.self, from: $0) }
    }
  }

  /// Where records are.
  struct Records: ParsableArguments {
    @Option(help: "users.jsonl.") var users: String
    @Option(help: "samples.jsonl.") var samples: String

    func read() throws -> Dataset {
      try Dataset.read(users: URL(fileURLWithPath: users), samples: URL(fileURLWithPath: samples))
    }
  }

  struct StatsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "stats", abstract: "The columns of the paper's Table 1: users, samples, lengths.")

    @OptionGroup var records: Records
    @OptionGroup var options: FormatOptions

    func run() throws {
      let source = DataSource.read(beside: URL(fileURLWithPath: records.users).deletingLastPathComponent())
      let dataset = try records.read()
      let statistics = dataset.statistics(association: source?.association)
      let isSplit = dataset.samples.allSatisfy { $0.split != nil }
      // A split that is wrong is told by the notes on the records themselves.
      DataCommand.say(dataset.notes(split: isSplit ? try? dataset.split(SplitPolicy(mode: .given)) : nil))
      if options.format == .json { return Terminal.print(try JSON.line(statistics)) }
      var table = TextTable([
        ("users", .right), ("samples", .right), ("len(history)", .right), ("avg. len(content)", .right),
        ("avg. len(response)", .right), ("association", .left),
      ])
      table.add([
        "\(statistics.users)", "\(statistics.samples)", String(format: "%.1f", statistics.historyLength),
        String(format: "%.1f", statistics.contentWords), String(format: "%.1f", statistics.responseWords),
        statistics.association ?? "",
      ])
      table.print(as: options.format)
    }
  }

  struct SplitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "split", abstract: "Assign samples to train, validation and test (70/10/20).")

    @OptionGroup var records: Records
    @Option(help: "within-user (each user's samples in time order) or user-disjoint.") var mode: String = "within-user"
    @Option(help: "Seed of the shuffle of users.") var seed: UInt64 = 0
    @Option(help: "Folder that receives users.jsonl and samples.jsonl, every sample with its part in `split`.")
    var output: String

    func run() throws {
      let modes: [String: SplitMode] = ["within-user": .withinUser, "user-disjoint": .userDisjoint]
      guard let chosen = modes[mode] else {
        throw CommandError(.usage, "--mode \(mode): choose within-user or user-disjoint")
      }
      let folder = try DataCommand.vacant(output)
      let dataset = try records.read()
      let split = try dataset.split(SplitPolicy(mode: chosen, seed: seed))
      var samples = dataset.samples
      DataCommand.say(dataset.notes(split: split))
      for part in SplitPart.allCases { for index in split[part] { samples[index].split = part } }
      try Dataset(users: dataset.users, samples: samples).write(to: folder)
      Terminal.print(
        "\(split.train.count) train, \(split.validation.count) validation, \(split.test.count) test: \(output)")
    }
  }

  struct TimeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "time", abstract: "What a time in records is taken for, in seconds since 1970.",
      discussion: """
        Standard input: one JSON string or number per line, as it would stand under "time"; prints {"seconds":…} or \
        {"error":…} per line. Example: echo '"2024-05-01 12:00:00+02"' | engram data time
        """)

    private struct Output: Encodable {
      var seconds: Double?
      var error: String?
    }

    private enum Moment: Decodable {
      case number(Double)
      case text(String)

      init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        // What is no text must be a number, and that throws.
        if let text = try? container.decode(String.self) {
          self = .text(text)
        } else {
          self = .number(try container.decode(Double.self))
        }
      }
    }

    func run() throws {
      for moment in try JSONLines.read(Moment.self, from: "-") {
        var output = Output()
        switch moment {
        case .number(let number): output.seconds = RecordTime.seconds(of: number)
        case .text(let text):
          do {
            output.seconds = try RecordTime.seconds(of: text)
          } catch let failure as RecordTime.Failure {
            output.error = failure.reason
          }
        }
        Terminal.print(try JSON.line(output))
      }
    }
  }
}
