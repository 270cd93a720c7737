/// What kind of failure ended an attempt; each class has its own policy (``RetryPolicy``).
///
/// A struct, so that new classes do not break callers; decoding accepts only the classes known here.
package struct FailureClass: Hashable, Sendable, Codable, CustomStringConvertible {
  /// The name on the wire, in the database and in JSON.
  package let name: String

  private init(name: String) { self.name = name }

  /// Taken away by the scheduler or the operator: not counted, the trial runs again.
  package static let preempted = FailureClass(name: "preempted")
  /// The device's (or host's) memory did not suffice: not retried on the same size, feeds feasibility.
  package static let outOfMemory = FailureClass(name: "outOfMemory")
  /// Loss or another objective became NaN or infinite: terminal.
  package static let diverged = FailureClass(name: "diverged")
  /// The device or the node is broken: retried elsewhere, the worker is quarantined after several.
  package static let hardware = FailureClass(name: "hardware")
  /// Everything else, presumed to be a defect in code or data: retried until the cap of started attempts.
  package static let bug = FailureClass(name: "bug")

  /// All classes, in the order of the documentation.
  package static let all: [FailureClass] = [.preempted, .outOfMemory, .diverged, .hardware, .bug]

  /// The class of that name, or nil.
  package init?(_ name: String) {
    guard let known = Self.all.first(where: { $0.name == name }) else { return nil }
    self = known
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let name = try container.decode(String.self)
    guard let known = Self(name) else {
      throw DecodingError.dataCorruptedError(
        in: container,
        debugDescription: "unknown failure class \"\(name)\"; known: \(Self.all.map(\.name).joined(separator: ", "))")
    }
    self = known
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(name)
  }

  package var description: String { name }

  /// Whether the machine may be to blame: everything but what the configuration itself brings about.
  var blamesWorker: Bool { self == .bug || self == .hardware }
}
