import BayesianOptimization
import Coordinator
import Foundation
import Logging
import Report
import Study
import StudyDatabase
import Transport
import WireProtocol

/// The coordinator of a prepared study over a transport.
package struct StudyServer {
  package let runner: StudyRunner
  package let store: SQLiteStudyStore

  /// - Parameters:
  ///   - store: opened before the transport: the study's lock comes before its socket, so that a second coordinator is
  ///     refused without touching the first one's.
  ///   - ownsWorkers: whether this process starts the workers, so that none of an earlier run can be alive.
  package init(
    _ study: PreparedStudy, store: SQLiteStudyStore, transport: any ServerTransport, ownsWorkers: Bool, threads: Int,
    logger: Logger
  ) throws {
    let configuration = study.configuration
    self.store = store
    let folder = store.folder
    var sampler = configuration.sampler
    sampler.threads = threads
    let space = study.space
    var settings = CoordinatorSettings(
      build: "engram \(BuildInformation.version)", budget: configuration.budget,
      heartbeat: .seconds(configuration.coordinator.heartbeatSeconds),
      lease: .seconds(configuration.coordinator.leaseSeconds))
    settings.progressLimit = configuration.coordinator.stallSeconds.map { .seconds($0) }
    settings.presumesWorkersGone = ownsWorkers
    settings.timeLimit = configuration.limits.seconds.map { .seconds($0) }
    settings.base = study.base
    let keeps = configuration.artifacts.keep
    runner = try StudyRunner(
      settings: settings, store: store, sampler: sampler.makeSampler(space: space, objectives: study.objectives),
      policy: study.policy,
      key: { space.identity(of: $0) }, transport: transport,
      artifacts: keeps == .none ? nil : folder.url.appendingPathComponent("artifacts", isDirectory: true),
      artifactLimit: configuration.artifacts.limitBytes, keepsOnlyFront: keeps == .front, logger: logger)
  }
}
