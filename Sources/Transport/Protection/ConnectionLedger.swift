/// What is known of every connection: where it comes from, whether it has spoken, and how much of its bytes lie in memory.
///
/// Pure: descriptors are numbers, the time and the byte counts are arguments. The owner ends what is returned.
struct ConnectionLedger {
  typealias Instant = ContinuousClock.Instant

  struct Connection {
    /// The remote address without its port: what strangers share when they come from one machine.
    var address: String
    /// The remote address with its port, to recognise a descriptor that has found another owner meanwhile.
    var remote: String
    var accepted: Instant
    /// Who speaks; nil until the first message.
    var peer: Peer?
    /// Bytes on the wire of the messages that were taken.
    var delivered = 0
    /// Bytes that no message has carried away yet, at the last look.
    var held = 0
  }

  private struct Arrival {
    var descriptor: Int32
    var accepted: Instant
  }

  /// A connection to end.
  struct Ending: Equatable {
    var descriptor: Int32
    var remote: String
    var address: String
    var peer: Peer?
    var why: Reason
  }

  enum Reason: Equatable {
    case handshakeTime
    case unheardTotal(Int)
    case unheardPerAddress(Int)
    case unheardBytes(Int)
    case connections(Int)
    case connectionBytes(Int)
    case totalBytes(Int)
  }

  /// The time that every connection has for its handshake, however many others come.
  static let grace = Duration.seconds(1)
  /// More than this is no single message any more.
  private static let message = 64 * 1024

  let limits: ServerLimits
  private let maximumConnections: Int
  private let unheardLimit: Int
  private var connections: [Int32: Connection] = [:]
  private var unheard: Set<Int32> = []
  private var unheardByAddress: [String: Int] = [:]
  /// The unheard connections of an address in the order of their arrival, and some that have spoken since.
  private var lines: [String: [Arrival]] = [:]
  private var descriptors: [Peer: Int32] = [:]
  private var holdsMuch = false

  init(limits: ServerLimits, maximumConnections: Int) {
    self.limits = limits
    self.maximumConnections = maximumConnections
    unheardLimit = min(limits.unheard, max(1, maximumConnections / 2))
  }

  var count: Int { connections.count }
  var unheardCount: Int { unheard.count }
  /// Arrivals that are remembered; for tests.
  var arrivalCount: Int { lines.values.reduce(0) { $0 + $1.count } }
  /// Whether a look at the bytes is worth while soon: somebody has not spoken yet, or holds more than a message.
  var isWatchful: Bool { !unheard.isEmpty || holdsMuch }

  subscript(descriptor: Int32) -> Connection? { connections[descriptor] }
  func descriptor(of peer: Peer) -> Int32? { descriptors[peer] }

  /// The connections of a key.
  func descriptors(of identity: PeerIdentity) -> [Int32] {
    descriptors.filter { $0.key.identity == identity }.map(\.value)
  }

  // MARK: - What happens

  /// A connection was accepted; returns which one has to go for it.
  mutating func accept(_ descriptor: Int32, remote: String, address: String, now: Instant) -> Ending? {
    remove(descriptor)
    connections[descriptor] = Connection(address: address, remote: remote, accepted: now)
    unheard.insert(descriptor)
    unheardByAddress[address, default: 0] += 1
    lines[address, default: []].append(Arrival(descriptor: descriptor, accepted: now))
    tidyLine(address)
    if connections.count > maximumConnections {
      // Those who have spoken keep their place.
      return makeRoom(busiestAddress, for: descriptor, now, .connections(maximumConnections))
    }
    if unheardByAddress[address, default: 0] > limits.unheardPerAddress {
      return makeRoom(address, for: descriptor, now, .unheardPerAddress(limits.unheardPerAddress))
    }
    if unheard.count > unheardLimit {
      return makeRoom(busiestAddress, for: descriptor, now, .unheardTotal(unheardLimit))
    }
    return nil
  }

  /// Ends the oldest unheard connection of an address, or the newest where the oldest had no time yet: if all of a large
  /// cluster's workers come at once, the first of them must not be ended in mid-handshake for the last.
  private mutating func makeRoom(_ address: String, for newcomer: Int32, _ now: Instant, _ why: Reason) -> Ending? {
    guard let oldest = oldestUnheard(of: address), let since = connections[oldest]?.accepted,
      now - since >= Self.grace
    else { return end(newcomer, why) }
    return end(oldest, why)
  }

  /// A connection is gone.
  mutating func remove(_ descriptor: Int32) {
    guard let old = connections.removeValue(forKey: descriptor) else { return }
    forgetUnheard(descriptor, old.address)
    if let peer = old.peer, descriptors[peer] == descriptor { descriptors[peer] = nil }
  }

  enum Hearing: Equatable {
    /// The connection's first message.
    case first
    case further
    /// The connection is gone already, or is about to go; this was still in the buffers.
    case late
  }

  /// A message of `wireBytes` bytes came over a connection.
  mutating func hear(_ descriptor: Int32, _ peer: Peer, wireBytes: Int) -> Hearing {
    guard let connection = connections[descriptor] else { return .late }
    if let known = connection.peer, known != peer { return .late }
    connections[descriptor]?.delivered += wireBytes
    guard connection.peer == nil else { return .further }
    connections[descriptor]?.peer = peer
    descriptors[peer] = descriptor
    forgetUnheard(descriptor, connection.address)
    return .first
  }

  /// Takes stock of the bytes; returns the connections that hold too many.
  ///
  /// - Parameter taken: bytes that a connection has brought in so far, without those that still wait in the operating
  ///   system; nil where that is not known.
  mutating func takeStock(_ taken: (Int32, Connection) -> Int?) -> [Ending] {
    var (unheardBytes, totalBytes) = (0, 0)
    var endings: [Ending] = []
    holdsMuch = false
    for descriptor in connections.keys {
      guard let connection = connections[descriptor], let bytes = taken(descriptor, connection) else { continue }
      let held = max(0, bytes - connection.delivered)
      connections[descriptor]?.held = held
      if held > Self.message { holdsMuch = true }
      if connection.peer == nil { unheardBytes += held } else { totalBytes += held }
      if held > limits.connectionBytes, let ending = end(descriptor, .connectionBytes(limits.connectionBytes)) {
        endings.append(ending)
      }
    }
    if unheardBytes > limits.unheardBytes {
      endings += endLargest(unheardBytes - limits.unheardBytes, .unheardBytes(limits.unheardBytes)) { $0.peer == nil }
    }
    if totalBytes > limits.totalBytes {
      endings += endLargest(totalBytes - limits.totalBytes, .totalBytes(limits.totalBytes)) { $0.peer != nil }
    }
    return endings
  }

  /// The connections that have not spoken since `limit` and are to be ended.
  mutating func expired(before limit: Instant) -> [Ending] {
    let late = unheard.filter { (connections[$0]?.accepted).map { $0 < limit } ?? true }
    return late.compactMap { end($0, .handshakeTime) }
  }

  /// The entry of a connection that is to be ended; it counts no longer, whatever becomes of its descriptor.
  mutating func end(_ descriptor: Int32, _ why: Reason) -> Ending? {
    guard let old = connections[descriptor] else { return nil }
    remove(descriptor)
    return Ending(descriptor: descriptor, remote: old.remote, address: old.address, peer: old.peer, why: why)
  }

  // MARK: - Who has to go

  private mutating func forgetUnheard(_ descriptor: Int32, _ address: String) {
    guard unheard.remove(descriptor) != nil, let count = unheardByAddress[address] else { return }
    unheardByAddress[address] = count > 1 ? count - 1 : nil
    if count <= 1 { lines[address] = nil }
  }

  private var busiestAddress: String { unheardByAddress.max { $0.value < $1.value }?.key ?? "" }

  /// Those that must go are at the front of their line, so that this takes the same time under a flood.
  private mutating func oldestUnheard(of address: String) -> Int32? {
    guard let line = lines[address], let index = line.firstIndex(where: isUnheard) else { return nil }
    if index > 256 { lines[address]?.removeFirst(index) }
    return line[index].descriptor
  }

  private func isUnheard(_ arrival: Arrival) -> Bool {
    unheard.contains(arrival.descriptor) && connections[arrival.descriptor]?.accepted == arrival.accepted
  }

  /// Takes those out of a line that have spoken, when they are most of it.
  private mutating func tidyLine(_ address: String) {
    guard let line = lines[address], line.count > 4 * unheardByAddress[address, default: 0] + 512 else { return }
    lines[address] = line.filter(isUnheard)
  }

  private mutating func endLargest(_ excess: Int, _ why: Reason, _ isMeant: (Connection) -> Bool) -> [Ending] {
    var left = excess
    var endings: [Ending] = []
    for (descriptor, connection) in connections.filter({ isMeant($0.value) }).sorted(by: {
      $0.value.held > $1.value.held
    }) {
      guard left > 0, connection.held > 0 else { break }
      left -= connection.held
      if let ending = end(descriptor, why) { endings.append(ending) }
    }
    return endings
  }
}

extension ConnectionLedger.Reason {
  /// The reason in words.
  var text: String {
    switch self {
    case .handshakeTime: "they did not finish their handshake in time"
    case .unheardTotal(let limit): "more than \(limit) connections wait for their first message"
    case .unheardPerAddress(let limit): "more than \(limit) connections of this address wait for their first message"
    case .unheardBytes(let limit): "they had sent more than \(limit >> 10) KiB before their first message"
    case .connections(let limit):
      "there is room for \(limit) connections with the present limit of open files; workers that are here go first "
        + "(ulimit -n)"
    case .connectionBytes(let limit): "more than \(limit >> 10) KiB without the end of a message"
    case .totalBytes(let limit):
      "all connections together held more than \(limit >> 10) KiB of unfinished messages, this one among the largest"
    }
  }
}
