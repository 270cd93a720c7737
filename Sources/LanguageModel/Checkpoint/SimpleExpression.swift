/// The small part of regular expressions that adapter configurations use: plain characters, `\.`, `.`, `.*`, `\d+`,
/// `[0-9]+` and one level of alternatives `(a|b)`.
///
/// Anything else is refused; matching takes bounded time.
struct SimpleExpression {
  private enum Part {
    case literal([UInt8])
    case anyCharacter
    case anything
    case digits
    case choice([[UInt8]])
  }

  private var parts: [Part] = []

  /// Parses `text`; `key` names its place in errors.
  init(_ text: String, key: String) throws {
    guard text.utf8.count <= 65_536 else {
      throw ModelFileError(.tooLarge, "'\(key)': an expression of \(text.utf8.count) bytes, the limit is 65,536")
    }
    let bytes = Array(text.utf8)
    var index = 0
    func refuse(_ what: String) -> ModelFileError {
      ModelFileError(.unsupported, "'\(key)': \(what) at byte \(index) of the regular expression is not supported")
    }
    while index < bytes.count {
      switch bytes[index] {
      case UInt8(ascii: "("):
        guard let end = bytes[index...].firstIndex(of: UInt8(ascii: ")")) else { throw refuse("an open group") }
        var inner = bytes[(index + 1)..<end]
        if inner.starts(with: [0x3F, 0x3A]) { inner = inner.dropFirst(2) }
        let choices = inner.split(separator: UInt8(ascii: "|"), omittingEmptySubsequences: false)
        parts.append(
          .choice(
            try choices.map { choice in
              guard let literal = Self.literal(choice) else { throw refuse("a group with operators") }
              return literal
            }))
        index = end + 1
      case UInt8(ascii: "."):
        let repeats = index + 1 < bytes.count && bytes[index + 1] == UInt8(ascii: "*")
        parts.append(repeats ? .anything : .anyCharacter)
        index += repeats ? 2 : 1
      case UInt8(ascii: "\\"), UInt8(ascii: "["):
        if let count = Self.digitsLength(bytes[index...]) {
          parts.append(.digits)
          index += count
        } else if bytes[index] == UInt8(ascii: "\\"), index + 1 < bytes.count,
          let literal = Self.literal(bytes[index...(index + 1)])
        {
          parts.append(.literal(literal))
          index += 2
        } else {
          throw refuse("an escape or a class")
        }
      case let byte where Self.isPlain(byte):
        parts.append(.literal([byte]))
        index += 1
      default: throw refuse("an operator")
      }
    }
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"), UInt8(ascii: "-"): true
    default: false
    }
  }

  private static func digitsLength(_ bytes: ArraySlice<UInt8>) -> Int? {
    for text in ["\\d+", "[0-9]+"] where bytes.starts(with: text.utf8) { return text.utf8.count }
    return nil
  }

  /// Plain characters and escaped dots only.
  private static func literal(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
    var result: [UInt8] = []
    var rest = bytes
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "\\") {
        guard let next = rest.popFirst(), next == UInt8(ascii: ".") || next == UInt8(ascii: "-") else { return nil }
        result.append(next)
      } else {
        guard isPlain(byte) else { return nil }
        result.append(byte)
      }
    }
    return result
  }

  /// Whether the whole of `text` matches.
  ///
  /// All reachable positions are followed at once, so there is no backtracking.
  func matches(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    var positions: Set<Int> = [0]
    for part in parts {
      var next: Set<Int> = []
      for position in positions {
        switch part {
        case .literal(let literal):
          if bytes[position...].starts(with: literal) { next.insert(position + literal.count) }
        case .anyCharacter:
          if position < bytes.count { next.insert(position + 1) }
        case .anything: next.formUnion(position...bytes.count)
        case .digits:
          var end = position
          while end < bytes.count, (0x30...0x39).contains(bytes[end]) {
            end += 1
            next.insert(end)
          }
        case .choice(let choices):
          for choice in choices where bytes[position...].starts(with: choice) { next.insert(position + choice.count) }
        }
      }
      positions = next
    }
    return positions.contains(bytes.count)
  }
}
