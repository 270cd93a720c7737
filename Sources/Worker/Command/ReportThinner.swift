/// Passes on so many of a trial's intermediate reports that the curve keeps its shape and nothing is flooded.
///
/// The first ``stage`` reports all, then every second for as many, every fourth, and so on: of n reports about
/// stage · log2(n / stage).
struct ReportThinner: Sendable, Equatable {
  /// Reports passed on before the distance between them doubles.
  ///
  /// 256: of 256 reports all are kept, of 2,000 about 800, of a million about 3,300.
  static let stage = 256

  private(set) var seen = 0
  private(set) var passed = 0
  private var stride = 1
  private var passedInStage = 0

  /// Whether the next report is passed on.
  mutating func next() -> Bool {
    defer { seen += 1 }
    guard seen.isMultiple(of: stride) else { return false }
    passed += 1
    passedInStage += 1
    if passedInStage >= Self.stage {
      stride *= 2
      passedInStage = 0
    }
    return true
  }
}
