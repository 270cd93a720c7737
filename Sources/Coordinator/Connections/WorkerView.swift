import Study
import Transport
import WireProtocol

extension CoordinatorCore {
  /// A connected worker.
  package struct WorkerView: Sendable, Hashable {
    package var identity: WorkerIdentity
    var peer: Peer
    /// Number of the hello that brought it here.
    var helloID: Int64
    package var isIdle = false
    var idleSince: Int = 0
    package var attempt: AttemptToken?
    /// How far the running attempt has come.
    package var step = 0
    package var total = 0
    package var phase = ""
    /// How its device stands, as its last heartbeat said.
    package var device: DeviceStatus?
    /// A message did not reach it, and nothing was heard of it since.
    var isGone = false
    /// The trial that it gave back as soon as it had begun, until it asks for the next one.
    var released: Int?

    init(identity: WorkerIdentity, peer: Peer, helloID: Int64) {
      self.identity = identity
      self.peer = peer
      self.helloID = helloID
    }
  }
}
