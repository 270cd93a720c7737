/// Why a connection could not be set up, with the remedy.
package struct TransportError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The kind of error; new kinds may be added.
  package struct Code: Hashable, Sendable, CustomStringConvertible {
    private enum Value: String {
      case badEndpoint, keysRequired, addressInUse, permissionDenied, addressNotAvailable, libraryTooOld
      case badKey, keyNotFound, keyExists, unsafeFolder, system
    }
    private let value: Value
    private init(_ value: Value) { self.value = value }
    package var description: String { value.rawValue }

    /// The endpoint is not `ipc://PATH` or `tcp://HOST:PORT`, or too long.
    package static let badEndpoint = Self(.badEndpoint)
    /// TCP without CURVE keys.
    package static let keysRequired = Self(.keysRequired)
    /// Another process listens there.
    package static let addressInUse = Self(.addressInUse)
    /// The address or file may not be used by this user.
    package static let permissionDenied = Self(.permissionDenied)
    /// No network interface has this address.
    package static let addressNotAvailable = Self(.addressNotAvailable)
    /// libzmq has known security holes, or lacks CURVE.
    package static let libraryTooOld = Self(.libraryTooOld)
    /// A text or file that is no CURVE key.
    package static let badKey = Self(.badKey)
    /// There is no key of that name.
    package static let keyNotFound = Self(.keyNotFound)
    /// A key of that name is there already.
    package static let keyExists = Self(.keyExists)
    /// A folder that other users could write to or read secrets from.
    package static let unsafeFolder = Self(.unsafeFolder)
    /// Any other refusal of the operating system or of libzmq.
    package static let system = Self(.system)
  }

  /// The kind of error.
  package var code: Code
  /// What went wrong, where, and the remedy.
  package var message: String

  package init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  package var description: String { message }
}
