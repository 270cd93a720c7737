import Foundation
import Study
import StudyDatabase

extension StudyInstallation {
  /// Tells a study of `evaluator.command` under which name its program is now.
  ///
  /// - Parameter file: its study file with the new command.
  /// - Returns: what was done, in lines.
  package static func relocate(_ study: String, in studies: StudiesFolder, to file: String) throws -> [String] {
    let folder = studies.study(study)
    var definition = try studies.observer(study).load().definition
    let given = try StudyConfiguration(contentsOf: URL(fileURLWithPath: file))
    var stored = try StudyConfiguration(canonicalText: definition.configurationText)
    guard let command = given.evaluator.command, let before = stored.evaluator.command else {
      throw CommandError(
        .usage, "\(study): only studies with evaluator.command have a program that can move. Nothing is to be done")
    }
    let others = try given.differences(from: stored).filter { !$0.isOfProgram }
    guard others.isEmpty else {
      throw CommandError(
        .conflict,
        "\(study) was made with other settings: \(others.map(\.description).joined(separator: "; ")). Relocating changes "
          + "evaluator.command only; engram study fork takes over what is still valid")
    }
    stored.evaluator.command = command
    definition.configurationText = try stored.canonicalText
    let store = try SQLiteStudyStore(folder)
    try store.redefine(definition)
    try store.close()
    return [
      "\(definition.name): was \(before.joined(separator: " ")), is \(command.joined(separator: " "))",
      "go on with: engram search \(file)",
    ]
  }
}
