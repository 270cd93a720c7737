import Foundation
import Glibc
import Study
import Synchronization
import WireProtocol

/// Runs a local program for every trial: for people with a training script of their own.
///
/// The program stands in the worker's own configuration and never comes over the wire. It gets one JSON object on
/// standard input, `{"configuration":{…},"seed":n,"trial":n,"scratch":"/…"}`, and prints the objectives on the last line
/// of standard output: `{"loss":1.2,"rougeL":0.15}`, or `{"objectives":{…},"standardErrors":{…},"metrics":{…}}`. Exit
/// status 0 = done, 75 = preempted (runs again, not counted), anything else = failed. Lines before that one may report
/// intermediate values, any number of them by name: `{"step":100,"report":{"loss":1.9,"rougeL":0.11}}`.
public final class CommandEvaluator: TrialEvaluator {
  private let arguments: [String]
  private let environment: [String: String]
  private let objectives: [String]

  /// - Parameters:
  ///   - arguments: the program (found through PATH) and its arguments; no shell is involved.
  ///   - objectives: names that the program has to print.
  ///   - environment: added to the worker's environment.
  public init(arguments: [String], objectives: [String], environment: [String: String] = [:]) {
    self.arguments = arguments
    self.objectives = objectives
    self.environment = environment
  }

  public func prepare(_ monitor: EvaluationMonitor) throws {
    guard let program = arguments.first else {
      throw EvaluationError.unavailable("the command is empty", nextStep: "set evaluator.command")
    }
    guard Self.find(program) != nil else {
      throw EvaluationError.unavailable(
        "the program \(program) was not found", nextStep: "give its full path in evaluator.command")
    }
  }

  public func evaluate(_ request: EvaluationRequest, _ monitor: EvaluationMonitor) throws -> EvaluationResult {
    guard let program = arguments.first, let path = Self.find(program) else {
      throw EvaluationError.unavailable("the command is gone")
    }
    let input: JSONValue = .object([
      "configuration": try JSONValue(encoding: request.configuration), "seed": .integer(Int64(clamping: request.seed)),
      "trial": .integer(Int64(request.trial)), "scratch": .string(request.scratch.path),
    ])
    let (end, lastLine, lastWords) = try run(path, input.serialized() + [UInt8(ascii: "\n")], monitor)
    // Schedulers signal a whole job: a program that SIGTERM ended was preempted, too.
    let isPreempted = end.status == 75 || [SIGTERM, SIGINT, SIGUSR1].contains { end.signal == Int($0) }
    if monitor.isCancelled || isPreempted { throw EvaluationError.cancelled() }
    guard end.status == 0 else { throw Self.failure(end, lastWords) }
    return try read(lastLine)
  }

  private final class Output: Sendable {
    let lastLine = Mutex<[UInt8]>([])
    /// The last lines of standard error.
    let lastWords = Mutex<[String]>([])
    let end = Mutex<ProcessEnd?>(nil)
    let ended = DispatchSemaphore(value: 0)
  }

  private func run(
    _ path: String, _ input: [UInt8], _ monitor: EvaluationMonitor
  ) throws -> (ProcessEnd, [UInt8], [String]) {
    let output = Output()
    let environment = ProcessInfo.processInfo.environment.merging(self.environment) { $1 }
    let child = try ChildProcess(
      // In the trainer's group: whatever kills the trainer takes the program along.
      executable: path, arguments: Array(arguments.dropFirst()), environment: environment, ownGroup: false
    ) { event in
      switch event {
      case .output(let line):
        if let report = Self.report(line) {
          monitor.report(step: report.step, values: report.values)
        } else if line.contains(where: { $0 > 0x20 }) {
          output.lastLine.withLock { $0 = line }
        }
      case .log(let line):
        FileHandle.standardError.write(Data((line + "\n").utf8))
        output.lastWords.withLock { $0 = $0.suffix(2) + [String(line.prefix(300))] }
      case .ended(let end):
        output.end.withLock { $0 = end }
        output.ended.signal()
      }
    }
    child.write(input)
    child.closeInput()
    var cancelledTicks = 0
    // A running program is a sign of life: what it prints is its own business.
    while output.ended.wait(timeout: .now() + .milliseconds(500)) == .timedOut {
      monitor.progress(step: 0, total: 0, phase: "command")
      guard monitor.isCancelled else { continue }
      child.kill(cancelledTicks < 20 ? SIGTERM : SIGKILL)
      cancelledTicks += 1
    }
    return (
      output.end.withLock { $0 } ?? ProcessEnd(word: 0), output.lastLine.withLock { $0 },
      output.lastWords.withLock { $0 }
    )
  }

  /// A line of intermediate values; nil where it is anything else.
  private static func report(_ line: [UInt8]) -> (step: Int, values: [String: Double])? {
    // Most lines are a program's chatter: only what looks like an object is parsed.
    guard line.first == UInt8(ascii: "{"), case .object(let fields)? = try? JSONValue(parsing: line),
      case .integer(let step)? = fields["step"], step >= 0, case .object(let report)? = fields["report"]
    else { return nil }
    var values: [String: Double] = [:]
    for (name, value) in report {
      switch value {
      case .integer(let integer): values[name] = Double(integer)
      case .number(let number): values[name] = number
      case .null: values[name] = .nan
      default: return nil
      }
    }
    return (Int(step), values)
  }

  private static func failure(_ end: ProcessEnd, _ lastWords: [String]) -> EvaluationError {
    EvaluationError(
      .failed(end.signal == Int(SIGBUS) ? .hardware : .bug), "the command \(end)",
      nextStep: "run it by hand with the trial's JSON on standard input", lastWords: lastWords)
  }

  /// Reads the last line; every objective must be there.
  private func read(_ line: [UInt8]) throws -> EvaluationResult {
    let hint = "the last line of standard output must be JSON such as {\"\(objectives.first ?? "loss")\":1.0}"
    guard case .object(let fields)? = try? JSONValue(parsing: line) else {
      throw EvaluationError(.failed(.bug), "the command printed no JSON object", nextStep: hint)
    }
    func numbers(_ value: JSONValue?) throws -> [String: Double] {
      guard case .object(let fields)? = value else { return [:] }
      return try fields.mapValues { value in
        switch value {
        case .integer(let integer): Double(integer)
        case .number(let number): number
        case .null: .nan
        default: throw EvaluationError(.failed(.bug), "the command printed something that is no number", nextStep: hint)
        }
      }
    }
    let isNested = fields["objectives"] != nil
    let values = try numbers(isNested ? fields["objectives"] : .object(fields))
    for name in objectives where values[name] == nil {
      throw EvaluationError(.failed(.bug), "the command printed no value of \(name)", nextStep: hint)
    }
    guard isNested else { return EvaluationResult(objectives: values.filter { objectives.contains($0.key) }) }
    return EvaluationResult(
      objectives: values, standardErrors: try numbers(fields["standardErrors"]),
      metrics: try numbers(fields["metrics"]))
  }

  /// The program's full path.
  static func find(_ program: String) -> String? {
    if program.contains("/") { return access(program, X_OK) == 0 ? program : nil }
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":")
    return folders.map { "\($0)/\(program)" }.first { access($0, X_OK) == 0 }
  }
}
