import Glibc
import Processes
import Study
import WireProtocol

/// What became of a trial whose trainer has ended, and of trials that gave themselves back.
extension TrainerSupervisor {
  mutating func countRelease() -> Duration {
    releases += 1
    return min(settings.releasePauseLongest, .seconds(1 << min(releases - 1, 16)))
  }

  func noteOfRelease(_ trial: Int, _ why: String, _ pause: Duration) -> WorkerNote {
    let text = "trial \(trial) gave itself back: \(why)"
    guard releases > 1 else { return .info("\(text); waiting \(pause)") }
    return .warning("\(text); \(releases) in a row without a result, of \(settings.releaseLimit); waiting \(pause)")
  }

  var lastWords: String {
    logLines.isEmpty ? "" : "; its last words: " + logLines.suffix(3).joined(separator: " | ")
  }

  func outcome(of work: Work, _ end: ProcessEnd, _ killed: String?) -> Outcome {
    if let interruption = work.interruption { return .released(interruption.reason, checkpointStep: nil) }
    // The evaluator cannot work any more: that is not the trial's fault.
    if unavailable != nil || end.status == Int(TrainerMain.unavailableStatus) {
      return .released(.preempted, checkpointStep: nil)
    }
    if end.status == Int(ExitStatus.temporary.rawValue) { return .released(.preempted, checkpointStep: nil) }
    if let killed {
      return .failure(
        started: work.hasStarted,
        record(
          .bug, "the trainer was killed: \(killed)", end: end,
          next: "raise the worker's hang timeout if a step can take so long; else look at the last log lines"))
    }
    let (failureClass, next) = classify(end)
    let isKernel = failureClass == .outOfMemory && end.signal == Int(SIGKILL)
    let text = isKernel ? "the kernel killed the trainer for lack of memory" : "the trainer \(end) during the trial"
    return .failure(started: work.hasStarted, record(failureClass, text, end: end, next: next))
  }

  private func classify(_ end: ProcessEnd) -> (FailureClass, String) {
    let text = logLines.joined(separator: " ").lowercased()
    let speaksOfMemory = ["out of memory", "bad_alloc", "cannot allocate memory"].contains { text.contains($0) }
    if end.signal == Int(SIGKILL), countKills() > outOfMemoryKills {
      return (.outOfMemory, "use a smaller rank or count, fewer workers on this machine, or more memory")
    }
    if speaksOfMemory { return (.outOfMemory, "use a smaller rank or count, or a device with more memory") }
    if end.signal == Int(SIGBUS) { return (.hardware, "check the disk (a mapped file may be cut) and the memory") }
    if end.signal == Int(SIGKILL) {
      return (.bug, "somebody killed the trainer, with no sign of lack of memory; the trial runs again")
    }
    return (.bug, "look at the last log lines; the same trial will be tried again a few times")
  }

  func record(
    _ failureClass: FailureClass, _ text: String, end: ProcessEnd? = nil, next: String?
  ) -> FailureRecord {
    FailureRecord(
      failureClass: failureClass, message: text, host: settings.hello.host, device: settings.hello.device,
      deviceBytes: settings.hello.capabilities.memoryBytes, exitStatus: end?.status, signal: end?.signal,
      logLines: logLines, nextStep: next
    ).clippedForWire()
  }
}
