import Study
import WireProtocol

/// Intermediate reports on their way: a few at a time, so that the connection has room for them.
extension WorkerRuntime {
  /// Reports that are sent within a tenth of a second.
  ///
  /// 40, so 400 a second: less than half of what a coordinator takes from one connection.
  static let reportsPerTick = 40

  /// Takes a report, unless the coordinator would refuse it for its form; that is said once per attempt.
  func pass(_ report: IntermediateReport) {
    if let problem = codec.problem(.report(report)) {
      guard unsentReports.insert(report.token).inserted else { return }
      note(.warning("trial \(report.trial): reports like that of step \(report.step) are not sent: \(problem.message)"))
      return
    }
    waitingReports.append(report)
    sendReports()
  }

  /// Sends what may be sent now; the result follows its last report.
  func sendReports() {
    if now >= reportRoomDue {
      reportRoom = Self.reportsPerTick
      reportRoomDue = now + Self.pace
    }
    let sent = waitingReports.prefix(reportRoom)
    waitingReports.removeFirst(sent.count)
    reportRoom -= sent.count
    for report in sent { send(session.report(report)) }
    guard waitingReports.isEmpty, let held = heldResult else { return }
    heldResult = nil
    finish(held.token, held.outcome)
  }

  /// Hands a result over when its reports have left, and everything else at once: nobody wants its reports any more.
  func finishAfterReports(_ token: AttemptToken, _ outcome: TrainerSupervisor.Outcome) {
    unsentReports.remove(token)
    if case .result = outcome, !waitingReports.isEmpty {
      heldResult = (token, outcome)
      return
    }
    waitingReports = []
    finish(token, outcome)
  }
}
