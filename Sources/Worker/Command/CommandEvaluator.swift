import Foundation
import Foundations
import Glibc
import Processes
import StrictJSON
import Study
import Synchronization

/// Runs a local program for every trial: for people with a training script of their own.
///
/// The program stands in the worker's own configuration and never comes over the wire. It gets one JSON object on
/// standard input, `{"configuration":{…},"seed":n,"trial":n,"scratch":"/…"}`, and prints the objectives on the last line
/// of standard output: `{"loss":1.2,"rougeL":0.15}`, or `{"objectives":{…},"standardErrors":{…},"metrics":{…}}`. An
/// objective that is not finite (null, NaN, Infinity) makes the trial `diverged`. Exit status 0 = done, 75 = preempted
/// (runs again, not counted), anything else = failed. Lines before that one may report intermediate values, any number of
/// them by name: `{"step":100,"report":{"loss":1.9,"rougeL":0.11}}`.
///
/// The program leads a process group of its own. Whatever it has started ends with it, before the next trial begins.
package final class CommandEvaluator: TrialEvaluator {
  private let program: CommandProgram
  private let environment: [String: String]
  private let objectives: [String]
  private let endGrace: Duration
  /// Notes that were given already: what is the same in every trial is said once.
  private var saidNotes: Set<String> = []

  /// - Parameters:
  ///   - arguments: the program and its arguments; no shell is involved.
  ///   - objectives: names that the program has to print.
  ///   - environment: added to the worker's environment.
  ///   - studyFile: the study's file: relative paths of program and script are looked for in its folder first.
  ///   - endGrace: how long a cancelled program may take to end after SIGTERM, before SIGKILL. Default 10 s.
  package init(
    arguments: [String], objectives: [String], environment: [String: String] = [:], studyFile: URL? = nil,
    endGrace: Duration = .seconds(10)
  ) {
    self.endGrace = endGrace
    program = CommandProgram(arguments: arguments, folder: studyFile?.deletingLastPathComponent())
    self.environment = environment
    self.objectives = objectives
  }

  package func prepare(_ monitor: EvaluationMonitor) throws { _ = try program.resolve() }

  /// The program once more: it may have gone away since the worker began.
  private func find() throws -> CommandProgram.Resolved {
    do throws(EvaluationError) {
      return try program.resolve()
    } catch {
      throw EvaluationError.unavailable(
        "\(error.message); it was there when this worker began", nextStep: "put it back and start the worker again")
    }
  }

  package func evaluate(_ request: EvaluationRequest, _ monitor: EvaluationMonitor) throws -> EvaluationResult {
    let input: JSONValue = .object([
      "configuration": try JSONValue(encoding: request.configuration), "seed": .integer(Int(clamping: request.seed)),
      "trial": .integer(request.trial), "scratch": .string(request.scratch.path),
    ])
    let resolved = try find()
    let kills = ProcessMemory.outOfMemoryKills()
    let run = try CommandRun.start(
      resolved, environment: ProcessInfo.processInfo.environment.merging(environment) { $1 }, objectives: objectives,
      endGrace: endGrace, monitor)
    let end = run.finish(input: input.serialized() + [UInt8(ascii: "\n")])
    let found = run.found
    for survivor in found.survivors {
      StandardError.write(
        "process \(survivor.pid) (\(survivor.name)) of the command hangs in the kernel and could not be ended")
    }
    if monitor.isCancelled { throw EvaluationError.cancelled() }
    // Schedulers signal a whole job: a program that SIGTERM ended was preempted, too.
    if end.status == 75 || [SIGTERM, SIGINT, SIGUSR1].contains(where: { end.signal == Int($0) }) {
      throw EvaluationError.givenBack("the command \(end)")
    }
    do {
      guard end.status == 0 else { throw failure(end, found, isOutOfMemory: ProcessMemory.outOfMemoryKills() > kills) }
      var result = try CommandResult.read(found.output, objectives: objectives)
      result.notes = result.notes.filter { saidNotes.insert($0).inserted }
      return result
    } catch let error as EvaluationError {
      // A program that was taken away while it ran fails in many ways, none of them the trial's fault.
      for file in resolved.files where access(file, F_OK) != 0 {
        throw EvaluationError.unavailable(
          "\(file), which the command needs, is gone; \(error.message)",
          nextStep: "put it back and start the worker again")
      }
      throw error
    }
  }

  private func failure(_ end: ProcessEnd, _ found: CommandRun.Found, isOutOfMemory: Bool) -> EvaluationError {
    if isOutOfMemory, end.signal == Int(SIGKILL) || end.status == 128 + Int(SIGKILL) {
      var error = EvaluationError.outOfMemory("the kernel killed the command for lack of memory")
      error.lastWords = found.lastWords
      return error
    }
    var text = "the command \(end)"
    switch end.status ?? 0 {
    case 126: text += " (what a shell says of a program that may not be executed)"
    case 127: text += " (what a shell says of a program that is not there)"
    case 129...160:
      text += " (what a shell says of a program that \(ProcessEnd.name((end.status ?? 0) - 128)) has ended)"
    default: break
    }
    if found.lastWords.isEmpty, found.output.lineCount > 0 {
      text += "; the last line of its output: \(found.output.last.printable())"
    }
    return EvaluationError(
      .failed(end.signal == Int(SIGBUS) ? .hardware : .bug), text,
      nextStep: "run it by hand with the trial's JSON on standard input", lastWords: found.lastWords)
  }
}
