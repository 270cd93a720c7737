import MemoryRecipe
import Personalization
import Study
import Worker

extension PreparedStudy {
  /// The study's base and data on a device, to train and ask outside of a search.
  ///
  /// - Parameter precision: nil: the study's.
  package func experiment(
    _ resources: StudyResources, device: String, precision: Precision?, threads: Int?
  ) throws -> MemoryExperiment {
    let experiment = try resources.experiment(
      injectTestUserHistory: configuration.data.injectTestUserHistory,
      backend: try Devices.backend(device, precision: precision ?? configuration.base.precision, threads: threads))
    experiment.provenance.entries["madeBy"] = "engram \(BuildInformation.version)"
    return experiment
  }
}
