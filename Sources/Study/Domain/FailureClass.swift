/// What kind of failure ended an attempt; each class has its own policy (``RetryPolicy``).
///
/// A struct, so that new classes do not break callers; decoding accepts only the classes known here.
public struct FailureClass: Hashable, Sendable, Codable, CustomStringConvertible {
  /// The name on the wire, in the database and in JSON.
  public let name: String

  private init(name: String) { self.name = name }

  /// Taken away by the scheduler or the operator: not counted, the trial runs again.
  public static let preempted = FailureClass(name: "preempted")
  /// The device's (or host's) memory did not suffice: not retried on the same size, feeds feasibility.
  public static let outOfMemory = FailureClass(name: "outOfMemory")
  /// Loss or another objective became NaN or infinite: terminal.
  public static let diverged = FailureClass(name: "diverged")
  /// The device or the node is broken: retried elsewhere, the worker is quarantined after several.
  public static let hardware = FailureClass(name: "hardware")
  /// Everything else, presumed to be a defect in code or data: retried until the cap of started attempts.
  public static let bug = FailureClass(name: "bug")

  /// All classes, in the order of the documentation.
  public static let all: [FailureClass] = [.preempted, .outOfMemory, .diverged, .hardware, .bug]

  /// The class of that name, or nil.
  public init?(_ name: String) {
    guard let known = Self.all.first(where: { $0.name == name }) else { return nil }
    self = known
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let name = try container.decode(String.self)
    guard let known = Self(name) else {
      throw DecodingError.dataCorruptedError(
        in: container,
        debugDescription: "unknown failure class \"\(name)\"; known: \(Self.all.map(\.name).joined(separator: ", "))")
    }
    self = known
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(name)
  }

  public var description: String { name }

  /// Whether the machine may be to blame: everything but what the configuration itself brings about.
  var blamesWorker: Bool { self == .bug || self == .hardware }
}
