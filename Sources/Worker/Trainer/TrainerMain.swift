import Foundation
import Glibc
import LanguageModel
import Processes
import Study
import Synchronization
import WireProtocol

/// The loop inside a trainer process (`engram trainer`): commands on standard input, messages on standard output.
package enum TrainerMain {
  /// Exit status after which the worker does not start the trainer again: the evaluator cannot work.
  static let unavailableStatus = ExitStatus.unavailable.rawValue

  /// Prepares the evaluator, then evaluates trials until standard input ends.
  ///
  /// Call on the main thread. The end of standard input (the worker is gone) ends the process and everything that it has
  /// started at once.
  ///
  /// - Returns: the exit status.
  package static func run(evaluator: some TrialEvaluator) -> Int32 {
    // Schedulers signal every process of a job. The worker decides: it cancels the trial, which leaves a checkpoint, and
    // the end of standard input ends this process.
    SignalWatch.leaveToParent()
    // What a program leaves behind comes to this process, which ends it before the next trial.
    CommandRun.adoptsOrphans.store(Subreaper.become(), ordering: .relaxed)
    let evaluator = EvaluatorSeam.wrap(evaluator)
    let channel = TrainerChannel()
    channel.startReading()
    do {
      try evaluator.prepare(channel.monitor())
    } catch let error as EvaluationError {
      channel.send(.unavailable(message: error.message, nextStep: error.nextStep))
      return error.kind == .unavailable ? unavailableStatus : 1
    } catch {
      StandardError.write("cannot prepare: \(error)")
      return 1
    }
    channel.send(.ready(memoryBytes: memory(evaluator)))
    while let request = channel.nextRequest() {
      channel.send(.started)
      let answer = evaluate(request, evaluator, channel.monitor())
      channel.send(answer)
      // The trial is given back by the worker, which leaves: no other trial would fare better here.
      if case .unavailable = answer { return unavailableStatus }
    }
    return 0
  }

  private static func evaluate(
    _ request: EvaluationRequest, _ evaluator: some TrialEvaluator, _ monitor: EvaluationMonitor
  ) -> TrainerMessage {
    do {
      try FileManager.default.createDirectory(at: request.scratch, withIntermediateDirectories: true)
      let result = try evaluator.evaluate(request, monitor).withoutUselessValues()
      let broken = result.measured.objectives.filter { !$0.value.isFinite }.keys.sorted()
      guard broken.isEmpty else {
        let names = broken.joined(separator: ", ")
        return .failure(
          .diverged, message: "not finite: \(names)", nextStep: "lower the learning rate if many trials diverge",
          memoryBytes: memory(evaluator))
      }
      let files = try result.artifacts.sorted { $0.key < $1.key }.map { try LocalArtifact(name: $0.key, url: $0.value) }
      return .result(result, files: files, memoryBytes: memory(evaluator))
    } catch let error as EvaluationError {
      switch error.kind {
      case .cancelled(let step):
        return .cancelled(checkpointStep: step, memoryBytes: memory(evaluator), message: error.message)
      case .failed(let failureClass):
        return .failure(
          failureClass, message: error.message, nextStep: error.nextStep, memoryBytes: memory(evaluator),
          lastWords: error.lastWords)
      case .unavailable: return .unavailable(message: error.message, nextStep: error.nextStep)
      }
    } catch {
      if monitor.isCancelled { return .cancelled(checkpointStep: nil, memoryBytes: memory(evaluator)) }
      // A full disk or a folder that is gone is no property of the trial: it is given back and runs again.
      if let problem = FileProblem.storage(error) {
        return .cancelled(checkpointStep: nil, memoryBytes: memory(evaluator), message: problem)
      }
      return .failure(.bug, message: "\(error)", nextStep: nil, memoryBytes: memory(evaluator))
    }
  }

  /// Resident memory after giving free pages back to the system, and what is in use on a device.
  private static func memory(_ evaluator: some TrialEvaluator) -> Int {
    ProcessMemory.trim()
    return ProcessMemory.resident.all + evaluator.deviceBytes
  }
}

/// The trainer's end of its two pipes.
private final class TrainerChannel: Sendable {
  private struct State {
    var requests: [EvaluationRequest] = []
    var hasEnded = false
    var monitor: EvaluationMonitor?
  }

  private let output: Mutex<Int32>
  private let state = Mutex(State())
  private let arrival = DispatchSemaphore(value: 0)

  init() {
    // Keep the real standard output for the protocol; whatever libraries print goes to the log.
    let descriptor = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
    dup2(STDERR_FILENO, STDOUT_FILENO)
    output = Mutex(descriptor)
  }

  func send(_ message: TrainerMessage) {
    let bytes = TrainerCodec.line(message)
    output.withLock { descriptor in
      var offset = 0
      while offset < bytes.count {
        let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress?.advanced(by: offset), $0.count - offset) }
        if count < 0 && errno == EINTR { continue }
        if count <= 0 { return }
        offset += count
      }
    }
  }

  /// A monitor for the next piece of work; cancel commands go to it.
  func monitor() -> EvaluationMonitor {
    let monitor = EvaluationMonitor(
      onProgress: { [self] in send(.progress($0)) }, onReport: { [self] in send(.report(step: $0, values: $1)) })
    state.withLock { $0.monitor = monitor }
    return monitor
  }

  func startReading() {
    let thread = Thread { [self] in
      LineReader.read(STDIN_FILENO, limit: TrainerCodec.lineLimit) { line in
        do {
          try obey(TrainerCodec.command(line))
        } catch {
          StandardError.write("a command was not understood: \(error)")
          _exit(1)
        }
      }
      end(immediately: true)
    }
    thread.name = "engram.trainer.input"
    thread.start()
  }

  private func obey(_ command: TrainerCommand) {
    switch command {
    case .evaluate(let request):
      state.withLock { $0.requests.append(request) }
      arrival.signal()
    case .cancel: state.withLock { $0.monitor }?.cancel()
    case .exit: end(immediately: false)
    }
  }

  private func end(immediately: Bool) {
    state.withLock { $0.hasEnded = true }
    arrival.signal()
    guard immediately else { return }
    // The worker is gone: nobody wants the result. The programs of a command evaluator go first, wherever they are.
    CommandRun.endAll()
    // Then the own group. Only a group of our own: started by hand, the group may be that of a shell's pipeline.
    if getpgrp() == getpid() { kill(0, SIGKILL) }
    _exit(0)
  }

  /// The next trial; nil when the worker wants the process to leave.
  func nextRequest() -> EvaluationRequest? {
    while true {
      arrival.wait()
      let (request, hasEnded) = state.withLock { state -> (EvaluationRequest?, Bool) in
        (state.requests.isEmpty ? nil : state.requests.removeFirst(), state.hasEnded)
      }
      if let request { return request }
      if hasEnded { return nil }
    }
  }
}
