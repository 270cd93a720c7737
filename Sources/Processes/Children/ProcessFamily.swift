import Foundation
import Glibc

/// A variable that a program and everything it starts inherit: by it they are found wherever they have gone.
package struct ProcessMark: Sendable, Equatable {
  package var name: String
  package var value: String

  /// Of everything that one worker has started; the same for the next worker in this state folder, so that it finds what
  /// a killed one has left behind.
  ///
  /// The lock's identity stands beside the path: in containers that see each other's processes, paths are not unique.
  package static func worker(stateFolder: URL) -> ProcessMark {
    var information = stat()
    let isKnown = stat(stateFolder.appendingPathComponent("lock").path, &information) == 0
    let identity = isKnown ? "\(information.st_dev):\(information.st_ino)" : "new"
    return ProcessMark(name: "ENGRAM_WORKER_FAMILY", value: "\(identity):\(stateFolder.standardizedFileURL.path)")
  }

  /// Of everything that one execution of a trial's program has started.
  package static func trial() -> ProcessMark { ProcessMark(name: "ENGRAM_TRIAL_FAMILY", value: UUID().uuidString) }

  /// Whether an environment, as `/proc/PID/environ` shows it, carries the mark.
  package func isCarried(by environment: [UInt8]) -> Bool {
    let wanted = Array("\(name)=\(value)".utf8)
    return environment.split(separator: 0).contains { $0.elementsEqual(wanted) }
  }
}

/// All processes that a program has started, wherever they have gone.
///
/// A member stands in the program's process group, descends from it, or carries its mark in the environment (a daemon that
/// has left group and parent). Where this process adopts orphans (`adoptsOrphans`), everything below it is a member: also
/// what has left the group with an emptied environment.
package struct ProcessFamily: Sendable {
  /// The program, which leads the group; nil where only the mark is known.
  package var leader: pid_t?
  package var mark: ProcessMark
  /// Whether this process is a subreaper that runs nothing but this family: its descendants are the family's.
  package var adoptsOrphans = false

  package init(leader: pid_t? = nil, mark: ProcessMark, adoptsOrphans: Bool = false) {
    self.leader = leader
    self.mark = mark
    self.adoptsOrphans = adoptsOrphans
  }

  /// How long what is left of a program that has ended may take after SIGTERM; then comes SIGKILL.
  package static let leftoverGrace: Duration = .milliseconds(500)
  /// How long to wait for the dead to vanish after SIGKILL; only a process that hangs in the kernel takes longer.
  package static let killPatience: Duration = .seconds(3)

  /// The living members.
  package func members(_ table: ProcessTable = .read()) -> [ProcessEntry] {
    let own = getpid()
    let below = adoptsOrphans ? table.descendants(of: own) : leader.map { table.descendants(of: $0) } ?? []
    return table.entries.filter { entry in
      guard entry.pid != own, entry.pid > 1, !entry.isOver else { return false }
      if entry.pid == leader || below.contains(entry.pid) { return true }
      if let leader, entry.group == leader { return true }
      return ProcessTable.environment(of: entry.pid).map { mark.isCarried(by: $0) } ?? false
    }
  }

  /// Sends a signal to every member; one that is stopped runs again, so that it can obey.
  package func signal(_ number: Int32) {
    // The group first, in one call: nobody in it can start another process in between.
    if let leader { _ = Glibc.kill(-leader, number) }
    for member in members() {
      if member.group != leader { _ = Glibc.kill(member.pid, number) }
      if number != SIGKILL { _ = Glibc.kill(member.pid, SIGCONT) }
    }
  }

  /// Ends every member: SIGTERM, after `grace` SIGKILL, until nobody is left.
  ///
  /// - Parameters:
  ///   - grace: time between the two; zero or less = SIGKILL at once.
  ///   - isTold: whether SIGTERM was sent before.
  /// - Returns: who is still there after ``killPatience``: processes that hang in the kernel.
  @discardableResult
  package func end(grace: Duration = Self.leftoverGrace, isTold: Bool = false) -> [ProcessEntry] {
    defer { bury() }
    guard !members().isEmpty else { return [] }
    let clock = ContinuousClock()
    var limit = clock.now + grace
    if grace > .zero, !isTold { signal(SIGTERM) }
    // Nothing tells of the end of processes that are not this one's children: they are looked for.
    while clock.now < limit {
      usleep(10_000)
      bury()
      if members().isEmpty { return [] }
    }
    limit = clock.now + Self.killPatience
    while true {
      signal(SIGKILL)
      bury()
      let left = members()
      if left.isEmpty || clock.now >= limit { return left }
      usleep(10_000)
    }
  }

  /// Buries adopted orphans that have ended; the leader is its starter's to bury.
  package func bury() {
    guard adoptsOrphans else { return }
    let own = getpid()
    for entry in ProcessTable.read().entries where entry.parent == own && entry.isOver && entry.pid != leader {
      var word: Int32 = 0
      _ = waitpid(entry.pid, &word, WNOHANG)
    }
  }
}

/// Whether orphans of this process's descendants come to it instead of to the init process.
package enum Subreaper {
  private typealias ProcessControl = @convention(c) (Int32, UInt, UInt, UInt, UInt) -> Int32
  private static let childSubreaper: Int32 = 36

  /// Makes this process adopt what its descendants leave behind; false where the system cannot do that.
  package static func become() -> Bool {
    // A variadic C function, which Swift does not import.
    guard let symbol = dlsym(nil, "prctl") else { return false }
    return unsafeBitCast(symbol, to: ProcessControl.self)(childSubreaper, 1, 0, 0, 0) == 0
  }
}
