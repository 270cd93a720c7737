import BayesianOptimization
import Study

@testable import WireProtocol

/// One message of every type, filled.
enum Samples {
  static let digest = String(repeating: "0123456789abcdef", count: 4)

  static let hello = Hello(
    worker: "node7/cuda:0", incarnation: "a1b2", study: "quick", build: "0.1.0+abc",
    fingerprints: Fingerprints(base: "b", data: "d", settings: "s"), host: "node7", device: "cuda:0", pid: 4711,
    capabilities: Capabilities(memoryBytes: 80 << 30, cores: 8, evaluator: "memory"), studyIdentifier: "id",
    running: AttemptToken(3), retained: [AttemptToken(1), AttemptToken(2)])

  static let assignment = Assignment(
    attempt: AttemptToken(9), trial: 4, configuration: .memory(layers: [0, 3, 31], count: 4, rank: 16),
    seed: (1 << 53) - 1, leaseMilliseconds: 60_000)

  static let record = FailureRecord(
    failureClass: .outOfMemory, message: "CUDA out of memory", host: "node7", device: "cuda:0", deviceBytes: 80 << 30,
    exitStatus: nil, signal: 9, logLines: ["step 1", "line with \"quotes\" and \u{7F} ünïcode \n"],
    nextStep: "use a smaller rank")

  static let result = TrialResult(
    objectives: ["loss": 1.0625, "rougeL": 1e-300], standardErrors: ["loss": 0.25], metrics: ["seconds": 12],
    artifacts: [ArtifactReference(name: "adapter_model.safetensors", sha256: digest, bytes: 12)])

  static let all: [Message] = [
    .hello(hello), .ready, .accepted(AttemptReference(attempt: AttemptToken(9))),
    .start(AttemptReference(attempt: AttemptToken(9))),
    .report(IntermediateReport(token: AttemptToken(9), trial: 4, step: 10, values: ["loss": 0.1, "b": -3])),
    .heartbeat(Heartbeat(phase: .idle)),
    .heartbeat(
      Heartbeat(
        phase: .idle,
        device: DeviceStatus(
          name: "NVIDIA H200", memoryBytes: 141 << 30, memoryUsedBytes: 84 << 30, utilizationPercent: 61))),
    .heartbeat(
      Heartbeat(
        phase: .running, attempt: AttemptToken(9), progress: AttemptProgress(step: 3, total: 10, phase: "train"))),
    .result(ResultReport(attempt: AttemptToken(9), result: result)),
    .failure(FailureReport(attempt: AttemptToken(9), started: true, record: record)),
    .released(ReleaseReport(attempt: AttemptToken(9), reason: .preempted, checkpointStep: 77)),
    .goodbye(Notice(reason: "SIGTERM")),
    .artifactChunk(
      ArtifactChunk(sha256: digest, totalBytes: 12, offset: 4, chunkSHA256: digest, bytes: [1, 2, 3])),
    .welcome(
      Welcome(
        study: "quick", studyIdentifier: "id", session: "s1", heartbeatMilliseconds: 5000, leaseMilliseconds: 60_000,
        warnings: ["other build"])),
    .refused(Refusal(.fingerprints, "base differs")), .assign(assignment),
    .assign(
      Assignment(
        attempt: AttemptToken(10), trial: 5,
        configuration: .factors(["x": .number(0.5), "n": .integer(3), "on": .flag(true), "kind": .text("a")]), seed: 0,
        leaseMilliseconds: 1)),
    .cancel(Cancellation(attempt: AttemptToken(9), reason: .superseded)),
    .drain(Drain(immediately: false, reason: "budget used up")),
    .ack(Acknowledgement(of: 12, verdict: .superseded)),
  ]
}
