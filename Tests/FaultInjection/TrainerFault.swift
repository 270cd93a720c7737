import Foundation
import Glibc
import Processes
import Study
import Worker

/// Faults that are carried out inside a trainer.
///
/// `ENGRAM_TRAINER_FAULT=crash:3,hang:5` crashes at trial 3 and hangs at trial 5. With `ENGRAM_FAULT_MARKERS=DIR` each
/// fault happens once only: it leaves the file `DIR/crash-3`. Every fault writes a line to the log before it strikes,
/// so that a test can assert that it happened.
struct TrainerFault: Equatable {
  enum Kind: String, CaseIterable {
    /// Segmentation fault.
    case crash
    /// Endless silence.
    case hang
    /// A typed out-of-memory failure; the process goes on and keeps 200 MB that it should have returned.
    case leak
    /// A typed out-of-memory failure; the process goes on with its memory returned.
    case oom
    /// The process is killed by SIGKILL.
    case kill
    /// An ordinary error.
    case error
    /// An objective that is not a number.
    case nan
    /// Exit status 75.
    case preempt
  }
  var kind: Kind
  var trial: Int

  /// The fault that is ordered for `trial` and has not happened yet.
  static func due(
    trial: Int, environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> TrainerFault? {
    for part in (environment[FaultVariable.trainer.rawValue] ?? "").split(separator: ",") {
      let pieces = part.split(separator: ":")
      guard pieces.count == 2, let kind = Kind(rawValue: String(pieces[0])), Int(pieces[1]) == trial else { continue }
      let fault = TrainerFault(kind: kind, trial: trial)
      if let folder = environment["ENGRAM_FAULT_MARKERS"] {
        let marker = "\(folder)/\(kind.rawValue)-\(trial)"
        let descriptor = open(marker, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        if descriptor < 0 { continue }
        close(descriptor)
      }
      return fault
    }
    return nil
  }

  /// Carries it out; returns the result to give instead of the true one, where the fault is of that kind.
  func strike() throws -> EvaluationResult? {
    FileHandle.standardError.write(Data("fault: \(kind.rawValue) at trial \(trial)\n".utf8))
    switch kind {
    case .crash:
      // Past Swift's own handler, which prints a backtrace and lets a raised signal's process go on.
      signal(SIGSEGV, SIG_DFL)
      raise(SIGSEGV)
    case .hang: while true { sleep(60) }
    case .kill: raise(SIGKILL)
    case .preempt: exit(ExitStatus.temporary.rawValue)
    case .error: throw EvaluationError(.failed(.bug), "ordered error")
    case .nan: return EvaluationResult(TrialResult(objectives: ["loss": .nan, "rougeL": 0.1]))
    case .oom: throw EvaluationError.outOfMemory("ordered out-of-memory")
    case .leak:
      let size = 200 << 20
      if let block = malloc(size) { memset(block, 1, size) }
      throw EvaluationError.outOfMemory("ordered out-of-memory with a leak")
    }
    return nil
  }
}
