/// What a study's records are and what of them does not count: said once, in the dry run, in logs, in `study show` and in
/// the card.
package struct DataReport: Sendable, Codable, Equatable {
  /// One thing that people should know.
  package struct Note: Sendable, Codable, Equatable {
    /// Whether it makes numbers weaker than they look, or only explains them.
    package var isWarning: Bool
    package var text: String
  }

  package var users: Int
  package var samples: Int
  package var train: Int
  package var validation: Int
  package var test: Int
  package var historyItems: Int
  /// Examples of stage 1 and their tokens in one epoch.
  package var memoryExamples: Int
  package var memoryTokens: Int
  package var cuts: DataCuts
  package var notes: [Note]

  package var warnings: [String] { notes.filter(\.isWarning).map(\.text) }

  package init(_ data: PreparedData) {
    users = data.dataset.users.count
    samples = data.dataset.samples.count
    (train, validation, test) = (data.split.train.count, data.split.validation.count, data.split.test.count)
    historyItems = data.dataset.users.reduce(0) { $0 + $1.history.count }
    memoryExamples = data.memoryExamples.count
    memoryTokens = data.memoryExamples.reduce(0) { $0 + $1.ids.count }
    cuts = data.cuts
    notes = data.cuts.sentences.map { Note(isWarning: true, text: $0) } + DataFindings(data).notes
  }
}

extension Dataset {
  /// What of the records is odd, as far as it can be told without a study.
  ///
  /// - Parameter split: the parts; nil = the same pair in two parts is not looked for.
  package func notes(split: DatasetSplit? = nil) -> [DataReport.Note] {
    DataFindings(self, split: split).notes
  }
}
