import BayesianOptimization
import Foundation
import Study

extension PreparedStudy {
  /// Refuses a reference point that no result of the memory evaluator can reach: a score that was written in percent.
  package static func checkReference(_ configuration: StudyConfiguration, file: URL) throws {
    guard case .fixed(let point) = configuration.sampler.reference else { return }
    for objective in configuration.objectives where objective.isFraction {
      guard let value = point[objective.name] else { continue }
      let isReachable = objective.direction == .maximize ? value < 1 : value > 0
      guard !isReachable else { continue }
      throw ConfigurationError.about(
        "sampler.reference.\(objective.name)", in: file,
        "no result can be better than \(value): \(objective.name) is a fraction between 0 and 1",
        remedy: value > 1 && value < 100 ? "Write \(value / 100) for \(value) %" : "Choose a value between 0 and 1")
    }
  }
}
