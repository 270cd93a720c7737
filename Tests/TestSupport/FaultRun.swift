import Foundation

/// Which form of the fault tests runs: the short one of every test run, or the full one of `make faults`.
///
/// `ENGRAM_FAULTS=full` chooses the full form, `ENGRAM_SEED=n` another seed, `ENGRAM_FAULT_COUNT=n` another count.
public enum FaultForm {
  private static func variable(_ name: String) -> String? {
    guard let value = ProcessInfo.processInfo.environment[name], !value.isEmpty else { return nil }
    return value
  }

  public static let isFull = variable("ENGRAM_FAULTS") == "full"
  /// Whether a run was asked for that wants more than every test run does.
  public static let isOnDemand = variable("ENGRAM_FAULTS") != nil

  public static func count(short: Int, full: Int) -> Int {
    variable("ENGRAM_FAULT_COUNT").flatMap { Int($0) } ?? (isFull ? full : short)
  }

  public static func seed(_ standard: UInt64) -> UInt64 { variable("ENGRAM_SEED").flatMap { UInt64($0) } ?? standard }
}

/// One promise under test: what was done to it, what fired, and what went wrong.
///
/// Used by one thread.
public final class FaultRun {
  /// What a run left behind.
  public struct Outcome: Sendable {
    public var promise: String
    public var seed: UInt64
    /// What was run, in a few words.
    public var what = ""
    public var count = 0
    /// How often each fault happened; a run in which none did proves nothing.
    public var fired: [String: Int] = [:]
    public var problems: [String] = []
    /// Figures for the record.
    public var notes: [String] = []
    public var skipped: String?
    public var seconds = 0.0

    /// The verdict in a word or a sentence.
    public var verdict: String {
      if let skipped { return "skipped: \(skipped)" }
      return problems.isEmpty ? "held" : "BROKEN: \(problems.prefix(3).joined(separator: "; "))"
    }
  }

  public var outcome: Outcome

  init(_ promise: String, seed: UInt64) { outcome = Outcome(promise: promise, seed: seed) }

  public var seed: UInt64 { outcome.seed }

  /// Notes a fault that happened.
  public func fire(_ name: String, _ times: Int = 1) { outcome.fired[name, default: 0] += times }

  /// Number of faults that happened.
  public var fired: Int { outcome.fired.values.reduce(0, +) }

  /// Notes a problem unless the condition holds.
  public func check(_ condition: Bool, _ problem: @autoclosure () -> String) {
    if !condition { outcome.problems.append(problem()) }
  }

  public func note(_ text: String) { outcome.notes.append(text) }

  /// Runs `body` on a thread of its own and records what came of it.
  ///
  /// The outcome is printed and, with `ENGRAM_FAULTS_TABLE=FILE`, added to that file as a row of a Markdown table.
  public static func perform(
    _ promise: String, seed: UInt64 = 11, _ body: @escaping @Sendable (FaultRun) throws -> Void
  ) async -> Outcome {
    let seed = FaultForm.seed(seed)
    let outcome = await withCheckedContinuation { continuation in
      let thread = Thread {
        let start = ContinuousClock.now
        let run = FaultRun(promise, seed: seed)
        do {
          try body(run)
        } catch {
          run.outcome.problems.append("\(error)")
        }
        if run.outcome.skipped == nil && run.fired == 0 { run.outcome.problems.append("no fault happened") }
        let parts = start.duration(to: .now).components
        run.outcome.seconds = Double(parts.seconds) + Double(parts.attoseconds) * 1e-18
        continuation.resume(returning: run.outcome)
      }
      thread.stackSize = 8 << 20
      thread.start()
    }
    outcome.record()
    return outcome
  }
}

extension FaultRun.Outcome {
  private var faults: String {
    fired.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
  }

  /// Prints the outcome and adds it to the table, where one is wanted.
  public func record() {
    let text = notes.joined(separator: "; ")
    print(
      "\(promise): \(verdict); \(what); seed \(seed), fired: \(faults); \(text)",
      "(\(String(format: "%.1f", seconds)) s; again: make faults PROMISE=\(promise) SEED=\(seed))")
    let environment = ProcessInfo.processInfo.environment
    guard let path = environment["ENGRAM_FAULTS_TABLE"], !path.isEmpty else { return }
    let date = Date().formatted(.iso8601.year().month().day())
    let cells = [
      promise, what, "\(count)", faults, ([verdict] + notes).joined(separator: "; "), String(format: "%.0f", seconds),
      "\(seed)", date, environment["ENGRAM_COMMIT"] ?? "",
    ]
    let row = "| " + cells.map { $0.replacingOccurrences(of: "|", with: "/") }.joined(separator: " | ") + " |\n"
    guard let file = fopen(path, "a") else { return }
    fputs(row, file)
    fclose(file)
  }
}
