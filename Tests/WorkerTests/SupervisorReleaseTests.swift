import BayesianOptimization
import Foundation
import Study
import TestSupport
import Testing
import WireProtocol

@testable import Processes
@testable import Worker

/// Trials that give themselves back, and evaluators that cannot work: pure decisions over given times.
@Suite("Trials given back", .bounded) struct SupervisorReleaseTests {
  private func settings() -> WorkerSettings {
    WorkerSettings(
      hello: Hello(
        worker: "w", incarnation: "i", study: "s", build: "1",
        fingerprints: Fingerprints(base: "", data: "", settings: ""),
        host: "h", device: "cpu", pid: 1, capabilities: Capabilities(memoryBytes: 1, cores: 1, evaluator: "command")),
      trainer: TrainerLaunch(executable: "/bin/true", arguments: [], environment: [:]),
      stateFolder: FileManager.default.temporaryDirectory, endpoint: "memory")
  }

  private func request(_ trial: Int) -> EvaluationRequest {
    EvaluationRequest(
      configuration: .memory(layers: [0], count: 1, rank: 4), seed: 1, trial: trial, attempt: AttemptToken(trial + 1),
      scratch: FileManager.default.temporaryDirectory)
  }

  private func ready(_ supervisor: inout TrainerSupervisor, _ now: Duration) {
    #expect(supervisor.tick(now: now) == [.spawn])
    #expect(supervisor.receive(.ready(memoryBytes: 1), now: now) == [.ready])
  }

  @Test("the pauses double, are said, and end with the worker") func pauses() {
    var settings = settings()
    settings.releaseLimit = 5
    settings.releasePauseLongest = .seconds(3)
    var supervisor = TrainerSupervisor(settings: settings, countKills: { 0 })
    var now: Duration = .zero
    ready(&supervisor, now)
    var pauses: [Duration] = []
    for trial in 0..<5 {
      _ = supervisor.execute(request(trial), now: now)
      let effects = supervisor.receive(
        .cancelled(checkpointStep: nil, memoryBytes: 1, message: "the command exited with status 75"), now: now)
      // The loss comes first: a worker that rests asks for no work.
      #expect(effects.first == .lost)
      #expect(effects.contains(.finished(AttemptToken(trial + 1), .released(.preempted, checkpointStep: nil))))
      #expect(effects.contains { if case .note(let note) = $0 { "\(note)".contains("status 75") } else { false } })
      let givesUp = effects.contains {
        if case .giveUp(let text) = $0 { text.contains("5 trials in a row") } else { false }
      }
      #expect(givesUp == (trial == 4))
      let start = now
      while !givesUp, now < start + .seconds(60) {
        now += .milliseconds(100)
        if supervisor.tick(now: now).contains(.ready) { break }
      }
      pauses.append(now - start)
    }
    #expect(pauses.prefix(4) == [.seconds(1), .seconds(2), .seconds(3), .seconds(3)])
  }

  @Test("a result begins the count anew, and an interrupted trial is not counted") func countBegins() {
    var supervisor = TrainerSupervisor(settings: settings(), countKills: { 0 })
    ready(&supervisor, .zero)
    _ = supervisor.execute(request(0), now: .zero)
    _ = supervisor.interrupt(AttemptToken(1), .cancelled, now: .zero)
    #expect(
      supervisor.receive(.cancelled(checkpointStep: 4, memoryBytes: 1), now: .zero)
        == [.finished(AttemptToken(1), .released(.cancelled, checkpointStep: 4))])
    #expect(supervisor.releases == 0)
    _ = supervisor.execute(request(1), now: .zero)
    _ = supervisor.receive(.cancelled(checkpointStep: nil, memoryBytes: 1), now: .zero)
    #expect(supervisor.releases == 1)
    #expect(supervisor.tick(now: .seconds(2)) == [.ready])
    _ = supervisor.execute(request(2), now: .seconds(2))
    _ = supervisor.receive(
      .result(EvaluationResult(TrialResult(objectives: ["l": 1])), files: [], memoryBytes: 1), now: .seconds(2))
    #expect(supervisor.releases == 0)
  }

  @Test("a trainer that leaves with 75 again and again is started later and later") func trainerPreempted() {
    var settings = settings()
    settings.releaseLimit = 3
    var supervisor = TrainerSupervisor(settings: settings, countKills: { 0 })
    var now: Duration = .zero
    for trial in 0..<3 {
      ready(&supervisor, now)
      _ = supervisor.execute(request(trial), now: now)
      let effects = supervisor.ended(ProcessEnd(status: 75), now: now)
      #expect(effects.contains(.finished(AttemptToken(trial + 1), .released(.preempted, checkpointStep: nil))))
      #expect(effects.contains { if case .giveUp = $0 { true } else { false } } == (trial == 2))
      #expect(supervisor.tick(now: now + .milliseconds(900)) == [])
      now += .seconds(10)
    }
  }

  @Test("an evaluator that cannot work any more gives its trial back unharmed") func unavailable() {
    for tells in [true, false] {
      var supervisor = TrainerSupervisor(settings: settings(), countKills: { 0 })
      ready(&supervisor, .zero)
      _ = supervisor.execute(request(0), now: .zero)
      if tells {
        _ = supervisor.receive(.unavailable(message: "the program is gone", nextStep: "put it back"), now: .zero)
      }
      let effects = supervisor.ended(ProcessEnd(status: 78), now: .zero)
      #expect(effects.contains(.finished(AttemptToken(1), .released(.preempted, checkpointStep: nil))))
      if tells { #expect(effects.last == .giveUp("the program is gone; put it back")) }
      #expect(supervisor.tick(now: .seconds(600)) == [])
    }
  }

  @Test("a configuration without a JSON form is a failure of its trial, never null") func noForm() {
    var broken = request(0)
    broken.configuration = .factors(["x": .number(.nan)])
    #expect(throws: (any Error).self) { try TrainerCodec.line(.evaluate(broken)) }
    var supervisor = TrainerSupervisor(settings: settings(), countKills: { 0 })
    ready(&supervisor, .zero)
    _ = supervisor.execute(broken, now: .zero)
    guard case .finished(_, .failure(_, let record))? = supervisor.refuse("no form").first else {
      Issue.record("no failure")
      return
    }
    #expect(record.failureClass == .bug && supervisor.state == .idle)
  }

  @Test("what is no finite number beside the objectives is left out, named and counted") func extras() {
    let result = EvaluationResult(
      TrialResult(objectives: ["l": 1], standardErrors: ["l": .nan], metrics: ["a": .infinity, "b": 2])
    ).withoutUselessValues()
    #expect(result.measured.standardErrors == [:] && result.measured.metrics == ["b": 2, "valuesLeftOut": 2])
    #expect(result.notes == ["left out, not finite: a, the standard error of l"])
  }

  @Test("a full disk or a missing folder is no property of the trial") func storage() {
    struct Other: Error {}
    #expect(FileProblemTests.storage(CocoaError(.fileWriteOutOfSpace))?.contains("free some space") == true)
    #expect(FileProblemTests.storage(POSIXError(.EROFS))?.contains("read-only") == true)
    #expect(FileProblemTests.storage(CocoaError(.coderInvalidValue)) == nil && FileProblemTests.storage(Other()) == nil)
  }
}
