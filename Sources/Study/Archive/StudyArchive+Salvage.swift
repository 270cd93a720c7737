import Foundation

/// The lines that say what could be read of a damaged study: like an archive's, but no study can be made of them.
extension StudyArchive {
  /// How the first line of a salvage begins.
  static let salvagePrefix = "{\"salvage\":"

  /// One line of a salvage: exactly one of these.
  package struct SalvageLine: Encodable, Sendable {
    /// What the first line says.
    package struct Head: Encodable, Sendable {
      package var definition: StudyDefinition?
      package var header: StudyHeader?
      /// What could not be read, in words.
      package var problems: [String]

      package init(definition: StudyDefinition?, header: StudyHeader?, problems: [String]) {
        self.definition = definition
        self.header = header
        self.problems = problems
      }
    }

    package var salvage: Head?
    package var trial: Trial?
    package var event: StudyEvent?
    package var report: IntermediateReport?

    package init(
      salvage: Head? = nil, trial: Trial? = nil, event: StudyEvent? = nil, report: IntermediateReport? = nil
    ) {
      self.salvage = salvage
      self.trial = trial
      self.event = event
      self.report = report
    }

    /// The line's text, with its line end.
    package func data() throws -> Data {
      var data = try StudyArchive.encoder().encode(self)
      data.append(UInt8(ascii: "\n"))
      return data
    }
  }
}
