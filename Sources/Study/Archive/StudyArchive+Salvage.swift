import Foundation

/// The lines that say what could be read of a damaged study: like an archive's, but no study can be made of them.
extension StudyArchive {
  /// How the first line of a salvage begins.
  static let salvagePrefix = "{\"salvage\":"

  /// One line of a salvage: exactly one of these.
  public struct SalvageLine: Encodable, Sendable {
    /// What the first line says.
    public struct Head: Encodable, Sendable {
      public var definition: StudyDefinition?
      public var header: StudyHeader?
      /// What could not be read, in words.
      public var problems: [String]

      public init(definition: StudyDefinition?, header: StudyHeader?, problems: [String]) {
        self.definition = definition
        self.header = header
        self.problems = problems
      }
    }

    public var salvage: Head?
    public var trial: Trial?
    public var event: StudyEvent?
    public var report: IntermediateReport?

    public init(
      salvage: Head? = nil, trial: Trial? = nil, event: StudyEvent? = nil, report: IntermediateReport? = nil
    ) {
      self.salvage = salvage
      self.trial = trial
      self.event = event
      self.report = report
    }

    /// The line's text, with its line end.
    public func data() throws -> Data {
      var data = try StudyArchive.encoder().encode(self)
      data.append(UInt8(ascii: "\n"))
      return data
    }
  }
}
