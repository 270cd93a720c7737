import BayesianOptimization
import Foundation
import Glibc
import Study
import Synchronization
import TestSupport
import Testing
import StrictJSON
import WireProtocol

@testable import Processes
@testable import Worker

@Suite(.bounded) struct EvaluatorTests {
  private func request(_ trial: Int = 3, scratch: URL = FileManager.default.temporaryDirectory) -> EvaluationRequest {
    EvaluationRequest(
      configuration: .memory(layers: [0, 2], count: 4, rank: 16), seed: 9, trial: trial, attempt: AttemptToken(5),
      scratch: scratch)
  }

  private func command(_ script: String) -> CommandEvaluator {
    CommandEvaluator(arguments: ["sh", "-c", script], objectives: ["loss", "rougeL"])
  }

  private func kind(_ script: String) -> EvaluationError.Kind? {
    do {
      _ = try command(script).evaluate(request(), EvaluationMonitor())
      return nil
    } catch let error as EvaluationError {
      return error.kind
    } catch {
      return nil
    }
  }

  @Test(.ownThread) func theCommandGetsTheTrialAndItsLastLineCounts() throws {
    let folder = try TemporaryFolder()
    let copy = folder.url.appendingPathComponent("in").path
    let evaluator = command(
      "cat > \(copy); echo noise; echo '{\"loss\":1.5,\"rougeL\":0.25,\"other\":3}'; echo; echo x >&2")
    try evaluator.prepare(EvaluationMonitor())
    let result = try evaluator.evaluate(request(), EvaluationMonitor())
    #expect(result.measured.objectives == ["loss": 1.5, "rougeL": 0.25])
    let input = try JSONValue(parsing: [UInt8](Data(contentsOf: URL(fileURLWithPath: copy)).dropLast()))
    guard case .object(let fields) = input else {
      Issue.record("no object")
      return
    }
    #expect(fields["configuration"] == ["layers": [0, 2], "count": 4, "rank": 16])
    #expect(fields["seed"] == 9)
  }

  @Test(.ownThread) func theCommandMayReportVectorsOnItsWay() throws {
    struct Report: Equatable {
      var step: Int
      var values: [String: Double]
    }
    let reports = Mutex<[Report]>([])
    let monitor = EvaluationMonitor(onReport: { step, values in
      reports.withLock { $0.append(Report(step: step, values: values)) }
    })
    let script = """
      echo '{"step":1,"report":{"loss":2,"rougeL":0.125}}'; echo noise
      echo '{"step":2,"report":{"loss":1.5}}'; echo '{"step":-1,"report":{"loss":1}}'; echo '{"step":3,"report":7}'
      echo '{"loss":1,"rougeL":0.5}'; echo '{"step":4,"report":{"rougeL":0.25}}'
      """
    let result = try command(script).evaluate(request(), monitor)
    #expect(
      reports.withLock { $0 } == [
        Report(step: 1, values: ["loss": 2, "rougeL": 0.125]), Report(step: 2, values: ["loss": 1.5]),
        Report(step: 4, values: ["rougeL": 0.25]),
      ])
    // The last line that is no report is the result.
    #expect(result.measured.objectives == ["loss": 1, "rougeL": 0.5])
  }

  @Test(.ownThread) func theCommandsExitStatusAndOutputAreJudged() {
    #expect(kind("exit 75") == .cancelled(checkpointStep: nil))
    #expect(kind("exit 3") == .failed(.bug))
    #expect(kind("kill -9 $$") == .failed(.bug))
    #expect(kind("echo hello") == .failed(.bug))
    #expect(kind("echo '{\"loss\":1}'") == .failed(.bug))
    #expect(kind("echo '{\"loss\":1,\"rougeL\":\"high\"}'") == .failed(.bug))
    #expect(kind("echo '{\"objectives\":{\"loss\":1,\"rougeL\":null},\"metrics\":{\"s\":1}}'") == .failed(.diverged))
    #expect(kind("echo '{\"objectives\":{\"loss\":1,\"rougeL\":0},\"metrics\":{\"s\":1}}'") == nil)
    #expect(throws: EvaluationError.self) {
      try CommandEvaluator(arguments: ["/no/such/program"], objectives: []).prepare(EvaluationMonitor())
    }
  }

  @Test(.ownThread) func aCancelledCommandIsEnded() throws {
    let monitor = EvaluationMonitor()
    monitor.cancel()
    #expect(throws: EvaluationError.cancelled()) { try command("sleep 1000").evaluate(request(), monitor) }
  }

  @Test func theAnalyticEvaluatorGivesTheFunctionsValuesAndCanBeCancelled() throws {
    let problem = try #require(AnalyticProblem.named("zdt1"))
    let evaluator = AnalyticEvaluator(problem: problem)
    let cancelled = EvaluationMonitor()
    cancelled.cancel()
    #expect(throws: EvaluationError.cancelled()) { try evaluator.evaluate(request(), cancelled) }
  }

  @Test func theTrainerProtocolComesBackAsItWasSent() throws {
    let commands: [TrainerCommand] = [
      .evaluate(request(scratch: URL(fileURLWithPath: "/tmp/x y/z"))), .cancel, .exit,
    ]
    for command in commands {
      #expect(try TrainerCodec.command(TrainerCodec.line(command).dropLast()) == command)
    }
    let result = EvaluationResult(
      TrialResult(objectives: ["loss": 1.25], standardErrors: ["loss": 0.5], metrics: ["s": 1e-9]))
    let folder = try TemporaryFolder()
    let url = folder.url.appendingPathComponent("a")
    try Data("abc".utf8).write(to: url)
    let file = try LocalArtifact(name: "a.safetensors", url: url)
    #expect(file.reference.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    let messages: [TrainerMessage] = [
      .ready(memoryBytes: 1), .unavailable(message: "m", nextStep: nil), .started,
      .progress(AttemptProgress(step: 1, total: 2, phase: "train")), .report(step: 1, values: ["loss": 1]),
      .result(result, files: [file], memoryBytes: 3),
      .failure(.outOfMemory, message: "m", nextStep: "n", memoryBytes: 4, lastWords: ["a", "b"]),
      .cancelled(checkpointStep: 3, memoryBytes: 5), .cancelled(checkpointStep: nil, memoryBytes: 5),
    ]
    for message in messages {
      #expect(try TrainerCodec.message(TrainerCodec.line(message).dropLast()) == message)
    }
    #expect(throws: (any Error).self) { try TrainerCodec.message(Array("{\"type\":\"what\"}".utf8)) }
    #expect(throws: (any Error).self) { try TrainerCodec.message(Array("{}".utf8)) }
  }

  /// The true trainer loop in a process of its own: ready, one trial, a not-a-number, a cancelled one, then the end.
  @Test func theTrainerLoopServesAWholeConversation() async {
    await #expect(processExitsWith: .exitCode(0)) {
      final class Evaluator: TrialEvaluator {
        func prepare(_ monitor: EvaluationMonitor) { print("noise on standard output") }
        func evaluate(_ request: EvaluationRequest, _ monitor: EvaluationMonitor) throws -> EvaluationResult {
          if request.trial == 1 { return EvaluationResult(TrialResult(objectives: ["loss": .nan])) }
          if request.trial == 2 {
            monitor.progress(step: 1, total: 2, phase: "wait")
            while true {
              try monitor.checkCancelled()
              usleep(1000)
            }
          }
          return EvaluationResult(TrialResult(objectives: ["loss": 1]))
        }
      }
      var input: [Int32] = [0, 0]
      var output: [Int32] = [0, 0]
      guard pipe(&input) == 0, pipe(&output) == 0 else { exit(10) }
      dup2(input[0], STDIN_FILENO)
      dup2(output[1], STDOUT_FILENO)
      let (toTrainer, fromTrainer) = (input[1], output[0])
      Thread {
        func say(_ command: TrainerCommand) {
          guard let line = try? TrainerCodec.line(command) else { exit(12) }
          _ = write(toTrainer, line, line.count)
        }
        func request(_ trial: Int) -> TrainerCommand {
          .evaluate(
            EvaluationRequest(
              configuration: .memory(layers: [], count: 0, rank: 0), seed: 1, trial: trial, attempt: AttemptToken(1),
              scratch: FileManager.default.temporaryDirectory))
        }
        var step = 0
        LineReader.read(fromTrainer, limit: 1 << 20) { line in
          guard let message = try? TrainerCodec.message(line) else { exit(11) }
          switch (step, message) {
          case (0, .ready(let memory)) where memory > 0: say(request(0))
          case (1, .started), (3, .started), (5, .started): break
          case (2, .result(let result, _, _)) where result.measured.objectives == ["loss": 1]: say(request(1))
          case (4, .failure(.diverged, _, _, _, _)): say(request(2))
          case (6, .progress): say(.cancel)
          case (7, .cancelled): say(.exit)
          default: exit(Int32(20 + step))
          }
          step += 1
        }
      }.start()
      exit(TrainerMain.run(evaluator: Evaluator()))
    }
  }
}
