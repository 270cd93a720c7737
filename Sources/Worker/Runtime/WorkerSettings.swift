import Foundation
import Processes
import WireProtocol

/// How to start the trainer process.
package struct TrainerLaunch: Sendable {
  /// Program; default this one.
  package var executable: String
  /// Arguments, such as `["trainer", "--config", "study.yaml"]`.
  package var arguments: [String]
  /// The whole environment of the trainer.
  package var environment: [String: String]

  package init(
    executable: String = OwnProgram.path, arguments: [String],
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) {
    self.executable = executable
    self.arguments = arguments
    self.environment = environment
    // Says who this process's parent is, not the trainer's.
    self.environment[ParentWatch.variable] = nil
  }
}

/// What a worker process needs to know.
package struct WorkerSettings: Sendable {
  /// Who it is: see ``Hello``; the incarnation is chosen by the worker.
  package var hello: Hello
  package var trainer: TrainerLaunch
  /// Folder of this worker alone: unacknowledged outcomes, the trainer's log, trials' scratch folders.
  package var stateFolder: URL
  /// Where the coordinator is, for messages.
  package var endpoint: String
  /// Without progress for so long a trial counts as hung and its trainer is killed.
  ///
  /// Default 10 min: one step of the largest model takes seconds, but the first may compile kernels.
  package var hangTimeout: Duration = .seconds(600)
  /// The same while base and data are being loaded.
  ///
  /// Default 30 min.
  package var prepareTimeout: Duration = .seconds(1800)
  /// How long a trainer may take to end a cancelled trial before it is killed.
  ///
  /// Default 20 s, below the 30 s that schedulers such as Slurm leave between SIGTERM and SIGKILL.
  package var cancelGrace: Duration = .seconds(20)
  /// After an out-of-memory failure the trainer is replaced when it holds more than its baseline plus this.
  ///
  /// 64 MB.
  package var memorySlack = 64 << 20
  /// After so many starts in a row that never got ready, the worker gives up.
  ///
  /// Default 5.
  package var prepareAttempts = 5
  /// Longest pause after a trial that gave itself back (exit status 75, SIGTERM, a full disk): the pauses double from 1 s.
  ///
  /// Default 60 s.
  package var releasePauseLongest: Duration = .seconds(60)
  /// After so many trials in a row that gave themselves back, the worker gives up.
  ///
  /// Default 20: with the pauses about a quarter of an hour.
  package var releaseLimit = 20
  /// Most bytes of the trainer's log and its predecessor together; at half of it the log begins anew.
  ///
  /// Default 64 MB.
  package var trainerLogBytes = 64 << 20
  /// Scratch folders that nothing has touched for so long are removed at the start.
  ///
  /// Default 7 days; younger ones may hold a checkpoint from which this worker goes on.
  package var scratchLife: Duration = .seconds(7 * 86_400)
  /// Whether this process runs this worker and nothing else, so that it may adopt and end what a trainer leaves behind.
  ///
  /// Default false; `engram worker` sets it.
  package var ownsProcess = false
  /// Asks how the device stands, at the interval of the heartbeats; nil = there is nothing to ask.
  ///
  /// Takes milliseconds at most.
  package var deviceStatus: (@Sendable () -> DeviceStatus?)?
  /// Leaves after so long without a word from any coordinator, as soon as no trial is under way; outcomes that wait
  /// stay in the state folder, for the next worker of this name.
  ///
  /// Nil (default): reconnects for ever.
  package var giveUpAfter: Duration?
  /// Timing of the session.
  package var session = WorkerSession.Settings()
  /// Whether SIGTERM, SIGINT and SIGUSR1 are handled.
  ///
  /// Default true; off when several workers share a process.
  package var handlesSignals = true

  package init(hello: Hello, trainer: TrainerLaunch, stateFolder: URL, endpoint: String) {
    self.hello = hello
    self.trainer = trainer
    self.stateFolder = stateFolder
    self.endpoint = endpoint
  }
}

/// Why a worker ended.
package enum WorkerEnd: Sendable, Equatable {
  /// A signal asked it to; its trial was given back.
  case stopped(String)
  /// The coordinator asked it to: the study is over, or is ending.
  case drained(String)
  /// The coordinator refused it for good.
  case refused(Refusal)
  /// The evaluator cannot work; what to do stands in the text.
  case unavailable(String)
  /// No coordinator was heard of for too long.
  case gaveUp(String)

  /// Exit status of the process: 0 drained, 75 stopped by a signal or given up, 6 refused, 1 unavailable.
  package var exitStatus: Int32 {
    switch self {
    case .drained: ExitStatus.success.rawValue
    case .stopped, .gaveUp: ExitStatus.temporary.rawValue
    case .refused: ExitStatus.refused.rawValue
    case .unavailable: ExitStatus.unexpected.rawValue
    }
  }
}

/// What a worker tells its operator.
package enum WorkerNote: Sendable, Equatable, CustomStringConvertible {
  case info(String)
  case warning(String)
  /// The coordinator has welcomed this worker.
  case connected(study: String, endpoint: String)

  package var description: String {
    switch self {
    case .connected(let study, let endpoint): "connected to study \(study) at \(endpoint)"
    case .info(let text), .warning(let text): text
    }
  }
}
