import Glibc
import Processes

/// The workers of a node, one per device: their lines appear with their label in front, signals are passed on.
package enum WorkerFleet {
  /// Runs until every member has left; gives the exit status.
  ///
  /// - Parameter note: takes the lines.
  package static func run(_ members: [Supervisor.Member], note: @escaping @Sendable (String) -> Void) async -> Int32 {
    let supervisor = Supervisor(members, policy: .fleet) { note("[\($0.label)] \(text($1))") }
    let signals = SignalWatch(repetition: .handedOn) { number in
      // A hang-up of the terminal is a wish to leave.
      let wish = number == SIGHUP ? SIGTERM : number
      let count = supervisor.stop(wish)
      note("\(ProcessEnd.name(Int(wish))): passed on to \(count) worker(s)")
    }
    defer { signals.stop() }
    return await supervisor.run()
  }

  private static func text(_ event: Supervisor.Event) -> String {
    func rest(_ others: Int) -> String { others > 0 ? ". \(others) worker(s) go on" : "" }
    return switch event {
    case .line(let line): line
    case .died(let end, let seconds): "\(end); starting it again in \(Int(seconds)) s"
    case .left(let status, _): status == 0 ? "has left" : "has left with status \(status)"
    case .cannotWork(let status, let others):
      "cannot work (status \(status)); its last lines say why\(rest(others))"
    case .diedTooOften(let times, let end, let others): "died \(times) times in a row; it \(end)\(rest(others))"
    case .notStarted(let why, let others): "cannot be started: \(why)\(rest(others))"
    }
  }
}
