import StrictJSON

/// Takes the fields of a message.
typealias FieldReader = StrictJSON.FieldReader<WireError>

extension JSONValue {
  /// Reads one JSON text, refusing whatever exceeds `limits`.
  package init(parsing bytes: [UInt8], limits: WireLimits = .standard) throws(WireError) {
    do throws(JSONError) {
      try self.init(parsing: bytes, rules: limits.json(forBytes: bytes.count))
    } catch {
      throw WireError(error)
    }
  }
}

extension WireError: FieldFailure {
  package init(field problem: FieldProblem, _ message: String, at location: String) {
    let code: Code =
      switch problem {
      case .missing: .missingField
      case .unknown: .unknownField
      case .wrongType: .wrongType
      case .outOfRange: .outOfRange
      case .tooMany: .tooMany
      }
    self.init(code, message, at: location)
  }

  /// A frame that is not the JSON of the protocol; nothing of its text is repeated.
  init(_ error: JSONError) {
    switch error.problem {
    case .tooLarge: self.init(.tooLarge, error.safeMessage)
    case .tooDeep: self.init(.tooDeep, error.safeMessage, at: "byte \(error.position)")
    case .tooMany: self.init(.tooMany, error.safeMessage, at: "byte \(error.position)")
    case .numberOutOfRange:
      self.init(
        .outOfRange, "the number is not finite as a double; send null instead", at: "byte \(error.position)")
    default: self.init(.notJSON, error.safeMessage, at: "byte \(error.position)")
    }
  }
}
