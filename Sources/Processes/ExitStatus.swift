/// What a process of this program tells its caller: the one table, for commands, workers and whoever watches over them.
package enum ExitStatus: Int32, Sendable, CaseIterable {
  case success = 0
  case unexpected = 1
  case usage = 2
  case notFound = 3
  case conflict = 4
  case storage = 5
  case refused = 6
  /// Try again later (sysexits' EX_TEMPFAIL); of a worker or a trial's program: it was asked to leave.
  case temporary = 75
  /// Of a trainer: its evaluator cannot work, and starting it again would not help (sysexits' EX_CONFIG).
  case unavailable = 78
  /// Asked twice to leave.
  case interrupted = 130
}
