import Processes
import WireProtocol

/// Time: the worker wakes when something is due, not to look whether it is.
extension WorkerRuntime {
  /// A wake-up that is under way.
  struct Alarm {
    var due: Duration
    var task: Task<Void, Never>
  }

  /// Two wake-ups are at least so far apart: reports leave at this pace, and while nobody has welcomed this worker its
  /// connection is asked so often how far it has come, since a transport does not tell.
  static let pace: Duration = .milliseconds(100)

  /// When something is due next.
  private var nextWake: Duration {
    var wake = min(session.nextDeadline, supervisor.nextDeadline ?? session.nextDeadline)
    if settings.deviceStatus != nil { wake = min(wake, deviceDue) }
    if !waitingReports.isEmpty { wake = min(wake, reportRoomDue) }
    if session.isConnected, let due = uploads.nextDue { wake = min(wake, due) }
    return session.isConnecting ? min(wake, now + Self.pace) : wake
  }

  /// Has time looked at when something is due; an earlier alarm stays.
  func setAlarm() {
    let due = max(nextWake, now + Self.pace)
    if let alarm, alarm.due <= due { return }
    alarm?.task.cancel()
    let (clock, feed, instant) = (clock, feed, origin + due)
    alarm = Alarm(
      due: due,
      task: Task {
        do { try await clock.sleep(until: instant) } catch { return }
        feed.yield(.tick)
      })
  }
}
