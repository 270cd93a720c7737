import Study

extension StudyConfiguration.Difference {
  /// Whether only the program of `evaluator.command` is another one.
  var isOfProgram: Bool { key.hasPrefix("evaluator.command") }
}
