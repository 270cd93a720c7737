/// What the end of a worker's process means: one table for everybody who watches over workers.
///
/// | exit status | meaning |
/// |---|---|
/// | 0 | the study is over |
/// | 75, 130 | it left because it was asked to, and has given its trial back |
/// | 1 … 6 | it cannot work (wrong file, data, disk, refused); starting it again would not help |
/// | anything else, a signal | it died |
package enum WorkerExit: Equatable, Sendable {
  case left(status: Int32)
  case cannotWork(status: Int32)
  case died

  /// Exit status of a worker that was asked to leave (sysexits' EX_TEMPFAIL), and of one that was asked twice.
  static let temporary: Int32 = 75
  static let interrupted: Int32 = 130

  package init(_ end: ProcessEnd) {
    guard let status = end.status.map({ Int32($0) }) else {
      self = .died
      return
    }
    switch status {
    case 0, Self.temporary, Self.interrupted: self = .left(status: status)
    case 1...6: self = .cannotWork(status: status)
    default: self = .died
    }
  }
}
