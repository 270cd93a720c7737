import Transport

/// The number of files that this process may have open, checked before anything is begun.
package enum DescriptorLimit {
  /// What a coordinator with a few workers, or a worker, needs: about 30 for the program itself (libraries, database, sockets
  /// and pipes), and some for connections.
  package static let needed = 64

  /// - Throws: `CommandError` with the limit and what is needed.
  package static func check(_ command: String) throws {
    let limit = FileLimit.raise(to: needed)
    guard limit < needed else { return }
    throw CommandError(
      .refused,
      "this process may have \(limit) files open; \(command) needs at least \(needed). Raise the limit: ulimit -n \(needed) "
        + "(more for many workers), or LimitNOFILE= in a systemd unit")
  }
}
