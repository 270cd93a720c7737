import BayesianOptimization
import Foundation
import Personalization
import Study
import StudyDatabase
import Worker

/// What of this machine a search needs, looked at before anything is made.
package enum StartCheck {
  /// Free bytes below which no study is begun: a database and a few adapters.
  package static let minimumFreeBytes = 16 << 20

  /// Refuses devices that are not there and a program that cannot be found.
  ///
  /// - Parameter file: the study's file, beside which relative paths of a program are looked for.
  package static func machine(_ configuration: StudyConfiguration, file: URL, devices: [GPUDevice]) throws {
    var found = StudyProblems.Collector()
    for device in devices where device.environment.isEmpty { _ = found.attempt { try Devices.check(device.device) } }
    if configuration.evaluator.kind == .command { _ = found.attempt { try program(configuration, file) } }
    try found.finish()
  }

  /// The evaluator's own look at its program.
  private static func program(_ configuration: StudyConfiguration, _ file: URL) throws {
    let evaluator = CommandEvaluator(
      arguments: configuration.evaluator.command ?? [], objectives: configuration.objectives.map(\.name),
      studyFile: file)
    try evaluator.prepare(EvaluationMonitor())
  }

  /// Refuses a folder of studies where nothing can be written.
  ///
  /// - Parameter free: bytes that are free there; nil where nobody can say.
  package static func room(_ folder: URL, _ what: String, free: Int?) throws {
    guard FreeSpace.isWritable(folder) else {
      throw CommandError(.storage, "\(folder.path): \(what) cannot be written. Check its owner and mode")
    }
    if let free, free < minimumFreeBytes {
      throw CommandError(
        .storage,
        "\(folder.path): the disk has \(free >> 20) MiB free, \(what) needs at least "
          + "\(minimumFreeBytes >> 20). Free some space, or choose another folder")
    }
  }
}
