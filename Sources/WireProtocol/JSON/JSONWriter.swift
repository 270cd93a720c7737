/// Writes compact JSON with the fields of an object in order of their names.
struct JSONWriter {
  private(set) var bytes: [UInt8] = []

  mutating func write(_ value: JSONValue) {
    switch value {
    case .null: append("null")
    case .bool(let flag): append(flag ? "true" : "false")
    case .integer(let integer): append(String(integer))
    // Swift prints the shortest text that reads back as the same double.
    case .number(let number): append(number.isFinite ? String(number) : "null")
    case .string(let text): write(text)
    case .array(let elements): writeList("[", elements, "]") { writer, element in writer.write(element) }
    case .object(let fields):
      writeList("{", fields.sorted { $0.key < $1.key }, "}") { writer, field in
        writer.write(field.key)
        writer.append(":")
        writer.write(field.value)
      }
    }
  }

  private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

  private mutating func writeList<Element>(
    _ open: String, _ elements: [Element], _ close: String, _ body: (inout JSONWriter, Element) -> Void
  ) {
    append(open)
    for (index, element) in elements.enumerated() {
      if index > 0 { append(",") }
      body(&self, element)
    }
    append(close)
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
      case 0..<0x20:
        let digits = String(byte, radix: 16)
        append("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
