/// What a server takes from its clients; whatever goes beyond is ended and said.
///
/// Together they bound the memory that strangers and admitted workers can take: ``unheardBytes`` before the handshake,
/// ``totalBytes`` behind it, and the server's own box of 16 MiB.
package struct ServerLimits: Sendable, Equatable {
  /// Most connections.
  ///
  /// Default: as many as the limit of open files leaves.
  package var connections: Int?
  /// Time for a handshake.
  ///
  /// Default 3 s.
  package var handshake = Duration.seconds(3)
  /// Most connections that have not said anything yet; beyond them the oldest of the busiest address is ended, or the
  /// newcomer while the oldest is younger than a second.
  ///
  /// Default 2,048 (about 30 KiB each without what they sent), and at most half of the connections that the limit of
  /// descriptors leaves.
  package var unheard = 2048
  /// Most of them from one address.
  ///
  /// Default 1,024: the workers of one large machine may all come at once.
  package var unheardPerAddress = 1024
  /// Most bytes that all of them may have sent; beyond them the largest are ended.
  ///
  /// Default 8 MiB.
  package var unheardBytes = 8 << 20
  /// Most bytes of one TCP connection that no finished message has carried away yet.
  ///
  /// Default 2 MiB: an honest worker has one piece of an artifact and a handful of messages under way.
  package var connectionBytes = 2 << 20
  /// Most such bytes of all TCP connections together; beyond them the largest are ended.
  ///
  /// Default 16 MiB.
  package var totalBytes = 16 << 20
  /// Messages in the socket per connection; behind them the operating system holds the sender back.
  ///
  /// Default 32.
  package var queuedMessages = 32
  /// Messages a second that one connection may send for long.
  ///
  /// Default 1,000.
  package var messagesPerSecond = 1000.0
  /// Messages that it may send at once after a pause.
  ///
  /// Default 2,000; a new connection begins with a tenth.
  package var messageBurst = 2000.0
  /// The same two for new connections of a key that broke the protocol within the last minute.
  ///
  /// Default 50 a second, 20 at once.
  package var probationMessagesPerSecond = 50.0
  package var probationBurst = 20.0
  /// Messages that wait because their connection sends too fast; with one more it is ended.
  ///
  /// Default 1,024 messages, 1 MiB.
  package var waitingMessages = 1024
  package var waitingBytes = 1 << 20
  /// Descriptors that connections never take: for the database, logs and files.
  ///
  /// Default 16, and more where the limit of descriptors is higher (a 32nd of it).
  package var reservedDescriptors = 16

  package init() {}

  /// How many connections fit, when `openNow` of `limit` descriptors are taken.
  func maximumConnections(openNow: Int, limit: Int) -> Int {
    min(connections ?? .max, limit - openNow - max(reservedDescriptors, limit / 32))
  }

  /// Fewest connections with which a server starts at all.
  static let fewestConnections = 4
}
