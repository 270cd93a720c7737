/// Stops what recurses before the stack of its thread, which is 8 MiB on Linux, comes to its end.
struct StackGuard {
  /// What a template may use of the stack.
  private static let size: UInt = 3 << 20
  private let start: UInt

  /// From where the thread stands now.
  init() { start = Self.place }

  @inline(never) private static var place: UInt {
    var here: UInt8 = 0
    return withUnsafeMutablePointer(to: &here) { UInt(bitPattern: $0) }
  }

  var isNearEnd: Bool { Self.place &+ Self.size < start }
}
