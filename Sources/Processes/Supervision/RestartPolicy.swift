/// What becomes of a supervised process when it ends: pure, times are given.
package struct RestartPolicy: Sendable {
  package enum Decision: Equatable, Sendable {
    /// Start it again after so many seconds.
    case restart(after: Double)
    /// It has left for good, as it should.
    case left(status: Int32)
    /// It cannot work; starting it again would not help.
    case cannotWork(status: Int32)
    /// It has died too often.
    case diedTooOften(Int)
  }

  /// Longest wait before a start, in seconds; the waits double from 1 s.
  package static let longestWait = 60.0

  /// A process that lived for so many seconds starts over with the shortest wait.
  private let healthyLife: Double
  /// Deaths without a healthy life between them after which it is given up; nil = never.
  private let mostDeaths: Int?
  private var deaths = 0

  private init(healthyLife: Double, mostDeaths: Int?) {
    self.healthyLife = healthyLife
    self.mostDeaths = mostDeaths
  }

  /// Of a node's workers, whom nobody watches: started again for as long as the node is there.
  package static let fleet = RestartPolicy(healthyLife: 300, mostDeaths: nil)
  /// Of a search's own workers, before a person's eyes: whoever dies six times within a minute each is given up.
  package static let search = RestartPolicy(healthyLife: 60, mostDeaths: 5)

  /// - Parameters:
  ///   - lived: seconds since its start.
  ///   - isStopping: whether the supervisor was asked to stop.
  package mutating func ended(_ end: ProcessEnd, lived: Double, isStopping: Bool) -> Decision {
    switch WorkerExit(end) {
    case .left(let status): return .left(status: status)
    case .cannotWork(let status): return isStopping ? .left(status: status) : .cannotWork(status: status)
    case .died: break
    }
    if isStopping { return .left(status: ExitStatus.temporary.rawValue) }
    deaths = lived >= healthyLife ? 1 : deaths + 1
    if let mostDeaths, deaths > mostDeaths { return .diedTooOften(deaths) }
    return .restart(after: min(Self.longestWait, Double(1 << min(deaths - 1, 10))))
  }

  /// The exit status of a supervisor from those of its members.
  package static func status(_ members: [Int32], isStopping: Bool) -> Int32 {
    let temporary = ExitStatus.temporary.rawValue
    if isStopping { return temporary }
    // One that saw the end of the study speaks for all.
    if members.contains(ExitStatus.success.rawValue) { return ExitStatus.success.rawValue }
    return members.first { $0 != temporary } ?? members.first ?? ExitStatus.success.rawValue
  }
}
