import StrictJSON
import Study

/// Turns messages into frames and back; the only place that knows the JSON form.
///
/// A JSON frame is `{"v":1,"type":"…","id":n,"body":{…}}`; an artifact chunk has its bytes in one raw frame behind it.
package struct MessageCodec: Sendable {
  /// The limits that incoming frames are held to.
  package var limits: WireLimits

  package init(limits: WireLimits = .standard) { self.limits = limits }

  /// The frames of a message.
  package func encode(_ envelope: Envelope) -> WireFrames {
    let frame: JSONValue = .object([
      "v": .integer(Int(envelope.message.version)),
      "type": .string(envelope.message.type.rawValue),
      "id": .integer(Int(envelope.id)),
      "body": .object(envelope.message.fields),
    ])
    var attachment: [UInt8]?
    if case .artifactChunk(let chunk) = envelope.message { attachment = chunk.bytes }
    return WireFrames(json: frame.serialized(), attachment: attachment)
  }

  /// Reads a message that `sender` is supposed to have sent.
  ///
  /// - Throws: ``WireError``; nothing of a refused frame is kept.
  package func decode(_ frames: WireFrames, from sender: Side) throws(WireError) -> Envelope {
    if let attachment = frames.attachment, attachment.count > limits.attachmentBytes {
      throw WireError(.tooLarge, "a raw frame of \(attachment.count) bytes, the limit is \(limits.attachmentBytes)")
    }
    var frame = try FieldReader(JSONValue(parsing: frames.json, limits: limits), at: "")
    let version = try frame.integer("v", in: 0...Int64.max)
    guard (ProtocolVersion.oldest...ProtocolVersion.current).contains(version) else {
      throw WireError(
        .unsupportedVersion,
        "the frame is of protocol version \(version), this build speaks \(ProtocolVersion.oldest) to "
          + "\(ProtocolVersion.current); run the same version of engram on both sides", at: "v")
    }
    let name = try frame.string("type", max: 32)
    guard let type = MessageType(rawValue: name) else {
      throw WireError(.unknownType, "this version of the protocol has no such message", at: "type")
    }
    guard type.sender == sender else {
      throw WireError(.wrongDirection, "a \(sender.rawValue) may not send `\(name)`", at: "type")
    }
    let id = try frame.integer("id", in: 1...Self.largestInteger)
    let body = try frame.value("body")
    try frame.finish()
    guard (frames.attachment != nil) == (type == .artifactChunk) else {
      throw WireError(.badAttachment, "exactly the artifact chunks are followed by one raw frame", at: name)
    }
    var reader = try FieldReader(body, at: name)
    do throws(WireError) {
      let message = try Message.read(type, &reader, version: version, attachment: frames.attachment ?? [])
      try reader.finish()
      return Envelope(id: id, message: message)
    } catch {
      throw error.about(type, id: id, body: body)
    }
  }

  /// The largest integer that every JSON reader keeps exact.
  static let largestInteger: Int64 = 1 << 53
}

extension WireError {
  /// The error with the message that it is about, where that names an attempt.
  fileprivate func about(_ type: MessageType, id: Int64, body: JSONValue) -> WireError {
    guard case .object(let fields) = body, case .integer(let token)? = fields["attempt"],
      (1...MessageCodec.largestInteger).contains(Int64(token))
    else { return self }
    var error = self
    error.subject = Subject(type: type, id: id, attempt: AttemptToken(Int(token)))
    return error
  }
}
