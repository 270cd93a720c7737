import Foundations

/// Writes JSON: compact or indented, the members of objects in their order or in that of their keys.
package struct JSONWriter {
  private let indent: Int?
  private let sortsKeys: Bool
  package private(set) var bytes: [UInt8] = []

  /// - Parameters:
  ///   - indent: spaces a level; nil for no white space at all.
  ///   - sortsKeys: whether members stand in the order of their keys, so that equal values give equal bytes.
  package init(indent: Int? = nil, sortsKeys: Bool = false) {
    self.indent = indent
    self.sortsKeys = sortsKeys
  }

  /// Appends a value.
  package mutating func write(_ value: JSONValue, level: Int = 0) {
    switch value {
    case .null: append("null")
    case .bool(let flag): append(flag ? "true" : "false")
    case .integer(let integer): append(String(integer))
    // Swift prints the shortest text that reads back as the same double.
    case .number(let number): append(number.isFinite ? number.description : "null")
    case .numberText(let text): append(text)
    case .string(let text): write(text)
    case .array(let elements):
      writeList("[", elements, "]", level) { writer, element in writer.write(element, level: level + 1) }
    case .object(let object):
      let members = sortsKeys ? object.members.sorted { $0.key < $1.key } : object.members
      writeList("{", members, "}", level) { writer, member in
        writer.write(member.key)
        writer.append(writer.indent == nil ? ":" : ": ")
        writer.write(member.value, level: level + 1)
      }
    }
  }

  private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

  private mutating func writeList<Element>(
    _ open: String, _ elements: [Element], _ close: String, _ level: Int,
    _ body: (inout JSONWriter, Element) -> Void
  ) {
    append(open)
    for (index, element) in elements.enumerated() {
      if index > 0 { append(",") }
      breakLine(level + 1)
      body(&self, element)
    }
    if !elements.isEmpty { breakLine(level) }
    append(close)
  }

  private mutating func breakLine(_ level: Int) {
    if let indent { append("\n" + String(repeating: " ", count: indent * level)) }
  }

  private mutating func write(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""): append("\\\"")
      case UInt8(ascii: "\\"): append("\\\\")
      case 0x0A: append("\\n")
      case 0x0D: append("\\r")
      case 0x09: append("\\t")
      case 0..<0x20, 0x7F: append("\\u00" + [byte].hexadecimal)
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}

extension JSONValue {
  /// The compact JSON text with sorted keys: equal values give equal bytes.
  package func serialized() -> [UInt8] {
    var writer = JSONWriter(sortsKeys: true)
    writer.write(self)
    return writer.bytes
  }

  /// The value as JSON text with the members in their order: compact, or indented by so many spaces a level.
  package func text(indent: Int? = nil) -> String {
    var writer = JSONWriter(indent: indent)
    writer.write(self)
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}
