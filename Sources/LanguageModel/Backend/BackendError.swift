/// Memory of a backend in bytes.
public struct BackendMemory: Sendable, Equatable {
  /// Held by live tensors and weights.
  public var used: Int
  /// Largest `used` so far.
  public var peak: Int
  /// Most that may be used; nil when only the machine limits it.
  public var limit: Int?

  /// Numbers of bytes.
  public init(used: Int, peak: Int, limit: Int?) {
    self.used = used
    self.peak = peak
    self.limit = limit
  }
}

/// A failure of a backend.
public struct BackendError: Error, CustomStringConvertible, Sendable {
  /// What kind of failure; new kinds may be added.
  public struct Code: Sendable, Hashable, CustomStringConvertible {
    private enum Value: String { case outOfMemory, unavailable, device }
    private let value: Value
    /// An allocation was refused by the limit or by the machine; the backend is still usable.
    public static let outOfMemory = Code(value: .outOfMemory)
    /// The backend or what it needs is not there on this machine.
    public static let unavailable = Code(value: .unavailable)
    /// The device failed.
    public static let device = Code(value: .device)
    /// The kind in one word.
    public var description: String { value.rawValue }
  }
  /// The kind of failure.
  public let code: Code
  /// What failed, and what to do.
  public let message: String
  /// The message.
  public var description: String { message }

  /// A failure of a kind, in words.
  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  /// The error for an allocation of `bytes` that was refused.
  public static func outOfMemory(_ bytes: Int, memory: BackendMemory) -> BackendError {
    let limit = memory.limit.map { " of \($0 >> 20) MiB allowed" } ?? ""
    return BackendError(
      .outOfMemory,
      "out of memory: \(bytes) bytes asked for while \(memory.used >> 20) MiB\(limit) are in use; use a smaller batch, "
        + "shorter sequences, activation checkpointing or a smaller configuration")
  }
}
