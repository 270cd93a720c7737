import WireProtocol

/// What one client says on a stream socket, read as ZMTP 3.0 with the NULL mechanism (RFC 23).
///
/// Pure, and bounded: of an unfinished message it holds one frame and the two that a message of ours may have.
struct ZMTPInput {
  enum Output: Equatable {
    /// The greeting is complete: it is time to say READY.
    case greeted
    /// The handshake is complete; the routing id that the client chose, empty for none.
    case ready([UInt8])
    /// A message; more than two frames are no message of ours and come as an empty one, which the decoder refuses.
    case message(WireFrames)
    /// To be answered with a PONG that carries these bytes.
    case ping([UInt8])
  }

  /// Why the connection has to end.
  struct Violation: Error, Equatable {
    var why: String
  }

  private enum State {
    case greeting
    case handshake
    case open
  }

  static let greetingSize = 64
  /// Frames of one message that are taken before the connection is ended.
  static let mostFrames = 64
  /// The largest command: READY with a routing id is about 300 bytes.
  private static let largestCommand = 1024

  private let largestFrame: Int
  private var state = State.greeting
  private var buffer: [UInt8] = []
  private var position = 0
  private var parts: [[UInt8]] = []
  private var partCount = 0

  init(largestFrame: Int) { self.largestFrame = largestFrame }

  /// Bytes that wait for the rest of their frame or message.
  var held: Int { buffer.count - position + parts.reduce(0) { $0 + $1.count } }

  /// Takes what was read and says what it means.
  mutating func take(_ bytes: UnsafeRawBufferPointer) throws(Violation) -> [Output] {
    buffer.append(contentsOf: bytes)
    var outputs: [Output] = []
    while true {
      let before = position
      switch state {
      case .greeting: if try takeGreeting() { outputs.append(.greeted) }
      case .handshake, .open: if let output = try takeFrame() { outputs.append(output) }
      }
      if position == before { break }
    }
    buffer.removeFirst(position)
    position = 0
    return outputs
  }

  private mutating func takeGreeting() throws(Violation) -> Bool {
    let seen = buffer[position...]
    // Refused as early as it can be: who speaks something else should not wait for an answer.
    if let first = seen.first, first != 0xff { throw Violation(why: "it does not speak ZeroMQ") }
    if seen.count > 10, seen[position + 9] & 1 == 0 || seen[position + 10] < 3 {
      throw Violation(why: "it speaks an old version of ZeroMQ's protocol")
    }
    guard seen.count >= Self.greetingSize else { return false }
    let mechanism = seen[(position + 12)..<(position + 32)].prefix { $0 != 0 }
    guard Array(mechanism) == Array("NULL".utf8) else {
      throw Violation(why: "it wants keys, and this socket has none")
    }
    position += Self.greetingSize
    state = .handshake
    return true
  }

  /// One frame: flags (1 = more follows, 2 = long, 4 = command), its size, its bytes.
  private mutating func takeFrame() throws(Violation) -> Output? {
    let left = buffer.count - position
    guard left > 0 else { return nil }
    let flags = buffer[position]
    guard flags & ~7 == 0, flags & 5 != 5 else { throw Violation(why: "it sent what is no frame") }
    let isLong = flags & 2 != 0
    let head = isLong ? 9 : 2
    guard left >= head else { return nil }
    let announced = buffer[(position + 1)..<(position + head)].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    let limit = flags & 4 != 0 ? Self.largestCommand : largestFrame
    guard announced <= UInt64(limit) else {
      throw Violation(why: "it announced a frame of \(announced) bytes, the limit is \(limit)")
    }
    let size = Int(announced)
    guard left >= head + size else { return nil }
    let body = buffer[(position + head)..<(position + head + size)]
    position += head + size
    if flags & 4 != 0 { return try takeCommand(body) }
    guard state == .open else { throw Violation(why: "it spoke before its READY") }
    return try takePart(body, isLast: flags & 1 == 0)
  }

  private mutating func takePart(_ body: ArraySlice<UInt8>, isLast: Bool) throws(Violation) -> Output? {
    partCount += 1
    guard partCount <= Self.mostFrames else {
      throw Violation(why: "it sent more than \(Self.mostFrames) frames without the end of a message")
    }
    // What belongs to no message of ours is counted, not kept.
    if partCount <= 2 { parts.append(Array(body)) }
    guard isLast else { return nil }
    defer {
      parts = []
      partCount = 0
    }
    guard partCount <= 2 else { return .message(WireFrames(json: [])) }
    return .message(WireFrames(json: parts[0], attachment: parts.count > 1 ? parts[1] : nil))
  }

  private mutating func takeCommand(_ body: ArraySlice<UInt8>) throws(Violation) -> Output? {
    guard let length = body.first, body.count > Int(length) else { throw Violation(why: "it sent an empty command") }
    let name = String(decoding: body.dropFirst().prefix(Int(length)), as: UTF8.self)
    let rest = body.dropFirst(1 + Int(length))
    switch (name, state) {
    case ("READY", .handshake):
      state = .open
      return .ready(try Self.routingID(rest))
    // A time to live (16 bits), then up to 16 bytes that come back.
    case ("PING", .open): return .ping(Array(rest.dropFirst(2).prefix(16)))
    case ("PONG", .open): return nil
    default: throw Violation(why: "it sent a command that has no place here")
    }
  }

  /// The properties of READY: the length of a name (8 bits), the name, the length of a value (32 bits), the value.
  private static func routingID(_ properties: ArraySlice<UInt8>) throws(Violation) -> [UInt8] {
    var rest = properties
    var (identity, type): ([UInt8], String) = ([], "")
    while let length = rest.first {
      let name = String(decoding: rest.dropFirst().prefix(Int(length)), as: UTF8.self).lowercased()
      rest = rest.dropFirst(1 + Int(length))
      guard rest.count >= 4 else { throw Violation(why: "its READY is cut") }
      let size = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
      rest = rest.dropFirst(4)
      guard size <= rest.count else { throw Violation(why: "its READY is cut") }
      switch name {
      case "identity": identity = Array(rest.prefix(size))
      case "socket-type": type = String(decoding: rest.prefix(size), as: UTF8.self)
      default: break
      }
      rest = rest.dropFirst(size)
    }
    guard ["DEALER", "REQ", "ROUTER"].contains(type) else { throw Violation(why: "it is no DEALER socket") }
    guard identity.count <= 255, identity.first != 0 else { throw Violation(why: "its routing id is none") }
    return identity
  }
}

/// What a server says to a client, as ZMTP 3.0.
enum ZMTPOutput {
  static let greeting: [UInt8] =
    [0xff] + [UInt8](repeating: 0, count: 8) + [0x7f, 3, 0] + Array("NULL".utf8) + [UInt8](repeating: 0, count: 48)

  static let ready: [UInt8] = {
    let type = Array("Socket-Type".utf8)
    let value = Array("ROUTER".utf8)
    let body = [5] + Array("READY".utf8) + [UInt8(type.count)] + type + [0, 0, 0, UInt8(value.count)] + value
    return [4, UInt8(body.count)] + body
  }()

  static func pong(_ context: [UInt8]) -> [UInt8] {
    let body = [4] + Array("PONG".utf8) + context
    return [4, UInt8(body.count)] + body
  }

  static func message(_ frames: WireFrames) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(frames.byteCount + 18)
    add(frames.json, hasMore: frames.attachment != nil, to: &bytes)
    if let attachment = frames.attachment { add(attachment, hasMore: false, to: &bytes) }
    return bytes
  }

  private static func add(_ frame: [UInt8], hasMore: Bool, to bytes: inout [UInt8]) {
    let more: UInt8 = hasMore ? 1 : 0
    if frame.count <= 255 {
      bytes += [more, UInt8(frame.count)]
    } else {
      bytes.append(more | 2)
      for shift in stride(from: 56, through: 0, by: -8) {
        bytes.append(UInt8(truncatingIfNeeded: frame.count >> shift))
      }
    }
    bytes += frame
  }
}
