import FaultInjection
import Foundation
import TestSupport

/// A process that a fault test kills, stops and reads: its output goes to a file that can be read at any time.
final class FaultProcess {
  private let process = Process()
  private let log: URL

  /// - Parameters:
  ///   - log: appended to.
  ///   - launcher: program and arguments before `engram`, such as `ip netns exec NAME`.
  init(_ arguments: [String], environment: [String: String] = [:], log: URL, launcher: [String] = []) throws {
    self.log = log
    // Only where a fault is ordered: everything else is done to the program as it is installed.
    let isFaulty = FaultVariable.allCases.contains { environment[$0.rawValue] != nil }
    let program = isFaulty ? EngramProcess.faulty : EngramProcess.executable
    let words = launcher + [program.path] + arguments
    process.executableURL = URL(fileURLWithPath: words[0])
    process.arguments = Array(words.dropFirst())
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    let descriptor = open(log.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw FaultTestError("cannot write \(log.path)") }
    let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    process.standardOutput = handle
    process.standardError = handle
    try process.start()
  }

  deinit { if process.isRunning { kill(SIGKILL) } }

  var pid: pid_t { process.processIdentifier }
  var isRunning: Bool { process.isRunning }

  /// Everything printed so far.
  var output: String { (try? String(contentsOf: log, encoding: .utf8)) ?? "" }

  func kill(_ signal: Int32) { Foundation.kill(pid, signal) }

  /// Waits for the end; the exit status (128 + signal), or nil when it did not come in time.
  func wait(_ seconds: Double) -> Int32? {
    guard Patience.wait(seconds, { !process.isRunning }) else { return nil }
    return process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus
  }

  /// Kills the process and waits until it is gone.
  func destroy() {
    kill(SIGKILL)
    _ = wait(20)
  }

  /// Processes that `pid` started.
  static func children(of pid: pid_t) -> [pid_t] {
    let text = (try? String(contentsOfFile: "/proc/\(pid)/task/\(pid)/children", encoding: .utf8)) ?? ""
    return text.split(separator: " ").compactMap { pid_t($0) }
  }

  /// Children started from any thread of `pid`.
  static func allChildren(of pid: pid_t) -> [pid_t] {
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
    return threads.flatMap { thread in
      let text = (try? String(contentsOfFile: "/proc/\(pid)/task/\(thread)/children", encoding: .utf8)) ?? ""
      return text.split(separator: " ").compactMap { pid_t($0) }
    }
  }

  /// Resident memory of `pid` in bytes.
  static func residentBytes(of pid: pid_t) -> Int {
    let text = (try? String(contentsOfFile: "/proc/\(pid)/statm", encoding: .utf8)) ?? ""
    let fields = text.split(separator: " ")
    return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
  }
}

struct FaultTestError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// Waiting in tests: looks often, gives up late.
enum Patience {
  /// Whether the condition came true within `seconds`.
  static func wait(_ seconds: Double, every interval: Double = 0.01, _ condition: () -> Bool) -> Bool {
    let limit = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < limit {
      if condition() { return true }
      usleep(useconds_t(interval * 1e6))
    }
    return condition()
  }

  /// Waits for a condition that has to come true.
  static func require(_ what: String, _ seconds: Double = 60, _ condition: () -> Bool) throws {
    if !wait(seconds, condition) { throw FaultTestError("\(what): not within \(Int(seconds)) s") }
  }
}
