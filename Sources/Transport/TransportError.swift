/// Why a connection could not be set up, with the remedy.
public struct TransportError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The kind of error; new kinds may be added.
  public struct Code: Hashable, Sendable, CustomStringConvertible {
    private enum Value: String {
      case badEndpoint, keysRequired, addressInUse, permissionDenied, addressNotAvailable, libraryTooOld
      case badKey, keyNotFound, keyExists, unsafeFolder, system
    }
    private let value: Value
    private init(_ value: Value) { self.value = value }
    public var description: String { value.rawValue }

    /// The endpoint is not `ipc://PATH` or `tcp://HOST:PORT`, or too long.
    public static let badEndpoint = Self(.badEndpoint)
    /// TCP without CURVE keys.
    public static let keysRequired = Self(.keysRequired)
    /// Another process listens there.
    public static let addressInUse = Self(.addressInUse)
    /// The address or file may not be used by this user.
    public static let permissionDenied = Self(.permissionDenied)
    /// No network interface has this address.
    public static let addressNotAvailable = Self(.addressNotAvailable)
    /// libzmq has known security holes, or lacks CURVE.
    public static let libraryTooOld = Self(.libraryTooOld)
    /// A text or file that is no CURVE key.
    public static let badKey = Self(.badKey)
    /// There is no key of that name.
    public static let keyNotFound = Self(.keyNotFound)
    /// A key of that name is there already.
    public static let keyExists = Self(.keyExists)
    /// A folder that other users could write to or read secrets from.
    public static let unsafeFolder = Self(.unsafeFolder)
    /// Any other refusal of the operating system or of libzmq.
    public static let system = Self(.system)
  }

  /// The kind of error.
  public var code: Code
  /// What went wrong, where, and the remedy.
  public var message: String

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { message }
}
