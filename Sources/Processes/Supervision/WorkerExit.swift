/// What the end of a worker's process means: one table for everybody who watches over workers.
///
/// | exit status | meaning |
/// |---|---|
/// | success | the study is over |
/// | temporary, interrupted | it left because it was asked to, and has given its trial back |
/// | unexpected … refused | it cannot work (wrong file, data, disk, refused); starting it again would not help |
/// | anything else, a signal | it died |
package enum WorkerExit: Equatable, Sendable {
  case left(status: Int32)
  case cannotWork(status: Int32)
  case died

  package init(_ end: ProcessEnd) {
    guard let status = end.status.map({ Int32($0) }) else {
      self = .died
      return
    }
    switch ExitStatus(rawValue: status) {
    case .success, .temporary, .interrupted: self = .left(status: status)
    case .unexpected, .usage, .notFound, .conflict, .storage, .refused: self = .cannotWork(status: status)
    case .unavailable, nil: self = .died
    }
  }
}
