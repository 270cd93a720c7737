import Foundation
import Foundations

extension StudyArchive {
  /// Reads what ``write(to:)`` wrote and checks all of it: the digest, every line, and that the whole is a study.
  ///
  /// - Parameters:
  ///   - data: the whole file.
  ///   - name: of the file, for messages.
  /// - Throws: ``StudyError``: `newerSchema`, `wrongStudy` (no export of a study), `corrupt`.
  package init(_ data: Data, name: String) throws(StudyError) {
    var reader = Reader(name: name)
    try reader.read(data)
    guard let head = reader.head else { throw reader.damaged("it has no first line") }
    self.init(
      record: StudyRecord(definition: head.definition, header: head.header, trials: reader.trials),
      events: reader.events, reports: reader.reports, warmStarts: reader.warmStarts)
    guard counts == head.counts else {
      throw reader.damaged("it should hold \(head.counts), it holds \(counts)")
    }
    if let problem = firstProblem() { throw reader.damaged(problem) }
  }

  /// What is wrong with this study as a whole; nil when nothing is.
  private func firstProblem() -> String? {
    let header = record.header
    for (index, trial) in record.trials.enumerated() where trial.number != index {
      return "trial \(trial.number) stands where trial \(index) was due: numbers have no gaps, each comes once"
    }
    for (index, event) in events.enumerated() where event.number != index + 1 {
      return "event \(event.number) stands where event \(index + 1) was due: numbers have no gaps, each comes once"
    }
    if let problem = record.implausibility { return problem }
    if header.lastEvent != events.count { return "\(events.count) events, the header says \(header.lastEvent)" }
    var keys: [String: Int] = [:]
    var tokens: [AttemptToken: Int] = [:]
    for trial in record.trials {
      if let other = keys.updateValue(trial.number, forKey: trial.configurationKey) {
        return "trials \(other) and \(trial.number) have the same configuration"
      }
      if let index = trial.provenance.proposalIndex, index >= header.nextProposal {
        return "trial \(trial.number) is proposal \(index), the header says that \(header.nextProposal) comes next"
      }
      for attempt in trial.attempts {
        guard attempt.trial == trial.number else {
          return "attempt \(attempt.token) of trial \(attempt.trial) stands with trial \(trial.number)"
        }
        guard tokens.updateValue(trial.number, forKey: attempt.token) == nil else {
          return "attempt \(attempt.token) stands twice"
        }
        guard attempt.token.rawValue < header.nextToken else {
          return "attempt \(attempt.token): the header says that \(header.nextToken) comes next"
        }
      }
    }
    var steps: Set<[Int]> = []
    for report in reports {
      guard tokens[report.token] == report.trial else {
        return "a report of attempt \(report.token), trial \(report.trial): there is no such attempt"
      }
      guard steps.insert([report.token.rawValue, report.step]).inserted else {
        return "attempt \(report.token) reports step \(report.step) twice"
      }
    }
    if let stray = warmStarts.keys.first(where: { !record.trials.indices.contains($0) }) {
      return "a warm start of trial \(stray), which does not exist"
    }
    return nil
  }

  private struct Reader {
    let name: String
    var head: Head?
    var trials: [Trial] = []
    var events: [StudyEvent] = []
    var reports: [IntermediateReport] = []
    var warmStarts: [Int: Data] = [:]

    init(name: String) { self.name = name }

    func damaged(_ text: String) -> StudyError {
      StudyError(.corrupt, "\(name): \(text). The file was damaged, cut or edited; export the study again")
    }

    mutating func read(_ data: Data) throws(StudyError) {
      let lines = data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      try checkVersion(lines.first ?? Data())
      let decoder = JSONDecoder()
      let encoder = StudyArchive.encoder()
      var hash = SHA256()
      var end: End?
      // The text ends with a line end: the last piece is empty.
      for (index, text) in lines.enumerated() where index < lines.count - 1 || !text.isEmpty {
        guard end == nil else { throw damaged("something follows its last line") }
        let line: Line
        do {
          line = try decoder.decode(Line.self, from: text)
          // Whatever this program would not write itself (an unknown key, a number it cannot keep) is refused.
          guard try encoder.encode(line) == text else {
            throw damaged("line \(index + 1) holds something that this engram does not know (made by a newer one?)")
          }
        } catch let error as StudyError {
          throw error
        } catch {
          throw damaged("line \(index + 1) can not be read (\(error))")
        }
        if let found = line.end {
          guard found.lines == index, found.sha256 == hash.hex else { throw damaged("its digest does not agree") }
          end = found
        } else {
          hash.update(text)
          hash.update("\n")
          try take(line, index + 1)
        }
      }
      guard end != nil else { throw damaged("its last line is missing") }
    }

    private func checkVersion(_ text: Data) throws(StudyError) {
      struct Probe: Decodable {
        struct Head: Decodable {
          var format: String
          var version: Int
        }
        var head: Head
      }
      if text.starts(with: Data(StudyArchive.salvagePrefix.utf8)) {
        throw StudyError(
          .corrupt,
          "\(name) is what could be read of a damaged study: it is for reading, a study cannot be made of it. Export a sound "
            + "copy of the study")
      }
      guard let found = (try? JSONDecoder().decode(Probe.self, from: text))?.head, found.format == Head.format else {
        throw StudyError(.wrongStudy, "\(name) is no export of a study (engram study export makes them)")
      }
      guard found.version <= StudyArchive.version, found.version > 0 else {
        throw StudyError(
          .newerSchema,
          "\(name) has format version \(found.version), this engram knows versions up to \(StudyArchive.version). "
            + "Use the newer engram that made it")
      }
    }

    private mutating func take(_ line: Line, _ number: Int) throws(StudyError) {
      if let found = line.head {
        guard number == 1 else { throw damaged("line \(number) is a second first line") }
        head = found
      } else if let trial = line.trial {
        trials.append(trial)
      } else if let event = line.event {
        events.append(event)
      } else if let report = line.report {
        reports.append(report)
      } else if let start = line.warmStart {
        guard warmStarts.updateValue(start.data, forKey: start.trial) == nil else {
          throw damaged("line \(number): a second warm start of trial \(start.trial)")
        }
      } else {
        throw damaged("line \(number) is empty")
      }
    }
  }
}
