import Glibc

/// How a child process ended.
package struct ProcessEnd: Sendable, Equatable, CustomStringConvertible {
  /// Exit status, where it exited.
  package var status: Int?
  /// Signal, where one ended it.
  package var signal: Int?

  /// How a process ended that somebody else has waited for: exactly one of the two is set.
  package init(status: Int? = nil, signal: Int? = nil) {
    self.status = status
    self.signal = signal
  }

  /// Reads the status word of `waitpid`.
  package init(word: Int32) {
    let signalNumber = word & 0x7F
    if signalNumber == 0 { status = Int((word >> 8) & 0xFF) } else { signal = Int(signalNumber) }
  }

  package var description: String {
    if let signal { return "was killed by signal \(signal) (\(Self.name(signal)))" }
    return "exited with status \(status ?? -1)"
  }

  package static func name(_ signal: Int) -> String {
    let names: [Int32: String] = [
      SIGKILL: "SIGKILL", SIGSEGV: "SIGSEGV", SIGABRT: "SIGABRT", SIGILL: "SIGILL", SIGTRAP: "SIGTRAP",
      SIGBUS: "SIGBUS", SIGFPE: "SIGFPE", SIGTERM: "SIGTERM", SIGINT: "SIGINT", SIGHUP: "SIGHUP", SIGPIPE: "SIGPIPE",
      SIGUSR1: "SIGUSR1",
    ]
    return names[Int32(signal)] ?? "signal \(signal)"
  }
}

/// A process that could not be started.
package struct SpawnError: Error, CustomStringConvertible {
  /// The system's error number.
  package let code: Int32
  package let description: String
  init(_ text: String, _ code: Int32) {
    self.code = code
    description = "\(text): \(String(cString: strerror(code)))"
  }
}
