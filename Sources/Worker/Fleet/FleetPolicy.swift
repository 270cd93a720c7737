/// What becomes of a worker process of a fleet when it ends: pure, times are given.
package struct FleetPolicy: Sendable {
  package enum Decision: Equatable, Sendable {
    /// Start it again after so many seconds.
    case restart(after: Double)
    /// It has left for good, as it should.
    case left(status: Int32)
    /// It cannot work; starting it again would not help.
    case gaveUp(status: Int32)
  }

  /// Longest wait before a start, in seconds.
  package static let longestWait = 60.0
  /// A process that lived for so many seconds starts over with the shortest wait.
  package static let healthyLife = 300.0

  static let temporary = WorkerExit.temporary

  private var failures = 0

  package init() {}

  /// - Parameters:
  ///   - lived: seconds since its start.
  ///   - isStopping: whether the fleet was asked to stop.
  package mutating func ended(_ end: ProcessEnd, lived: Double, isStopping: Bool) -> Decision {
    switch WorkerExit(end) {
    case .left(let status): return .left(status: status)
    case .cannotWork(let status): return isStopping ? .left(status: status) : .gaveUp(status: status)
    case .died: break
    }
    if isStopping { return .left(status: Self.temporary) }
    failures = lived >= Self.healthyLife ? 1 : failures + 1
    return .restart(after: min(Self.longestWait, Double(1 << min(failures - 1, 10))))
  }

  /// The exit status of the whole fleet from those of its members.
  package static func status(_ members: [Int32], isStopping: Bool) -> Int32 {
    if isStopping { return Self.temporary }
    // One that saw the end of the study speaks for all.
    if members.contains(0) { return 0 }
    return members.first { $0 != Self.temporary } ?? members.first ?? 0
  }
}
